#!/bin/sh
# muster_init("mpi") under an MPI's own mpirun: what works, how jobs end, and what is refused, in which words. Uses
# TEST_COMMAND, TEST_BUILD, TEST_SOURCE, TEST_MPI (openmpi or mpich), TEST_MPI_JOBS, and, where they are elsewhere, the
# programs of this folder: MPI_CLIENT, which knows nothing of MPI, MPI_HOSTS, which is for several hosts, MPI_BESIDE, for threads there, MPI_STATIC, the same with libmuster.a, MPI_MIXED and MPI_LEVELS, which
# use MPI themselves, and MPI_HOSTILE and MPI_MODULE, libraries.
. "$TEST_SOURCE/tests/command/checks.sh"
: "${TEST_MPI:=openmpi}" "${MPI_CLIENT:=$TEST_BUILD/tests/mpi_client}" "${MPI_STATIC:=$TEST_BUILD/tests/mpi_static}"
: "${MPI_HOSTS:=$TEST_BUILD/tests/mpi_hosts}" "${MPI_BESIDE:=$TEST_BUILD/tests/mpi_beside}"
: "${MPI_MIXED:=$TEST_BUILD/tests/mpi_mixed_$TEST_MPI}" "${MPI_LEVELS:=$TEST_BUILD/tests/mpi_levels_$TEST_MPI}" "${MPI_HOSTILE:=$TEST_BUILD/tests/libmpi_hostile.so}"
: "${MPI_MODULE:=$TEST_BUILD/tests/libmpi_module.so}"
. "$TEST_SOURCE/tests/mpi/launcher.sh"
export TEST_HOSTILE="$work/hostile_ran"
export MUSTER_LOG=info # for is_late

# ---- what works ----
for n in 1 2 4; do
    mpi 0 "" $n "$MPI_CLIENT" works
    says $n "^works: done$"
done
for case in frees frees_late forks alone early; do
    mpi 0 "" 3 "$MPI_CLIENT" $case
    says 3 "^$case: done$"
done
for case in before after forks ends ends_ours late asks_elsewhere; do
    mpi 0 "" 3 "$MPI_MIXED" $case
    says 3 "^$case: done$"
done
mpi 0 "" 3 "$MPI_MIXED" sends # its rank 0 says nothing
says 2 "^sends: done$"
MUSTER_ATTACH_TIMEOUT=0.3 mpi 0 "" 3 "$MPI_MIXED" missing
says 3 "^missing: done$"
MUSTER_ATTACH_TIMEOUT=0.3 mpi 0 "" 2 "$MPI_MIXED" comes_late
says 2 "^comes_late: done$"
MUSTER_TIMEOUT=x MUSTER_ATTACH_TIMEOUT=0.3 mpi 0 "" 3 "$MPI_MIXED" declines
says 3 "^declines: done$"
for case in closes twice; do
    MUSTER_MPI=$TEST_BUILD/muster/libmuster_mpi_$TEST_MPI.so mpi 0 "" 2 "$MPI_CLIENT" $case "$MPI_MODULE"
    says 2 "^$case: done$"
    says 2 "^$case: "
done
module=$TEST_BUILD/bindings/python
if [ -d "$module" ]; then
    cat >"$work/program.py" <<'END'
import array, muster, os
world = muster.init(backend="mpi", strict=True)
os.write(1, f"python: done {list(muster.all_sum(array.array('f', [world.rank() + 1])))}\n".encode())
END
    PYTHONPATH=$module mpi 0 "" 2 "${TEST_PYTHON:-python3}" "$work/program.py"
    says 2 "python: done \[3.0\]$"
fi
# Without that launcher it is as "any".
expect 98 "" "$MPI_CLIENT" works
says 1 "this process was not launched as a rank"
expect 0 "" "$TEST_COMMAND" run --prefix none -n 2 -- "$MPI_CLIENT" works
says 2 "^works: done$"

# Each rank may use one CPU only, and all of them together as many as there are ranks: the pages are the same.
if [ "$(nproc)" -gt 1 ]; then
    expect 0 "" "$TEST_COMMAND" run --prefix none -n 2 -- "$MPI_CLIENT" pages
    pages=$(head -n 1 "$work/out")
    options="-bind-to core"
    [ "$TEST_MPI" = mpich ] || options="--bind-to core"
    mpi 0 "" 2 "$MPI_CLIENT" pages
    says 2 "^$pages$"
    options=
fi

# ---- ends ----
mpi bad "" 3 "$MPI_CLIENT" fails
mpi bad "" 3 "$MPI_CLIENT" all_fail
says 3 "^all_fail: done$"
mpi bad "" 3 "$MPI_CLIENT" killed
# No MPI is called that may not be. Whether the launcher takes such an end for a failure is its own affair.
mpi any "" 2 "$MPI_MIXED" ends_elsewhere
says 2 "^ends_elsewhere: "
if [ "$TEST_MPI" = openmpi ]; then # MPICH's launcher kills the others in any case
    for case in killed:4:3 survives:4:3 fails:4:4 gives_up:2:1; do
        others=${case#*:} case=${case%%:*}
        timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n "${others%:*}" "$MPI_CLIENT" $case \
            >"$work/out" 2>"$work/err" </dev/null
        [ $? -ne 124 ] || fail "$case hangs under a launcher that lets the others live"
        says "${others#*:}" "^$case: done$"
        [ $case != killed ] || [ "$(grep -c "warn: ends without MPI_Finalize" "$work/err")" -eq 3 ] || fail "survivors do not say how they end MPI"
    done
    for word in 1 7; do # FINALIZES, and none that is known
        timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n 3 "$MPI_CLIENT" decides $word \
            >"$work/out" 2>"$work/err" </dev/null
        [ $? -ne 124 ] || fail "decides $word hangs"
        says 2 "^decides: done$"
    done
    mpi bad "" 3 "$MPI_CLIENT" has_no_room # the launcher ends those that wait for its end
    says 1 "^has_no_room: done$"
fi

# ---- one rank that cannot attach fails all, in its words ----
for setting in MUSTER_TIMEOUT=x MUSTER_ISA=none MUSTER_LIVENESS=magic MUSTER_HUGE_PAGES=2M; do
    name=${setting%=*}
    at=2 words="rank 2 cannot attach: $name is" # the arena's creator reads the last one
    [ $name = MUSTER_HUGE_PAGES ] && at=0 words="rank 0 cannot attach: $name is"
    one="-n 1 $(with "$name" "${setting#*=}") $MPI_CLIENT refused"
    if [ $at = 2 ]; then
        expect 0 "" "$launcher" -n 2 "$MPI_CLIENT" refused "$words" : $one "$name is"
    else
        expect 0 "" "$launcher" $one "$name is" : -n 2 "$MPI_CLIENT" refused "$words"
    fi
    says 3 "^refused: done$"
done

# ---- several hosts ----
# Pretended ones: what goes from one to another goes by MPI. Bits are those of one host.
mpi 0 "" 4 "$MPI_HOSTS" bits
bits=$(head -n 1 "$work/out")
says 4 "^$bits$"
for hosts in 2 0,1 0,1,1,1 4; do
    MUSTER_FAKE_HOSTS=$hosts mpi 0 "" 4 "$MPI_HOSTS" bits
    says 4 "^$bits$"
done
for hosts in 2 0,1,1 3; do
    MUSTER_FAKE_HOSTS=$hosts mpi 0 "" 3 "$MPI_HOSTS" spread
    says 3 "^spread: done$"
    MUSTER_FAKE_HOSTS=$hosts mpi 0 "" 3 "$MPI_HOSTS" differs
    says 3 "^differs: done$"
done
MUSTER_FAKE_HOSTS=3 mpi 0 "" 3 "$MPI_HOSTS" aborts
says 3 "^aborts: done$"
MUSTER_FAKE_HOSTS=2 mpi 0 "" 6 "$MPI_HOSTS" leaves_part
says 6 "^leaves_part: done$"
MUSTER_FAKE_HOSTS=2 mpi 0 "" 2 "$MPI_HOSTS" floods
says 2 "^floods: done$"
for case in late_calls calls_elsewhere; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_MIXED" $case
    says 3 "^$case: done$"
    says 3 "^$case: "
done
MUSTER_FAKE_HOSTS=2 mpi any "" 3 "$MPI_MIXED" ends_elsewhere
says 3 "^ends_elsewhere: "
MUSTER_FAKE_HOSTS=2 mpi any "" 3 "$MPI_MIXED" ends_apart
says 3 "^ends_apart: done$"
says 3 "^ends_apart: "
for case in works frees frees_late forks early; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_CLIENT" $case
    says 3 "^$case: done$"
done
MUSTER_FAKE_HOSTS=x mpi 0 "" 2 "$MPI_CLIENT" refused 'MUSTER_FAKE_HOSTS is "x"'
says 2 "^refused: done$"
# One rank that is refused alone fails the others, and all end.
MUSTER_FAKE_HOSTS=2 mpi 0 "" 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || export MUSTER_THREADS_MULTIPLE=1; exec "$0" begins_funneled' "$MPI_LEVELS"
says 2 "^begins_funneled: done$"
for case in fails killed; do
    MUSTER_FAKE_HOSTS=2 mpi bad "" 4 "$MPI_CLIENT" $case
done
if [ "$TEST_MPI" = openmpi ]; then
    for program in "$MPI_HOSTS dies_elsewhere" "$MPI_HOSTS host_dies"; do
        case=${program##* } others=3 hosts=2
        [ $case != host_dies ] || hosts=0,0,0,1
        MUSTER_FAKE_HOSTS=$hosts MUSTER_TIMEOUT=5 timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n 4 $program \
            >"$work/out" 2>"$work/err" </dev/null
        [ $? -ne 124 ] || fail "$case over hosts hangs under a launcher that lets the others live"
        says $others "^$case: done$"
    done
    for moment in 1000 2001 4002 12003; do # microseconds; another rank each time
        MUSTER_FAKE_HOSTS=2 MUSTER_TIMEOUT=$((30 * ${TEST_PATIENCE:-1})) timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n 4 \
            "$MPI_HOSTS" dies_in_chain $moment >"$work/out" 2>"$work/err" </dev/null
        [ $? -ne 124 ] || fail "survivors of a sum that goes by chain hang after $moment us"
        says 3 "^dies_in_chain: done$"
    done
fi
# With threads: everything as before, and what only they do.
export GATE="$work/gate"
mkfifo "$GATE"
export MUSTER_PROGRESS_THREAD=1
MUSTER_FAKE_HOSTS=0,1 mpi 0 "" 4 "$MPI_HOSTS" bits
says 4 "^$bits$"
for case in spread differs floods; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_HOSTS" $case
    says 3 "^$case: done$"
done
for case in works frees frees_late forks early; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_CLIENT" $case
    says 3 "^$case: done$"
done
for case in fails killed; do
    MUSTER_FAKE_HOSTS=2 mpi bad "" 4 "$MPI_CLIENT" $case
done
for hosts in 2 3; do # with a neighbour, and alone
    for case in goes_on leaves_rest; do
        MUSTER_FAKE_HOSTS=$hosts mpi 0 "" 3 "$MPI_BESIDE" $case
        says 3 "^$case: done$"
    done
done
for case in begins_serialized ends_beside; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_LEVELS" $case
    says 3 "^$case: done$"
    says 3 "^$case: "
done
if [ "$TEST_MPI" = openmpi ]; then
    for case in dies_beside dies_idle; do
        MUSTER_FAKE_HOSTS=2 timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n 4 "$MPI_BESIDE" $case \
            >"$work/out" 2>"$work/err" </dev/null
        [ $? -ne 124 ] || fail "$case hangs under a launcher that lets the others live"
        says 3 "^$case: done$"
    done
fi
export MUSTER_THREADS_MULTIPLE=1
MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_BESIDE" threads
says 3 "^threads: done$"
unset MUSTER_PROGRESS_THREAD
MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_BESIDE" threads
says 3 "^threads: done$"
for case in begins_funneled begins_in_turn; do
    MUSTER_FAKE_HOSTS=2 mpi 0 "" 3 "$MPI_LEVELS" $case
    says 3 "^$case: done$"
done
unset MUSTER_THREADS_MULTIPLE
# MPI's: names are enough for both launchers.
printf '#!/bin/sh\nhost=$1\nshift\nexec unshare --uts sh -c '"'hostname \"\$1\"; shift; exec sh -c \"\$*\"'"' sh "$host" "$@"\n' >"$work/agent"
chmod +x "$work/agent"
if unshare --uts true 2>/dev/null; then
    printf 'fake1:1\nfake2:1\n' >"$work/hosts"
    options="-launcher rsh -launcher-exec $work/agent -f $work/hosts"
    [ "$TEST_MPI" = mpich ] || options="--mca plm rsh --mca plm_rsh_agent $work/agent --host fake1:1,fake2:1"
    mpi 0 "" 2 "$MPI_HOSTS" spread
    says 2 "^spread: done$"
    options=
fi

# ---- which plug-in ----
other=$([ "$TEST_MPI" = mpich ] && echo openmpi || echo mpich)
own_mpi=$(ldd "$TEST_BUILD/muster/libmuster_mpi_$TEST_MPI.so" | awk '/libmpi/ { print $3; exit }')
mpi 0 "" 2 "$MPI_CLIENT" hidden "$own_mpi"
says 2 "^hidden: done$"
if [ -f "$TEST_BUILD/muster/libmuster_mpi_$other.so" ]; then
    MUSTER_MPI=$other mpi 0 "" 2 "$MPI_CLIENT" hidden_other "$own_mpi"
    says 2 "^hidden_other: done$"
    left=$(mktemp -d /tmp/muster.XXXX) # nothing, as MPI is ended all the same
    mkdir -p "$left/ompi.$(uname -n).$(id -u)/kept" # which the first that ends would remove under the other, which begins
    for setting in MPI_SET=none WORLD_SIZE=2 SLURM_NTASKS=2; do # the last two are other launchers' as well
        TMPDIR=$left MUSTER_MPI=$other mpi 0 "" 2 env "$setting" "$MPI_CLIENT" refused "use that MPI's launcher"
        says 2 "^refused: done$"
    done
    [ -z "$(find "$left" -mindepth 2 ! -name kept)" ] || fail "MPI has left something in $left"
    rm -rf "$left"
    MUSTER_MPI=$other mpi 0 "" 2 "$MPI_MIXED" refused
    says 2 "^refused: done$"
fi
if [ "$TEST_MPI" = mpich ]; then # which begins alone beside another launcher's variables
    for setting in PMIX_RANK=1 SLURM_NTASKS=3; do
        expect 0 "" env PMIX_RANK=0 "$setting" MUSTER_MPI=mpich "$MPI_CLIENT" refused "${setting%=*} is ${setting#*=}, and MPICH"
        says 1 "^refused: done$"
    done
fi
MUSTER_MPI=lam mpi 0 "" 2 "$MPI_CLIENT" refused "MUSTER_MPI is \"lam\"; expected openmpi, mpich, or the path"
says 2 "^refused: done$"
MUSTER_MPI=$TEST_BUILD/muster/libmuster_mpi_$TEST_MPI.so expect 0 "" "$TEST_COMMAND" doctor
says 1 '^ok    mpi: muster_init\("mpi"\) gives programs the ranks of mpirun$'
MUSTER_MPI=/nowhere PMI_SIZE=2 expect 0 "" "$TEST_COMMAND" doctor
says 1 '^note  mpi: there is no plug-in for it'
mlx=$TEST_BUILD/bindings/mpi/libmuster_mlx.so
if [ -f "$mlx" ]; then
    options=$(with LD_PRELOAD "$mlx")
    mpi 0 "" 2 "$MPI_CLIENT" refused "this process has two MPIs"
    says 2 "^refused: done$"
    options=
fi

# ---- places: nothing is loaded that somebody else can have put there ----
plugin=libmuster_mpi_$TEST_MPI.so
hostile() { # hostile FOLDER: has a library of the plug-in's name
    mkdir -p "$1" && cp "$MPI_HOSTILE" "$1/$plugin"
}
mkdir -p "$work/bin" "$work/here/there"
cp "$MPI_STATIC" "$work/bin/static"
for folder in . muster lib/muster ../muster ../lib/muster; do
    hostile "$work/here/there/$folder"
done
for before in "" .:; do
    expect 0 "" env -C "$work/here/there" PATH="$before$work/bin:$PATH" "$launcher" -n 2 static refused "no plug-in for"
    says 2 "^refused: done$"
done
[ ! -e "$TEST_HOSTILE" ] || fail "a library in the current directory was loaded"
# Beside the library, or where MUSTER_MPI says.
mkdir -p "$work/lib/muster"
cp -L "$TEST_BUILD/libmuster.so.0" "$work/lib/"
cp "$TEST_BUILD/muster/$plugin" "$work/lib/muster/"
options=$(with LD_LIBRARY_PATH "$work/lib")
mpi 0 "" 2 "$MPI_CLIENT" works
says 2 "^works: done$"
MUSTER_MPI=$work/lib/muster/$plugin mpi 0 "" 2 "$work/bin/static" works
says 2 "^works: done$"
chmod o+w "$work/lib/muster"
mpi 0 "" 2 "$MPI_CLIENT" refused "/$plugin is not loaded: it and its folder must belong"
says 2 "^refused: done$"
chmod o-w "$work/lib/muster"
chmod o+w "$work/lib/muster/$plugin"
mpi 0 "" 2 "$MPI_CLIENT" refused "/$plugin is not loaded: it and its folder must belong"
says 2 "^refused: done$"
chmod o-w "$work/lib/muster/$plugin"
mkdir "$work/lib/elsewhere"
mv "$work/lib/muster/$plugin" "$work/lib/elsewhere/"
ln -s "../elsewhere/$plugin" "$work/lib/muster/$plugin"
mpi 0 "" 2 "$MPI_CLIENT" works
says 2 "^works: done$"
chmod o+w "$work/lib/muster" # somebody's link
mpi 0 "" 2 "$MPI_CLIENT" refused "/$plugin is not loaded: it and its folder must belong"
says 2 "^refused: done$"
chmod o-w "$work/lib/muster"
mv "$work/lib/elsewhere/$plugin" "$work/lib/muster/$plugin"
if [ "$(id -u)" -eq 0 ]; then
    chown nobody "$work/lib/muster"
    mpi 0 "" 2 "$MPI_CLIENT" refused "/$plugin is not loaded: it and its folder must belong"
    says 2 "^refused: done$"
    chown nobody "$work/lib/libmuster.so.0" # whoever has installed all of it
    mpi 0 "" 2 "$MPI_CLIENT" works
    says 2 "^works: done$"
fi
options=
# A program that is gone: what has its name now, as the system tells it, is somebody's.
if [ "$(id -u)" -eq 0 ]; then
    mkdir -m 1777 "$work/sticky"
    cp "$MPI_STATIC" "$work/sticky/gone"
    cp "$MPI_HOSTILE" "$work/sticky/gone (deleted)"
    hostile "$work/sticky/muster"
    chown -R nobody "$work/sticky/gone (deleted)" "$work/sticky/muster"
    mpi 0 "" 1 "$work/sticky/gone" unlinked "no plug-in for"
    says 1 "^unlinked: done$"
    [ ! -e "$TEST_HOSTILE" ] || fail "another user's library was loaded"
fi

# ---- many jobs, some of which die: nothing is left ----
checks=$((checks + 1))
cat >"$work/jobs" <<'END'
[ "$1" = here ] || mount -t tmpfs none /dev/shm || exit 1
for job in $(seq "$2"); do
    case=works
    [ $((job % 10)) -ne 0 ] || case=killed
    timeout "$3" "$4" -n 2 "$5" $case >"$6" 2>&1
    status=$?
    [ $status -ne 124 ] || { echo "job $job hangs"; exit 1; }
    [ $case = killed ] || [ $status -eq 0 ] || { echo "job $job: status $status"; cat "$6"; exit 1; }
done
[ "$1" = here ] || ls -A /dev/shm | grep -v -e vader -e open_mpi -e mpich -e ucx
true
END
apart=here
unshare --mount --map-root-user sh -c 'mount -t tmpfs none /dev/shm' 2>/dev/null && apart=apart
if [ $apart = apart ]; then set -- unshare --mount --map-root-user sh; else set -- sh; fi
"$@" "$work/jobs" $apart "${TEST_MPI_JOBS:-10}" $((60 * ${TEST_PATIENCE:-1})) "$launcher" "$MPI_CLIENT" "$work/one" >"$work/out" 2>"$work/err" ||
    fail "one of many jobs"
[ ! -s "$work/out" ] || fail "left in /dev/shm"
conclude "test_mpi_$TEST_MPI"
