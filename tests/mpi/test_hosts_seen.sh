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
MUSTER_FAKE_HOSTS=2 mpi 0 "" 4 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 3 ] || export MUSTER_LOG=error; exec "$0" doctor' "$TEST_COMMAND"
says 1 "^ok    layout: 4 ranks on 2 hosts: ranks 0 1 on pretended host 0; ranks 2 3 on pretended host 1$"
says 1 "^(ok   |note ) transport: within a host shared memory, between hosts MPI \((.*tcp.*pml |device ch)"
says 1 "^note  faults: a cable"
says 1 "^note  refused: shares and queues, .*several threads at once"
says 1 "^ok    kernel: "
says 1 "^ok    variable: MUSTER_LOG=error$"
says 1 "^rank 3 on pretended host 1:$"
says 1 "^Ranks can work here"
mpi bad "" 2 sh -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" != 1 ] || export MUSTER_TIMEOUT=x; exec "$0" doctor' "$TEST_COMMAND"
says 1 '^BAD   mpi: muster_init\("mpi"\) fails: rank 1 cannot attach: MUSTER_TIMEOUT is "x"'
says 1 "^Ranks cannot work here"

conclude "test_hosts_seen_$TEST_MPI"
