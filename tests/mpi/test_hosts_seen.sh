#!/bin/sh
# What is told of a job on several hosts, here pretended ones: `muster doctor` under mpirun, and ps, inspect, top, trace and report on
# each host. Uses TEST_COMMAND, TEST_BUILD, TEST_SOURCE, TEST_MPI (openmpi or mpich), and MPI_HOSTS where it is elsewhere.
. "$TEST_SOURCE/tests/command/checks.sh"
: "${TEST_MPI:=openmpi}" "${MPI_HOSTS:=$TEST_BUILD/tests/mpi_hosts}"
. "$TEST_SOURCE/tests/mpi/launcher.sh"

# ---- one report of all ranks ----
mpi 0 "" 2 "$TEST_COMMAND" doctor
says 1 "^ok    layout: 2 ranks on 1 host: ranks 0 1 on host "
says 1 "^ok    mpi: (Open MPI v|MPICH )[0-9.]+ has started them"
says 1 "^ok    transport: shared memory"
says 1 "^ok    kernel: "
says 1 "^ok    trial: all 2 ranks, all_sum"
says 1 "^Ranks can work here"
MUSTER_FAKE_HOSTS=2 mpi 0 "" 4 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 3 ] || export MUSTER_LOG=warn; exec "$0" doctor' "$TEST_COMMAND"
says 1 "^ok    layout: 4 ranks on 2 hosts: ranks 0 1 on pretended host 0; ranks 2 3 on pretended host 1$"
says 1 "^(ok   |note ) transport: within a host shared memory, between hosts MPI \((.*tcp.*pml |device ch)"
says 1 "^note  faults: a cable"
says 1 "^note  refused: shares and queues, .*several threads at once"
says 1 "^ok    kernel: "
says 1 "^ok    variable: MUSTER_LOG=warn$"
says 1 "^rank 3 on pretended host 1:$"
says 1 "^Ranks can work here"
mpi bad "" 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || export MUSTER_TIMEOUT=x; exec "$0" doctor' "$TEST_COMMAND"
says 1 '^BAD   mpi: muster_init\("mpi"\) fails: rank 1 cannot attach: MUSTER_TIMEOUT is "x"'
says 1 "^Ranks cannot work here"


# ---- what each host shows of its ranks ----
# The last rank stops twice; the others wait for it.
MUSTER_FAKE_HOSTS=2 "$launcher" -n 4 "$MPI_HOSTS" be_seen >"$work/job" 2>&1 </dev/null &
job=$!
# of_host H: the pid by which ps has found that host's part of the job.
of_host() {
    "$TEST_COMMAND" ps | sed -n "s/^ *\([0-9]*\) .*be_seen.*pretended host $1: ranks [0-9 ]* of 4)\$/\1/p"
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
    grep -qE -- "$2" "$work/out" || fail "host $1 does not say \"$2\""
}
go_on() {
    kill -CONT "$(sed -n 's/^ *3 *\([0-9]*\) .*is stopped.*/\1/p' "$work/out")"
}
host_says 1 "^rank 3 has not entered all_sum .float32 x 1. #2 of world; rank 2 has waited [0-9.]+ s; rank 3 is stopped"
says 1 "^2 of 4 ranks, those of pretended host 1, found through [0-9]+: .*be_seen$"
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
host_says 0 "^rank 0 has waited [0-9.]+ s in recv .int32 x 1, tag 5. from rank 3 of world, on pretended host 1; muster inspect there says what it does$"
host_says 1 "^ +3 +[0-9]+  is stopped"
go_on
wait $job || fail "be_seen ends with status $?"
cp "$work/job" "$work/out"
says 4 "^be_seen: done$"

conclude "test_hosts_seen_$TEST_MPI"
