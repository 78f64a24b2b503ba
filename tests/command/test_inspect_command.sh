#!/bin/sh
# `muster ps` and `muster inspect` on a job that hangs. Uses TEST_COMMAND and TEST_BUILD; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
pipe=/dev/shm/muster-test-pipe-$$
trap 'kill $job $reader 2>/dev/null; rm -rf "$work" "$pipe"' EXIT
job= reader=

inspect() {
    "$TEST_COMMAND" inspect "$@" >"$work/out" 2>"$work/err"
}

# shellcheck disable=SC2016
begin "$work/job" "$work/job" "$TEST_COMMAND" run -n 4 --grace 0.5 -- sh -c 'exec "$1"' "$(printf 'x\302\233\033y')" "$TEST_BUILD/tests/waits"
echo $job >"$work/first"
until [ "$(grep -c ready "$work/job")" -eq 4 ]; do sleep 0.05; done
stuck=$(pgrep -P $job | while read -r pid; do tr '\0' '\n' <"/proc/$pid/environ" | grep -q '^MUSTER_RANK=3$' && echo "$pid"; done)
until inspect $job && [ "$(grep -c "waited" "$work/out")" -eq 3 ] && grep -q "^cause: rank 3 sleeps" "$work/out"; do sleep 0.05; done
inspect "$stuck" || fail "by a rank's pid: status $?"
says 1 "^4 ranks, launched by $job: .*muster run -n 4"
says 1 "^ *0 +[0-9]+ +all_sum \(float32 x 100\) +tp:0 +1 "
says 1 "^ *1 +[0-9]+ +all_sum \(float32 x 100\) +world +12 "
says 1 "^ *2 +[0-9]+ +recv \(float32 x 5, tag 0\) +world "
says 1 "^ *3 +$stuck +sleeps in user code$"
says 1 "^rank 2 has not entered all_sum \(float32 x 100\) #1 of tp:0; rank 0 has waited [0-9.]+ s; rank 2 waits in muster$"
says 1 "^ranks 0 2 3 have not entered all_sum \(float32 x 100\) #12 of world; rank 1 has waited"
says 1 "^rank 2 has waited [0-9.]+ s in recv \(float32 x 5, tag 0\) from rank 3 of world; rank 3 sleeps in user code$"
says 1 "^cause: rank 3 sleeps in user code$"
[ "$(grep -c "^cause: " "$work/out")" -eq 1 ] || fail "more than one cause"
kill -STOP "$stuck"
until inspect $job && grep -q "rank 3 is stopped" "$work/out"; do sleep 0.05; done # once it has had a CPU to stop on
says 1 "^cause: rank 3 is stopped \(SIGSTOP"
inspect --json $job
checks=$((checks + 1))
python3 - "$work/out" <<'EOF' || fail "--json"
import json, sys
seen = json.load(open(sys.argv[1], encoding="utf-8"))
assert seen["schema"] == 1 and seen["size"] == 4 and len(seen["ranks"]) == 4 and len(seen["verdicts"]) == 3
waiting = {call["rank"]: call["call"] for call in seen["calls"] if call["in_call"]}
assert waiting == {0: "all_sum (float32 x 100)", 1: "all_sum (float32 x 100)", 2: "recv (float32 x 5, tag 0)"}, waiting
classes = {call["rank"]: call["call_class"] for call in seen["calls"] if call["in_call"]}
assert classes == {0: "collective", 1: "collective", 2: "receive"}, classes
assert "odd\ufffd" in {call["group"] for call in seen["calls"]}, "a name that is no UTF-8"
EOF
"$TEST_COMMAND" ps >"$work/out" 2>&1
says 1 "^ *$job +4 +3  .*muster run -n 4.* x\?\? y .*  \[tp:0, odd" # without what would do something to a terminal

# ---- who waits in a queue, and for a signal ----
begin "$work/queue" "$work/queue" "$TEST_COMMAND" run -n 4 --grace 0.5 -- "$TEST_BUILD/tests/waits" queue
until [ "$(grep -c ready "$work/queue")" -eq 4 ]; do sleep 0.05; done
until inspect $job && [ "$(grep -c "has waited" "$work/out")" -eq 3 ] && grep -q "to rank 2 of" "$work/out"; do sleep 0.05; done
says 1 "^ *0 +[0-9]+ +push \(uint8 x 4\) "
says 1 "^rank 0 has waited [0-9.]+ s in push \(uint8 x 4\) to rank 2 of .*; rank 2 sleeps in user code$"
says 1 "^rank 1 has waited [0-9.]+ s in pop from rank 0 of .*; rank 0 waits in muster$"
says 1 "^rank 3 has waited [0-9.]+ s in wait_signal from rank 2 of .*; rank 2 sleeps in user code$"
says 1 "^cause: rank 2 sleeps in user code$"
kill $job
wait $job 2>/dev/null
job=$(cat "$work/first")

# ---- who waits for a message: of any rank, and in a probe ----
begin "$work/messages" "$work/messages" "$TEST_COMMAND" run -n 4 --grace 0.5 -- "$TEST_BUILD/tests/waits" messages
until [ "$(grep -c ready "$work/messages")" -eq 4 ]; do sleep 0.05; done
until inspect $job && [ "$(grep -c "has waited" "$work/out")" -eq 3 ] && grep -q "^cause: rank 2 sleeps" "$work/out"; do sleep 0.05; done
says 1 "^ *1 +[0-9]+ +probe \(tag 7\) +world "
says 1 "^rank 0 has waited [0-9.]+ s in recv \(int32 x 5, any tag\) from any rank of world$"
says 1 "^rank 1 has waited [0-9.]+ s in probe \(tag 7\) from rank 2 of world; rank 2 sleeps in user code$"
says 1 "^rank 3 has waited [0-9.]+ s in probe \(tag 0\) from any rank of world$"
says 1 "^cause: rank 2 sleeps in user code$"
[ "$(grep -c "^cause: " "$work/out")" -eq 1 ] || fail "more than one cause of waits for messages"
kill $job
wait $job 2>/dev/null
job=$(cat "$work/first")

# ---- many ranks are said as ranges ----
begin "$work/many" "$work/many" "$TEST_COMMAND" run -n 12 --grace 0.5 -- "$TEST_BUILD/tests/waits" few
until [ "$(grep -c ready "$work/many")" -eq 12 ]; do sleep 0.05; done
until inspect $job && grep -q "^ranks 3-11 have not entered" "$work/out"; do sleep 0.05; done
says 1 "^ranks 3-11 have not entered barrier #1 of world; ranks 0-2 have waited [0-9.]+ s; rank 3 "
kill $job
wait $job 2>/dev/null
job=$(cat "$work/first")

# ---- what is no job ----
checks=$((checks + 3))
inspect $$ && fail "a shell is no job"
grep -q "$$ is no rank or launcher of a job" "$work/err" || fail "what it says of a shell"
expect 1 "is neither the number of a process nor a /NAME" "$TEST_COMMAND" inspect $((4294967296 + job))
expect 1 "is neither the number of a process nor a /NAME" "$TEST_COMMAND" inspect " +$job"
cp /proc/self/status "$pipe" # of that name, and no arena
tail -f "$pipe" >/dev/null &
reader=$!
until inspect "${pipe#/dev/shm}" || grep -q "what is under ${pipe#/dev/shm} cannot be looked at: ..*arena" "$work/err"; do sleep 0.05; done
kill "$reader"
rm "$pipe"
reader=
inspect 1 2
[ $? -eq 2 ] || fail "two jobs"
kill -CONT "$stuck"
kill $job
wait $job 2>/dev/null
inspect $job && fail "a job that is over"

# ---- a pipe where an arena could be, of which somebody waits for the other end ----
mkfifo "$pipe"
tail -f /dev/null <"$pipe" &
reader=$!
echo >"$pipe" # until it is open there
expect 0 "" "$TEST_COMMAND" ps
expect 1 "$reader is no rank or launcher of a job" "$TEST_COMMAND" inspect "$reader"
expect 1 "no job that this user may look at has met under ${pipe#/dev/shm}" "$TEST_COMMAND" top --once "${pipe#/dev/shm}"
kill "$reader"
reader=

# ---- a system that shows no processes ----
if unshare --mount --map-root-user true 2>/dev/null; then
    for command in ps "top --once" inspect; do
        checks=$((checks + 1))
        unshare --mount --map-root-user sh -c "mount -t tmpfs none /proc && exec \"\$@\"" sh "$TEST_COMMAND" $command >"$work/out" 2>"$work/err"
        [ $? -eq 1 ] || fail "$command without /proc: a status of success"
        grep -q "^muster ${command%% *}: jobs are found through /proc, which is not mounted here" "$work/err" || fail "$command without /proc"
    done
fi

# ---- muster run watches for hangs itself ----
checks=$((checks + 1))
timeout $((60 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 4 --on-hang abort --hang-after 0.3 -- "$TEST_BUILD/tests/waits" >"$work/out" 2>"$work/err"
[ $? -eq 143 ] || fail "--on-hang abort"
cat "$work/err" >>"$work/out"
says 1 "^muster run: a rank has waited for 0\.[3-9] s$"
says 1 "^cause: rank 3 sleeps in user code$"

if command -v gdb >/dev/null; then
    # The sentence comes first, and of each rank its own threads only. One that is reported ends the job.
    begin "$work/job" "$work/out" "$TEST_COMMAND" run -n 4 --on-hang stacks --hang-after 0.3 --grace 0.5 -- "$TEST_BUILD/tests/waits"
    until [ "$(grep -c ' in main ' "$work/out")" -eq 4 ]; do sleep 0.05; done
    kill $job
    wait $job 2>/dev/null
    head -1 "$work/out" | grep -q "^muster run: a rank has waited for" || fail "--on-hang stacks: the sentence does not come first"
    says 0 "muster-watch|watch_until_stopped"
    says 4 "^rank [0-3]:$"
fi

# ---- all are killed: the launcher knows what they were doing ----
begin "$work/job" "$work/err" timeout $((60 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 4 --post-mortem -- "$TEST_BUILD/tests/waits"
until [ "$(grep -c ready "$work/job")" -eq 4 ]; do sleep 0.05; done
launcher=$(pgrep -P $job)
until inspect "$launcher" && [ "$(grep -c "waited" "$work/out")" -eq 3 ]; do sleep 0.05; done
ranks=$(pgrep -P "$launcher")
kill -STOP "$launcher" $ranks # or those who are killed last have noticed
kill -KILL $ranks
kill -CONT "$launcher"
wait $job 2>/dev/null
cp "$work/err" "$work/out"
says 1 "^muster run: the ranks, as they ended:$"
says 1 "^ *0 +[0-9]+ +all_sum \(float32 x 100\) +tp:0 +1 +400 +[0-9.]+ s  was killed by signal 9 \(Killed\)$"
says 1 "^ *3 +[0-9]+ +was killed by signal 9 \(Killed\)$"

# ---- ranks that started on their own, by name ----
: >"$work/named"
named=""
for rank in 0 1 2 3; do
    MUSTER_ARENA=/muster-test-inspect-$$ MUSTER_SIZE=4 MUSTER_RANK=$rank "$TEST_BUILD/tests/waits" >>"$work/named" 2>&1 &
    named="$named $!"
done
until [ "$(grep -c ready "$work/named")" -eq 4 ]; do sleep 0.05; done
until inspect /muster-test-inspect-$$ && grep -q "^cause: " "$work/out"; do sleep 0.05; done
says 1 "^4 ranks, found through [0-9]+: .*waits"
# shellcheck disable=SC2086
kill -KILL $named
wait

conclude "muster inspect"
