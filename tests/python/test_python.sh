#!/bin/sh
# The Python module: its tests by every Python here that can load it (with numpy and without), the typed stub,
# and programs under muster run. Uses TEST_BUILD, TEST_SOURCE, TEST_COMMAND and TEST_PYTHON.
set -u
PYTHONPATH=$TEST_BUILD/bindings/python
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0 seen=""

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$work/out"
    failures=$((failures + 1))
}

for python in "$TEST_PYTHON" /usr/bin/python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue
    case $seen in *" $(readlink -f "$python") "*) continue ;; esac
    seen="$seen $(readlink -f "$python") "
    "$python" -c 'import numpy' 2>/dev/null && with=with || with=without
    echo "== $python, $with numpy"
    for tests in test_muster test_arrays test_structs test_objects test_nn test_log test_varied test_ranks test_shares test_requests test_messages test_ops test_watch test_world test_native test_docs test_pages; do
        timeout $((300 * ${TEST_PATIENCE:-1})) "$python" "$TEST_SOURCE/tests/python/$tests.py" >"$work/out" 2>&1 || fail "$python, $tests"
        ran=$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$work/out")
        checks=$((checks + ${ran:-0} + 1))
    done

    checks=$((checks + 1)) # the stub has what the module has
    "$python" - "$TEST_SOURCE/bindings/python/muster/__init__.pyi" >"$work/out" 2>&1 <<'EOF' || fail "stub"
import ast, sys, muster
body = ast.parse(open(sys.argv[1]).read()).body
stub = {node.name for node in body if hasattr(node, "name")} | {
    node.target.id for node in body if isinstance(node, ast.AnnAssign) and node.target.id.isupper()}
stub = {name for name in stub if not name.startswith("_")}
assert stub == set(muster.__all__), stub ^ set(muster.__all__)
EOF
    checks=$((checks + 1))
    timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 4 --on-failure respawn -- "$python" "$TEST_SOURCE/examples/serve.py" \
        >"$work/out" 2>&1 || fail serve.py
    [ "$(grep -c "done after 1000 steps, 4 ranks" "$work/out")" -eq 4 ] || fail "serve.py: not all four reached the end"
    # Ranks, new ones included, that close all descriptors once they have attached, and open files of their own.
    if [ -n "${TEST_CLOSER:-}" ]; then
        checks=$((checks + 1))
        timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 4 --on-failure respawn -- env LD_PRELOAD="$TEST_CLOSER" "$python" -c \
            'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")' \
            "$TEST_SOURCE/examples/serve.py" >"$work/out" 2>&1 || fail "closed descriptors: serve.py"
        [ "$(grep -c "closer: all alone" "$work/out")" -eq 4 ] || fail "closed descriptors: not all files are as they were"
    fi
    if [ $with = with ]; then
        for example in data_parallel tensor_parallel; do
            checks=$((checks + 1))
            timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 4 -- "$python" "$TEST_SOURCE/examples/$example.py" >"$work/out" 2>&1 ||
                fail "$example.py"
            [ "$(grep -c "the same as on one rank" "$work/out")" -eq 1 ] || fail "$example.py: no result"
        done
    fi
done
[ $checks -gt 0 ] || { echo "no Python could load the module" >"$work/out"; fail "$TEST_PYTHON"; }
for name in /dev/shm/muster-python-*; do # muster-python-PID-NUMBER; those of processes that run are of other tests
    process=${name#/dev/shm/muster-python-}
    [ ! -e "$name" ] || kill -0 "${process%%-*}" 2>/dev/null || fail "a name was left in /dev/shm: $name"
done

echo "python: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
