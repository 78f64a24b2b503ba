#!/bin/sh
# `muster doctor`: what it finds here, and in places that were made worse. Uses TEST_COMMAND.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 checks=0

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$work/out"
    failures=$((failures + 1))
}

# shows PATTERN: a line of what it has printed.
shows() {
    checks=$((checks + 1))
    grep -qE -- "$1" "$work/out" || fail "no line \"$1\""
}

MUSTER_TIMEOUT=3 MUSTER_TIMEOT=4 "$TEST_COMMAND" doctor >"$work/out" 2>&1 || fail "status $?"
shows "^ok    kernel: Linux "
shows "^ok    arena: "
shows "^ok    variable: MUSTER_TIMEOUT=3$"
shows "^note  variable: MUSTER_TIMEOT=4, which nobody reads$"
shows "^ok    trial: two ranks, all_sum of 4 bytes in [0-9.]+ us"
shows "^Ranks can work here\.$"
(ulimit -n 100 && "$TEST_COMMAND" doctor) >"$work/out" 2>&1 || fail "few descriptors: status $?"
shows "^note  limits: open files is limited to 100$"
shows "^        to improve it: ulimit -n 4096"
# No room for an arena's file: ranks cannot work, and it says so.
checks=$((checks + 1))
(ulimit -f 100 && exec "$TEST_COMMAND" doctor 2>&1) | cat >"$work/out"
shows "^note  limits: file size"
shows "^BAD "
shows "^Ranks cannot work here\.$"
checks=$((checks + 1))
"$TEST_COMMAND" doctor now >"$work/out" 2>&1
[ $? -eq 2 ] || fail "an argument"

echo "muster doctor: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
