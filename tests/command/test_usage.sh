#!/bin/sh
# What every subcommand says of a command line that is wrong: one sentence for each mistake, what was expected, and
# what was likely meant; and that none of them swallows that its output could not be written. Uses TEST_COMMAND.
. "$TEST_SOURCE/tests/command/checks.sh"
muster=$TEST_COMMAND

# refused WORDS ARGUMENTS...: status 2, and these words in one line, and where help is in another.
refused() {
    words=$1
    shift
    expect 2 "$words" "$muster" "$@"
    [ "$(wc -l <"$work/err")" -eq 2 ] && grep -q "^Try: muster .*--help$" "$work/err" || fail "$*: not one sentence and where help is"
    [ ! -s "$work/out" ] || fail "$*: something on standard output"
}

# ---- options that are none ----
refused "^muster run: there is no option --bnid; did you mean --bind?$" run --bnid core
refused "^muster run: there is no option --bind-to; did you mean --bind?$" run --bind-to=core
refused "^muster run: there is no option -timeout; did you mean --timeout?$" run -timeout 3
refused "^muster run: there is no option --frobnicate$" run --frobnicate=3
refused "^muster run: there is no option -z$" run -z
refused "^muster run: --re is not clear: is it restarts or report-bindings?$" run --re 3
for command in ps inspect top trace report doctor bench tune; do
    refused "^muster $command: there is no option --hlep; did you mean --help?$" $command --hlep
    refused "^muster $command: there is no option -z$" $command -z
    refused "^muster $command: --help takes no value$" $command --help=3
done

# ---- values ----
refused "^muster run: --bind lacks its value; expected none, core or numa$" run --bind
refused "^muster run: --ranks lacks its value; expected a number of ranks from 1 to 1024, or auto$" run -n
refused "^muster run: --ranks lacks its value; " run -np
refused "^muster run: --log-dir lacks its value; expected a folder$" run --log-dir --show 0 -n 2 -- true
refused "^muster run: --mlx takes no value$" run --mlx=1
refused "^muster run: --on-hang foo: expected nothing, report, stacks or abort$" run -n 2 --on-hang foo -- true
refused "^muster run: --on-hang stack: expected .* or abort; did you mean stacks?$" run -n 2 --on-hang stack -- true
refused "^muster run: --timeout 0: expected seconds above 0" run --timeout 0
refused "^muster bench: --op mix: expected sum, prod, max, min, avg, band, bor, bxor, maxloc or minloc; did you mean m[ai][xn]?$" bench --op mix
refused "^muster bench: \"al_reduce\" is no operation .*; did you mean all_reduce?$" bench al_reduce
refused "^muster inspect: --trace lacks its value; expected a file$" inspect --trace
refused "^muster top: --seconds never: expected seconds above 0" top --seconds never

# ---- subcommands ----
refused "^muster: \"isnpect\" is no subcommand; expected run, .*; did you mean inspect?$" isnpect
refused "^muster: \"--versoin\" is no subcommand; .*; did you mean --version?$" --versoin
refused "^muster: \"walk\" is no subcommand; expected run, .* or tune$" walk
refused "^muster: \"-n\" is no subcommand; did you mean muster run -n?$" -n 4 ./hello
refused "^muster inspect: --json, --stacks and --trace exclude each other$" inspect --json --stacks
refused "^muster run: --wrap lacks its value; expected a command$" run -n 2 --wrap "" true
refused "^muster bench: --dtype float31: expected bool, .* or float64_int64$" bench --dtype float31
for command in inspect top; do
    expect 1 "^muster $command: no job .* has met under /nojob; muster ps lists the jobs$" "$muster" $command /nojob
    expect 1 "^muster $command: \"job\" is neither the number of a process nor a /NAME;" "$muster" $command job
    expect 1 "^muster $command: 999999999 is no rank or launcher of a job" "$muster" $command 999999999
done
for command in trace report; do
    expect 1 "^muster $command: /: Is a directory$" "$muster" $command /
done
for command in run ps inspect top trace report doctor bench tune; do
    expect 0 "" "$muster" help $command
    says 1 "^usage: muster $command"
done
for spelling in -V --version version; do
    expect 0 "" "$muster" $spelling
    says 1 "^muster [0-9.]+$"
done

# ---- as MPI's users write it ----
for spelling in "-np 2" "--np 2" "-n 2" "-n2" "--ranks=2"; do
    expect 0 "" "$muster" run $spelling -- echo hi
    says 2 "^\[[01]\] hi$"
done
expect 0 "" "$muster" bench -np 1 --min 4 --max 4 --check
says 1 "^# muster [0-9.]+, 1 rank, "

expect 0 "^muster bench: nobody reads MUSTER_TIMOUT; did you mean MUSTER_TIMEOUT?$" env MUSTER_TIMOUT=3 "$muster" bench --min 4 --max 4 --check

# ---- output that cannot be written: an error in words, and no success ----
lost() {
    for kind in full closed; do
        checks=$((checks + 1))
        case $kind in
        full) timeout $((60 * ${TEST_PATIENCE:-1})) "$muster" "$@" >/dev/full 2>"$work/err" </dev/null ;;
        closed) timeout $((60 * ${TEST_PATIENCE:-1})) "$muster" "$@" >&- 2>"$work/err" </dev/null ;;
        esac
        [ $? -ne 0 ] || fail "$*, $kind: status 0"
        grep -q "^muster.*: standard output could not be written" "$work/err" || fail "$*, $kind: says nothing"
    done
}
lost --help
lost --version
for command in run ps inspect top trace report doctor bench tune; do
    lost $command --help
done
lost ps
lost doctor
lost bench --min 4 --max 16 --check
timeout $((60 * ${TEST_PATIENCE:-1})) "$muster" run -n 2 --trace "$work/trace.json" -- "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 || fail "a trace"
lost trace "$work/trace.json"
lost report "$work/trace.json" -o "$work/page.html"
checks=$((checks + 3))
"$muster" report "$work/trace.json" -o /dev/full >"$work/out" 2>&1 && fail "a page on a full disk"
grep -q "/dev/full: No space left" "$work/out" || fail "a page on a full disk: what it says"
timeout $((60 * ${TEST_PATIENCE:-1})) "$muster" run -n 2 --trace /dev/full -- "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 && fail "a trace on a full disk"
grep -q "/dev/full: No space left" "$work/out" || fail "a trace on a full disk: what it says"

conclude "muster, usage"
