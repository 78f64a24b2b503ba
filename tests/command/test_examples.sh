#!/bin/sh
# The five programs that people write first: what each prints is what it prints with one rank, whatever the number
# of ranks; and it ends when one of them is killed. Uses TEST_COMMAND and TEST_EXAMPLES; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
run="$TEST_COMMAND run"

for program in heat sort gradient farm pipeline; do
    expect 0 "" $run -n 1 -- "$TEST_EXAMPLES/$program"
    sed 's/^\[[0-9]*\] //' "$work/out" >"$work/alone"
    for n in 2 5; do
        expect 0 "" $run -n $n -- "$TEST_EXAMPLES/$program"
        sed 's/^\[[0-9]*\] //' "$work/out" | cmp -s - "$work/alone" || fail "$program of $n ranks is not that of one"
    done
    expect 137 "rank 1 was killed by signal 9" env MUSTER_FAULT=rank=1:op=3:kill $run -n 3 -- "$TEST_EXAMPLES/$program"
    [ -s "$work/alone" ] || fail "$program says nothing"
done
conclude "examples"
