#!/bin/sh
# scripts/test-engines, with a Python that plays its part: it counts what unittest says, and skipped cases are neither
# passed nor failed. Uses TEST_SOURCE.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/scripts" "$work/build/vllm/bin" "$work/build/mlx/bin"
cp "$TEST_SOURCE/scripts/test-engines" "$work/scripts/"
ln -s /bin/true "$work/scripts/setup"
ln -s /bin/false "$work/build/mlx/bin/python"
cat >"$work/build/vllm/bin/python" <<'EOF2'
#!/bin/sh
case $1 in
    */test_*) cat "$FAKE_SAYS"; ! grep -q "^FAILED\|^Traceback" "$FAKE_SAYS" ;;
esac
EOF2
chmod +x "$work/build/vllm/bin/python"
FAKE_SAYS=$work/says
export FAKE_SAYS

expect() { # expect LAST STATUS ARGUMENT...: what the script ends with, when unittest says what is in $work/says
    last=$1 status=0
    expected=$2
    shift 2
    timeout 60 "$work/scripts/test-engines" "$@" >"$work/out" 2>&1 || status=$?
    [ "$(tail -n 1 "$work/out")" = "$last" ] && [ $status -eq "$expected" ] || {
        cat "$work/out"
        echo "scripts/test-engines: status $status; expected '$last', and status $expected"
        exit 1
    }
}

printf 'Ran 5 tests in 1.0s\n\nOK\n' >"$work/says"
expect "5 passed, 0 failed, 0 skipped" 0 vllm
printf 'Ran 5 tests in 1.0s\n\nOK (skipped=2)\n' >"$work/says"
expect "6 passed, 0 failed, 4 skipped" 0 communicator vllm
printf 'Ran 7 tests in 1.0s\n\nFAILED (failures=1, errors=2, skipped=3)\n' >"$work/says"
expect "1 passed, 3 failed, 3 skipped" 1 vllm
printf 'Ran 1 test in 1.0s\n\nFAILED (failures=2)\n' >"$work/says"
expect "0 passed, 2 failed, 0 skipped" 1 vllm
printf 'Traceback (most recent call last):\nImportError: no\n' >"$work/says"
expect "0 passed, 1 failed, 0 skipped" 1 vllm
printf 'Ran 5 tests in 1.0s\n\nOK\n' >"$work/says"
expect "5 passed, 0 failed, 1 skipped" 0 vllm mlx
echo "scripts/test-engines counts"
