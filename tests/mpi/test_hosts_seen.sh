#!/bin/sh
# What is told of a job on several hosts, here pretended ones: `muster doctor` under mpirun, and ps, inspect, top, trace and report on
# each host. Uses TEST_COMMAND, TEST_BUILD, TEST_SOURCE, TEST_MPI (openmpi or mpich), and MPI_HOSTS where it is elsewhere.
. "$TEST_SOURCE/tests/command/checks.sh"
: "${TEST_MPI:=openmpi}" "${MPI_HOSTS:=$TEST_BUILD/tests/mpi_hosts}"
. "$TEST_SOURCE/tests/mpi/launcher.sh"
job=
trap '[ -z "$job" ] || kill $job 2>/dev/null; rm -rf "$work"' EXIT
# beside COMMAND...: a job of the launcher, as $job, which ends in any case.
beside() {
    timeout -k 10 $((300 * ${TEST_PATIENCE:-1})) "$launcher" "$@" >"$work/job" 2>&1 </dev/null &
    job=$!
}

# ---- one report of all ranks ----
mpi 0 "" 2 "$TEST_COMMAND" doctor
says 1 "^ok    layout: 2 ranks on 1 host: ranks 0 1 on host "
says 1 "^ok    mpi: (Open MPI v|MPICH )[0-9.]+ has started them"
says 1 "^ok    transport: shared memory"
says 1 "^ok    kernel: "
says 1 "^ok    processes: .* ranks hear of the end of one on their host$"
says 1 "^ok    copies: ranks can read each other's memory"
says 0 "launcher"
says 1 "^ok    trial: all 2 ranks, all_sum"
says 1 "^Ranks can work here"
MUSTER_FAKE_HOSTS=2 mpi 0 "" 4 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 3 ] || export MUSTER_LOG=warn; exec "$0" doctor' "$TEST_COMMAND"
says 1 "^ok    layout: 4 ranks on 2 hosts: ranks 0 1 on pretended host 0; ranks 2 3 on pretended host 1$"
says 1 "^note  transport: within a host shared memory, between hosts MPI \((.*tcp.*pml |device ch)"
says 1 "^note  faults: a cable"
says 1 "^note  refused: shares and queues, .*shrink and grow"
says 1 "^ok    kernel: "
says 1 "^ok    variable: MUSTER_LOG=warn$"
says 1 "^ok    copies: "
says 1 "^rank 3 on pretended host 1:$"
says 1 "^Ranks can work here"
says 0 "order:"
MUSTER_FAKE_HOSTS=0,1 mpi 0 "" 3 "$TEST_COMMAND" doctor
says 1 "^note  order: the ranks change hosts 2 times"
mpi bad "" 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || export MUSTER_TIMEOUT=x; exec "$0" doctor' "$TEST_COMMAND"
says 1 '^BAD   mpi: muster_init\("mpi"\) fails: rank 1 cannot attach: MUSTER_TIMEOUT is "x"'
says 1 "^Ranks cannot work here"
# What rank 1 knows alone it says alone. Open MPI's launcher ends the job then; MPICH's does not: rank 0 waits in MPI_Init.
# shellcheck disable=SC2016
beside -n 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || export MUSTER_MPI=/nonexistent.so; exec "$0" doctor' "$TEST_COMMAND"
if [ "$TEST_MPI" = mpich ]; then
    while kill -0 $job 2>/dev/null && ! grep -q "^BAD" "$work/job"; do sleep 0.1; done
    kill $job
fi
wait $job
cp "$work/job" "$work/out"
says 1 '^BAD   mpi: on rank 1 muster_init\("mpi"\) fails: cannot load the plug-in for MPI: /nonexistent.so'
# One that is not doctor leaves: what has been found is there nevertheless.
mpi bad "" 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || exec "$1" leaves; exec "$0" doctor' "$TEST_COMMAND" "$MPI_HOSTS"
says 1 "^ok    layout: 2 ranks on 1 host"
says 1 "^ok    kernel: "
says 1 "^BAD   trial: the ranks cannot work together: rank 1 "
says 1 "^BAD   report: what the other ranks have found cannot be had: rank 1 "
says 1 "^Ranks cannot work here"

# ---- what each host shows of its ranks ----
# The last rank stops three times; others wait for it.
MUSTER_FAKE_HOSTS=2 beside -n 4 "$MPI_HOSTS" be_seen $$ # by which it is not another one's that runs now
# of_host H: the pid by which ps has found that host's part of the job.
of_host() {
    "$TEST_COMMAND" ps | sed -n "s/^ *\([0-9]*\) .*be_seen $$ .*pretended host $1: ranks [0-9 ]* of 4)\$/\1/p"
}
has_said() {
    "$TEST_COMMAND" inspect "$(of_host "$1")" >"$work/out" 2>"$work/err"
    grep -qE -- "$2" "$work/out"
}
# host_says H PATTERN: inspect does, of that host, before the limit.
host_says() {
    looks=$((600 * ${TEST_PATIENCE:-1}))
    checks=$((checks + 1))
    until has_said "$@"; do
        looks=$((looks - 1))
        [ $looks -gt 0 ] && kill -0 $job || break
        sleep 0.1
    done
    grep -qE -- "$2" "$work/out" && return
    fail "host $1 does not say \"$2\""
    exit 1 # nobody would let the ranks go on
}
go_on() {
    kill -CONT "$(sed -n 's/^ *3 *\([0-9]*\) .*is stopped.*/\1/p' "$work/out")"
}
host_says 1 "^rank 3 has not entered all_sum .float32 x 1. #2 of world; rank 2 has waited [0-9.]+ s; rank 3 is stopped"
says 1 "^2 of 4 ranks, those of pretended host 1, found through [0-9]+: .*be_seen $$\$"
says 1 "^ +2 +[0-9]+  all_sum .float32 x 1. +world +2 "
host_says 0 "^ranks 0 1 have waited [0-9.]+ s in all_sum .float32 x 1. #2 of world, to which all of this host have come, for pretended host 1 .rank"
says 1 "; muster inspect there says who is late$"
says 1 "^ +0 +[0-9]+  all_sum .float32 x 1. +world +2 "
says 1 "^ +1 +[0-9]+  all_sum .float32 x 1. +world +2 "
for host in 0 1; do
    expect 0 "" "$TEST_COMMAND" inspect --json "$(of_host $host)"
    says 1 "\"host\": \"pretended host $host\""
    expect 0 "" "$TEST_COMMAND" top --once "$(of_host $host)"
    says 1 "^2 of 4 ranks, those of pretended host $host, "
    says 2 "^ +[0-9] .*all_sum .float32 x 1. #2|is stopped"
    says $((2 * (1 - host))) "^ +[01] "
    says $((2 * host)) "^ +[23] "
    expect 0 "" "$TEST_COMMAND" inspect --trace "$work/trace$host" "$(of_host $host)"
done
# Together they are one trace; each alone says what is missing.
expect 0 "" "$TEST_COMMAND" trace "$work/trace1"
says 1 "^2 ranks of other hosts are not here"
says 1 " of 2 of 4 ranks in "
says 2 "^ +[23] .*  pretended host 1$"
says 0 "^ +[01] "
expect 0 "" "$TEST_COMMAND" trace "$work/trace0" "$work/trace1"
says 1 "^[0-9]+ operations of 4 ranks in "
says 2 "^ +[01] .*  pretended host 0$"
says 2 "^ +[23] .*  pretended host 1$"
says 1 "^all_sum .* 4 +2 +40 .*  even$"
says 1 "^all_sum .* 4 +2 +40 .*  odd$"
says 1 "^barrier .* 2 +80 " # groups of one host have their own numbers
says 1 "^seen "
expect 0 "" "$TEST_COMMAND" report "$work/trace1" "$work/trace0" -o "$work/page"
grep -q "rank 3 on pretended host 1" "$work/page" || fail "the page does not have rank 3"
expect 1 "has rank 0, as a file before it has" "$TEST_COMMAND" trace "$work/trace0" "$work/trace0"
host_says 1 "rank 3 is stopped"
go_on
host_says 0 "^rank 0 has waited [0-9.]+ s in subset of world, for pretended host 1 .rank 3.; muster inspect there says who is late$"
says 0 "not entered subset"
says 1 "^ +0 +[0-9]+  subset +world +1 "
host_says 1 "^ +3 +[0-9]+  is stopped"
go_on
host_says 0 "^rank 0 has waited [0-9.]+ s in recv .int32 x 1, tag 5. from rank 3 of world, on pretended host 1; muster inspect there says what it does$"
host_says 1 "^ +3 +[0-9]+  is stopped"
go_on
wait $job || fail "be_seen ends with status $?"
cp "$work/job" "$work/out"
says 4 "^be_seen: done$"

# ---- a process with the arena of an earlier world, which ps finds first ----
MUSTER_FAKE_HOSTS=2 beside -n 4 "$MPI_HOSTS" two_worlds $$
# The last rank is stopped, and ps sees both hosts.
are_seen() {
    last=$(sed -n 's/^two_worlds: pid //p' "$work/job")
    grep -qs "^State:.T" "/proc/${last:-0}/status" && "$TEST_COMMAND" ps >"$work/out" &&
        [ "$(grep -c "two_worlds $$  (pretended host [01]: ranks [0-3] [0-3] of 4)$" "$work/out")" -eq 2 ]
}
looks=$((600 * ${TEST_PATIENCE:-1}))
until are_seen; do
    looks=$((looks - 1))
    [ $looks -gt 0 ] && kill -0 $job || break
    sleep 0.1
done
says 1 "two_worlds $$  .pretended host 0: ranks 0 1 of 4.$"
says 1 "two_worlds $$  .pretended host 1: ranks 2 3 of 4.$"
kill -CONT "$last" || exit 1
wait $job || fail "two_worlds ends with status $?"
cp "$work/job" "$work/out"
says 4 "^two_worlds: done$"

conclude "test_hosts_seen_$TEST_MPI"
