#!/bin/sh
# `muster run` from outside: exit statuses, prefixes, signals, timeouts, and that nothing is left
# behind whatever dies. Uses TEST_COMMAND and TEST_EXAMPLES; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
run="$TEST_COMMAND run"

# gone PATTERN: no process whose command line has it, a moment from now.
gone() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        pgrep -f -- "$1" >/dev/null || return 0
        sleep 0.1
    done
    pgrep -af -- "$1"
    fail "still running: $1"
}

# ---- what users type ----
expect 0 "" "$TEST_COMMAND" --version
grep -q "^muster 0.1.0$" "$work/out" || fail "--version"
expect 0 "" $run --help
grep -q "usage: muster run -n N" "$work/out" || fail "run --help"
expect 2 "no subcommand" "$TEST_COMMAND"
expect 2 "\"walk\" is no subcommand" "$TEST_COMMAND" walk
expect 2 "how many ranks" $run -- true
expect 2 "no command" $run -n 2
expect 2 "from 1 to 1024" $run -n 0 -- true
expect 2 "from 1 to 1024" $run -n 2000 -- true
expect 2 "from 1 to 1024" $run -n two -- true
expect 2 "expected seconds" $run -n 2 --timeout soon -- true
expect 2 "kill, continue or respawn" $run -n 2 --on-failure panic -- true
expect 2 "from 1 to 1024" $run -n 2 --on-failure respawn --restarts 0 -- true
expect 2 "goes with --on-failure respawn" $run -n 2 --restarts 3 -- true
expect 2 "rank or none" $run -n 2 --prefix all -- true
expect 2 "there is no option --frobnicate" $run -n 2 --frobnicate -- true

# ---- exit statuses, with one line that names rank and cause ----
expect 0 "" $run -n 4 -- true
expect 3 "rank 1 exited with status 3" $run -n 3 -- sh -c '[ $MUSTER_RANK != 1 ] || exit 3; sleep 300'
expect 137 "rank 2 was killed by signal 9" $run -n 3 -- sh -c '[ $MUSTER_RANK != 2 ] || kill -9 $$; sleep 30'
expect 127 "cannot execute" $run -n 2 -- /no/such/program
expect 126 "cannot execute \"/etc/passwd\": Permission denied; is it a program, and executable" $run -n 2 -- /etc/passwd
expect 126 "cannot execute \"/usr\": it is a directory" $run -n 2 -- /usr
printf '#!/no/such/python\n' >"$work/my-program" && chmod +x "$work/my-program"
expect 127 "it exists, but the interpreter or loader that it names does not" $run -n 2 -- "$work/my-program"
expect 127 "it is not in PATH; did you mean ./my-program?" sh -c "cd $work && exec $run -n 2 my-program"
expect 127 "cannot execute \"my-progrm\": No such file or directory" sh -c "cd $work && exec $run -n 2 my-progrm"
expect 124 "timed out after 0.5 s" $run -n 2 --timeout 0.5 -- sleep 30
expect 124 "timed out" $run -n 2 --timeout 0.3 --grace 0.3 -- sh -c 'trap "" TERM; sleep 30 & wait; sleep 30'
expect 5 "rank 0 exited" $run -n 2 --on-failure continue -- sh -c '[ $MUSTER_RANK = 0 ] && exit 5; sleep 0.3; echo went on'
grep -q "\[1\] went on" "$work/out" || fail "--on-failure continue"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "one summary line"
# Status and last line are of one rank, whichever of two is seen first.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    timeout $((60 * ${TEST_PATIENCE:-1})) $run -n 1 sh -c 'exit 5' : -n 1 /no/such >"$work/out" 2>"$work/err"
    case "$?: $(cat "$work/err")" in
    "5: muster run: rank 0 exited with status 5" | "127: muster run: rank 1 could not start: "*) ;;
    *) fail "status and last line are of different ranks" ;;
    esac
done
# What so many say of why they could not start is more than a pipe holds.
expect 127 "could not start" $run -n 300 --on-failure continue -- "/no/such/program/$(seq -s / 100)"
checks=$((checks + 10))

# ---- output: whole lines, prefixed, the last one too ----
expect 0 "" $run -n 2 -- sh -c 'echo out $MUSTER_RANK of $MUSTER_SIZE; echo err >&2; printf last'
grep -q "^\[1\] out 1 of 2$" "$work/out" || fail "prefixed stdout"
grep -q "^\[0\] err$" "$work/err" || fail "prefixed stderr"
[ "$(grep -c "^\[[01]\] last$" "$work/out")" -eq 2 ] || fail "an unfinished last line"
expect 0 "" $run -n 2 --prefix none -- echo bare
[ "$(grep -c '^bare$' "$work/out")" -eq 2 ] || fail "--prefix none"
expect 0 "" $run -n 3 -- sh -c 'i=0; while [ $i -lt 2000 ]; do echo "$MUSTER_RANK $i and then some more"; i=$((i + 1)); done'
[ "$(grep -cE '^\[([0-2])\] \1 [0-9]+ and then some more$' "$work/out")" -eq 6000 ] || fail "lines mixed or lost"
echo "to rank 0" >"$work/in"
timeout $((20 * ${TEST_PATIENCE:-1})) $run -n 2 -- cat <"$work/in" >"$work/out" 2>"$work/err"
grep -q "^\[0\] to rank 0$" "$work/out" && [ "$(wc -l <"$work/out")" -eq 1 ] || fail "standard input"

# ---- signals ----
begin "$work/out" "$work/err" $run -n 2 -- sh -c 'trap "echo got it; exit 9" USR1; echo ready; while :; do sleep 0.05; done'
until [ "$(grep -c ready "$work/out")" -eq 2 ]; do sleep 0.05; done
kill -USR1 $job
wait $job
[ $? -eq 9 ] || fail "a signal passed on"
grep -q "got it" "$work/out" || fail "a signal passed on: output"
begin "$work/out" "$work/err" $run -n 2 --grace 0.3 -- sh -c 'trap "" TERM INT; echo ready; sleep 77.125; sleep 77.125'
until [ "$(grep -c ready "$work/out")" -eq 2 ]; do sleep 0.05; done
kill -TERM $job
wait $job
[ $? -eq 137 ] || fail "TERM, then KILL after the grace"
gone "sleep 77.125"
begin "$work/out" "$work/err" $run -n 3 --on-failure respawn -- "$TEST_BUILD/tests/late"
until [ "$(grep -c ready "$work/out")" -eq 3 ]; do sleep 0.05; done
kill -TERM $job
wait $job
grep "again" "$work/err" && fail "a job that is asked to end starts ranks again"

# ---- ranks, and what they started, die with the launcher and with each other ----
begin "$work/out" "$work/err" $run -n 3 -- sleep 77.25
until [ "$(pgrep -fc '^sleep 77.25')" -eq 3 ]; do sleep 0.05; done
kill -KILL $job
wait $job 2>/dev/null
gone "^sleep 77.25"
expect 7 "rank 0 exited with status 7" $run -n 2 --grace 0.5 -- sh -c 'sleep 77.5 & [ $MUSTER_RANK = 0 ] && exit 7; wait'
gone "^sleep 77.5"
# --keep-detached is of what has left the rank's process group; the rest ends with the rank.
expect 0 "" $run -n 1 --keep-detached -- sh -c 'sleep $0 & exit 0' 77.75$$
gone "^sleep 77.75$$"

# ---- real ranks ----
expect 0 "" $run -n 4 -- "$TEST_EXAMPLES/hello"
[ "$(grep -c "of 4: the ranks add up to 6$" "$work/out")" -eq 4 ] || fail "hello"
expect 0 "" $run -n 6 -- "$TEST_EXAMPLES/grid"
[ "$(grep -c "total 21$" "$work/out")" -eq 6 ] || fail "grid"
for n in 1 2 5; do
    expect 0 "" $run -n $n -- "$TEST_EXAMPLES/farm"
    grep -q "17984 prime numbers below 200000$" "$work/out" || fail "farm of $n"
done
expect 0 "" $run -n 3 -- "$TEST_EXAMPLES/weights"
[ "$(grep -c "squares add up to 524287.845" "$work/out")" -eq 3 ] || fail "weights"
expect 0 "" $run -n 4 -- "$TEST_EXAMPLES/steps"
[ "$(grep -c "the steps add up to 15$" "$work/out")" -eq 3 ] || fail "steps"
expect 0 "" $run -n 3 -- "$TEST_EXAMPLES/overlap"
grep -q "sum is 24$" "$work/out" || fail "overlap"
expect 137 "rank 1 was killed by signal 9" $run -n 4 --on-failure continue -- "$TEST_EXAMPLES/survive"
grep -q "^\[0\] done after 5000 steps, 1 left$" "$work/out" || fail "survive"
# In 0.1 s, or at once if it lived for 10 s on a busy machine.
expect 0 "rank 3 was killed by signal 9 (Killed); starting it again " \
    $run -n 4 --on-failure respawn -- "$TEST_EXAMPLES/serve"
grep -qE "rank 3 .* (in 0\.1 s|at once) \(restart 3 of 16\)$" "$work/err" || fail "serve: which restart"
[ "$(grep -c "done after 5000 steps, 4 ranks$" "$work/out")" -eq 4 ] || fail "serve"
expect 137 "no restarts are left" $run -n 4 --on-failure respawn --restarts 2 -- "$TEST_EXAMPLES/serve"
[ "$(grep -c "done after 5000 steps, 3 ranks$" "$work/out")" -eq 3 ] || fail "serve with too few restarts"
# Programs that are no ranks of a world are not started again, and neither is a world of one.
expect 3 "rank 0 exited with status 3" $run -n 1 --on-failure respawn -- sh -c 'exit 3'
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "started again, though nobody was there to take it in"
expect 3 "rank 1 exited with status 3" $run -n 2 --on-failure respawn -- sh -c '[ $MUSTER_RANK = 0 ] || exit 3'
expect 0 "" $run -n 4 -- "$TEST_EXAMPLES/tensor_parallel"
grep -q "200 tokens on 4 ranks: within" "$work/out" || fail "tensor_parallel"
expect 0 "" "$TEST_EXAMPLES/hello"
grep -q "rank 0 of 1" "$work/out" || fail "hello alone"
for rank in 1 0 2; do
    MUSTER_ARENA=/muster-test-run-$$ MUSTER_SIZE=3 MUSTER_RANK=$rank "$TEST_EXAMPLES/hello" >"$work/out.$rank" 2>&1 &
done
wait
[ "$(cat "$work"/out.? | grep -c "of 3: the ranks add up to 3$")" -eq 3 ] || fail "ranks that start on their own"
expect 1 "MUSTER_ARENA is not" env MUSTER_RANK=0 "$TEST_EXAMPLES/hello"
[ -z "$(ls /dev/shm | grep "muster-test-run-$$\$")" ] || fail "a name was left in /dev/shm"

conclude "muster run"
