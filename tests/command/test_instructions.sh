#!/bin/sh
# How many instructions a repeated call takes, outside of its wait: a count, which the machine's load does not
# change, in place of a time. Rank 0 runs in valgrind, and its partner does not. Uses TEST_COMMAND and TEST_BUILD.
. "$TEST_SOURCE/tests/command/checks.sh"

unset MUSTER_PRETEND_TOPOLOGY MUSTER_TUNING MUSTER_CHAOS MUSTER_FAKE_HOSTS
command -v valgrind >/dev/null || { echo "there is no valgrind here: instructions are not counted"; exit 77; }
# shellcheck disable=SC2016
[ "$("$TEST_COMMAND" run -n auto -- sh -c 'if [ $MUSTER_RANK = 1 ]; then echo two; fi')" ] || {
    echo "there is one CPU here, on which ranks wait for each other in another way: instructions are not counted"
    exit 77
}
[ "$(uname -m)" = x86_64 ] || { echo "the limits are those of x86-64: instructions are not counted"; exit 77; }

# count CALL TIMES [WAIT]: all instructions in so many calls, less those of that function, which waits, in
# $instructions. Callgrind counts in a function that it toggles, whoever calls it: one that the counted calls are not in
# would be added.
count() {
    rm -f "$work/counted"
    # shellcheck disable=SC2016
    MUSTER_ARENA_BYTES=256M expect 0 "" "$TEST_COMMAND" run -n 2 -- sh -c \
        '[ $MUSTER_RANK = 1 ] && exec "$1" "$2" "$3"
         exec valgrind -q --tool=callgrind --callgrind-out-file="$0" --toggle-collect="muster_$2*" \
             ${4:+--toggle-collect="$4" --toggle-collect=mst_sequence_hold_back} "$1" "$2" "$3"' \
        "$work/counted" "$TEST_BUILD/tests/repeats" "$1" "$2" "${3:-}"
    instructions=$(sed -n 's/^summary: //p' "$work/counted")
}

# at_most CALL LIMIT [WAIT]: what a call takes, when it is repeated; the first one hardly counts among so many.
at_most() {
    count "$1" 2000 "${3:-}"
    each=$((${instructions:-0} / 2000))
    checks=$((checks + 1))
    echo "$1: $each instructions"
    { [ "$each" -gt 50 ] && [ "$each" -le "$2" ]; } || fail "a repeated $1 takes $each instructions, and should take up to $2"
}

# With room for another compiler, and for a partner that sleeps and is woken each time, as on a busy machine.
at_most barrier 520 mst_sequence_wait_from
at_most all_sum 840 mst_sequence_wait_from
# The messages of a halo are all there before they are waited for, so nothing waits in what is counted.
at_most halo 16400
at_most posted 21200

conclude test_instructions
