#!/bin/sh
# Collectives, messages, faults and what is built on them, in forked ranks: the cases of one file test_*.py by one of
# muster.torch's backends, on the PyTorch of TEST_TORCH_PYTHON, which scripts/setup torch installs.
#
#   test_torch_file.sh c++ NAME                     all cases of test_NAME.py
#   test_torch_file.sh python NAME [CLASS.CASE]...  these
#
# Uses TEST_BUILD and TEST_SOURCE.
set -u
. "$TEST_SOURCE/tests/torch/environment.sh"
MUSTER_TORCH_BACKEND=$1
file=$TEST_SOURCE/tests/torch/test_$2.py
shift 2
PYTHONPATH=$PYTHONPATH:$TEST_SOURCE/tests/torch
PYTHONWARNINGS=ignore::FutureWarning
export MUSTER_TORCH_BACKEND PYTHONPATH PYTHONWARNINGS
has_torch || {
    echo "skipped: there is no PyTorch here; scripts/setup torch installs it, if the network allows"
    exit 77
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
timeout $((900 * ${TEST_PATIENCE:-1})) "$TEST_TORCH_PYTHON" "$file" "$@" >"$out" 2>&1
status=$?
[ $status -eq 0 ] || cat "$out"
ran=$(sed -n 's/^Ran \([0-9]*\) tests*.*/\1/p' "$out")
echo "$(basename "$file") by the backend in $MUSTER_TORCH_BACKEND: checks: ${ran:-0}, failures: $((status != 0))"
[ $status -eq 0 ]
