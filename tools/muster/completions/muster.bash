# bash completion for muster

# The place of the program that muster run starts; 0: before the word there is none.
_muster_program() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) echo $((i + 1)); return ;;
        -n | -np | --ranks | --np | --timeout | --op-timeout | --grace | --on-failure | --restarts | --max-restarts | --on-hang | --hang-after | --prefix | --color | --show | --log-dir | --stdin | --trace | --trace-limit | --env | --cwd | --bind | --gdb | --wrap | --pretend-topology) # and its value, behind = of its own, too
            i=$((i + 1))
            [ "${COMP_WORDS[i]}" != = ] || i=$((i + 1)) ;;
        -*) ;;
        *) echo "$i"; return ;;
        esac
    done
    echo 0
}

_muster() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=0
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run ps inspect top trace report doctor bench tune help --help --version" -- "$word")
        return
    fi
    if [ "${COMP_WORDS[1]}" = help ]; then
        mapfile -t COMPREPLY < <(compgen -W "run ps inspect top trace report doctor bench tune" -- "$word")
        return
    fi
    [ "${COMP_WORDS[1]}" != run ] || program=$(_muster_program)
    if [ "$program" -eq "$COMP_CWORD" ]; then
        mapfile -t COMPREPLY < <(compgen -o default -c -- "$word")
        return
    elif [ "$program" -gt 0 ]; then # a word of the program's own
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    case ${COMP_WORDS[1]}:$before in
    bench:-o | bench:--op) mapfile -t COMPREPLY < <(compgen -W "sum prod max min avg band bor bxor maxloc minloc" -- "$word"); return ;;
    esac
    case $before in
    --on-failure) mapfile -t COMPREPLY < <(compgen -W "kill continue respawn" -- "$word"); return ;;
    --on-hang) mapfile -t COMPREPLY < <(compgen -W "report stacks abort" -- "$word"); return ;;
    --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word"); return ;;
    --stdin) mapfile -t COMPREPLY < <(compgen -W "0 all none" -- "$word"); return ;;
    --bind) mapfile -t COMPREPLY < <(compgen -W "core numa none" -- "$word"); return ;;
    --trace | -o | --output) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --cwd | --log-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    --prefix) mapfile -t COMPREPLY < <(compgen -W "rank none" -- "$word"); return ;;
    -d | --dtype) mapfile -t COMPREPLY < <(compgen -W "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 float8_e4m3 float8_e5m2 int32_int32 int64_int64 float32_int32 float64_int64" -- "$word"); return ;;
    -n | -np | --np | --ranks | --restarts | --max-restarts | --trace-limit | --hang-after | --show | --env | --gdb | --wrap | --pretend-topology | --neighbours | --threads | --timeout | --op-timeout | --grace | -b | --min | -e | --max | -f | --factor | --seconds) return ;;
    esac
    case ${COMP_WORDS[1]} in
    tune) mapfile -t COMPREPLY < <(compgen -W "--seconds --dry-run --help" -- "$word"); return ;;
    ps | doctor) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$word"); return ;;
    trace) mapfile -t COMPREPLY < <(compgen -W "--all --help" -- "$word"; compgen -f -- "$word"); return ;;
    report) mapfile -t COMPREPLY < <(compgen -W "--output --help" -- "$word"; compgen -f -- "$word"); return ;;
    top) mapfile -t COMPREPLY < <(compgen -W "--seconds --once --help $(muster ps 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"); return ;;
    inspect) mapfile -t COMPREPLY < <(compgen -W "--json --stacks --trace --help $(muster ps 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"); return ;;
    esac
    if [ "${COMP_WORDS[1]}" = bench ]; then
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W "--ranks --min --max --factor --dtype --op --arena --in-place --started --threads --seconds --neighbours --no-limits --check --json --help" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "all_reduce all_gather reduce_scatter broadcast reduce gather scatter all_to_all all_gatherv reduce_scatterv gatherv scatterv all_to_allv scan exscan sendrecv ping_pong tags halo farm put_signal queue barrier" -- "$word") ;;
        esac
        return
    fi
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "--ranks --timeout --op-timeout --grace --on-failure --restarts --on-hang --post-mortem --hang-after --prefix --timestamps --color --show --log-dir --trace --trace-limit --tty --stdin --env --cwd --bind --report-bindings --keep-detached --gdb --wrap --pretend-topology --arena-malloc --mlx --torch --help --" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -o default -c -- "$word") ;;
    esac
}
complete -F _muster muster
