#!/bin/sh
# Ranks that get less address space than the launcher: in valgrind, as `muster run --help` shows it, and under
# ulimit -v, in a wrapper or for all. Nobody has to ask for less. Uses TEST_COMMAND and TEST_EXAMPLES.
. "$TEST_SOURCE/tests/command/checks.sh"

hello="rank [0-9] of [0-9]"

# Some in valgrind, or all.
if command -v valgrind >/dev/null; then
    expect 0 "" "$TEST_COMMAND" run -n 2 --wrap 'valgrind -q' -- "$TEST_EXAMPLES/hello"
    says 2 "$hello"
    # shellcheck disable=SC2016
    expect 0 "" "$TEST_COMMAND" run -n 3 -- sh -c '[ $MUSTER_RANK = 1 ] && exec valgrind -q "$0"; exec "$0"' "$TEST_EXAMPLES/hello"
    says 3 "$hello"
    # Ranks that nobody launches: who is in valgrind may come first, and makes the arena.
    name=/muster-test-$$-wrap
    checks=$((checks + 1))
    MUSTER_ARENA=$name MUSTER_SIZE=2 MUSTER_RANK=1 timeout $((60 * ${TEST_PATIENCE:-1})) valgrind -q "$TEST_EXAMPLES/hello" >"$work/one" 2>&1 &
    MUSTER_ARENA=$name MUSTER_SIZE=2 MUSTER_RANK=0 timeout $((60 * ${TEST_PATIENCE:-1})) "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 || fail "rank 0"
    wait $! || fail "rank 1, in valgrind: $(cat "$work/one")"
    says 1 "$hello"
    checks=$((checks + 1))
    timeout $((60 * ${TEST_PATIENCE:-1})) valgrind -q "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 || fail "alone in valgrind"
    says 1 "$hello"
else
    echo "there is no valgrind here: what runs in it is not looked at"
fi

# A limit in KiB, for one rank, for all, and for the launcher as well.
# shellcheck disable=SC2016
expect 0 "" "$TEST_COMMAND" run -n 3 -- sh -c '[ $MUSTER_RANK = 1 ] && ulimit -v 800000; exec "$0"' "$TEST_EXAMPLES/hello"
says 3 "$hello"
# shellcheck disable=SC2016
expect 0 "" "$TEST_COMMAND" run -n 4 -- sh -c 'ulimit -v $((800000 + 100000 * MUSTER_RANK)); exec "$0"' "$TEST_EXAMPLES/hello"
says 4 "$hello"
# shellcheck disable=SC2016
expect 0 "" sh -c 'ulimit -v 1000000; exec "$0" run -n 2 -- "$1"' "$TEST_COMMAND" "$TEST_EXAMPLES/hello"
says 2 "$hello"

# Too little: how much there is, how much is needed, and what to do.
# shellcheck disable=SC2016
expect 1 "raise the limit that ulimit -v shows" \
    "$TEST_COMMAND" run -n 2 -- sh -c '[ $MUSTER_RANK = 1 ] && ulimit -v 150000; exec "$0"' "$TEST_EXAMPLES/hello"

conclude "address space of ranks"
