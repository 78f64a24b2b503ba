#!/bin/sh
# muster.torch under an MPI's own mpirun, on one host and over several pretended ones: the bits of muster run, and who has died.
# Uses TEST_BUILD, TEST_SOURCE, TEST_COMMAND, TEST_TORCH_PYTHON and TEST_MPI (openmpi or mpich).
. "$TEST_SOURCE/tests/command/checks.sh"
. "$TEST_SOURCE/tests/mpi/launcher.sh"
. "$TEST_SOURCE/tests/torch/environment.sh"
unset MUSTER_FAKE_HOSTS
has_torch || {
    echo "skipped: there is no PyTorch here; scripts/setup torch installs it, if the network allows"
    exit 77
}
program=$TEST_SOURCE/tests/torch/over_hosts.py
MUSTER_TORCH_BACKEND=c++ "$TEST_TORCH_PYTHON" -c 'import muster.torch' >"$work/out" 2>&1 || fail "the backend" # is compiled
export MUSTER_TORCH_BACKEND=c++

checks=$((checks + 1))
timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run --prefix none -n 4 -- "$TEST_TORCH_PYTHON" "$program" steps >"$work/out" 2>"$work/err" </dev/null ||
    fail "muster run"
steps=$(sed -n 's/^\(steps: [0-9a-f]*\)$/\1/p' "$work/out" | sort -u)
says 4 "^$steps$"
case $TEST_MPI in # each job begins Python and PyTorch four times
openmpi) layouts="one 0,1" ;;
*) layouts=2 ;;
esac
for hosts in $layouts; do
    [ "$hosts" != one ] || hosts=
    checks=$((checks + 1))
    timeout $((120 * ${TEST_PATIENCE:-1})) env MUSTER_LOG=info ${hosts:+MUSTER_FAKE_HOSTS=$hosts} "$launcher" -n 4 "$TEST_TORCH_PYTHON" "$program" steps \
        >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq 0 ] || is_late $status "$work/err" 4 || fail "hosts ${hosts:-one}: status $status"
    says 4 "^$steps$"
done
if [ "$TEST_MPI" = openmpi ]; then # MPICH's launcher kills the others in any case
    checks=$((checks + 1))
    MUSTER_FAKE_HOSTS=2 timeout $((120 * ${TEST_PATIENCE:-1})) "$launcher" --enable-recovery -n 4 "$TEST_TORCH_PYTHON" "$program" dies \
        >"$work/out" 2>"$work/err" </dev/null
    [ $? -ne 124 ] || fail "a dead rank: the job hangs"
    says 3 "^dies: done$"
fi
conclude "test_torch_mpirun_$TEST_MPI"
