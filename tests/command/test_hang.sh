#!/bin/sh
# A death that a job survives is no hang, though the process ended inside a call, and what hangs after it is told.
# Uses TEST_COMMAND and TEST_BUILD.
. "$TEST_SOURCE/tests/command/checks.sh"
patience=${TEST_PATIENCE:-1}
after=$((2 * patience)) # longer than it takes to start a rank again
launchers=""
trap 'kill $launchers 2>/dev/null; rm -rf "$work"' EXIT

# launch NAME HANG-AFTER OPTION...: beside us, as $job
launch() {
    name=$1 hang_after=$2
    shift 2
    begin "$work/$name" "$work/$name.err" "$TEST_COMMAND" run -n 3 --timeout $((120 * patience)) --grace 0.5 --hang-after "$hang_after" "$@"
    launchers="$launchers $job"
}

# age LAUNCHER: how many whole seconds ago the dead process began the call that it died in. Fails when there is no
# such job.
age() {
    "$TEST_COMMAND" inspect --json "$1" >"$work/out" 2>"$work/err" && python3 - "$work/out" <<'EOF'
import json, sys
seen = json.load(open(sys.argv[1], encoding="utf-8"))
dead = [rank["pid"] for rank in seen["ranks"] if "was killed" in rank["state"]]
calls = [call for call in seen["calls"] if call["pid"] in dead and call["call"]]
assert not any(call["in_call"] for call in calls), "a dead process is in a call"
print(max((int(call["since_s"]) for call in calls), default=0))
EOF
}

# ended NAME LAUNCHER STATUS: waits for it; what it has said is looked at next.
ended() {
    checks=$((checks + 1))
    wait "$2"
    status=$?
    cp "$work/$1.err" "$work/out"
    [ "$status" -eq "$3" ] || fail "$1: status $status, not $3"
}

launch grown $after --on-failure respawn --on-hang abort -- "$TEST_BUILD/tests/survives" grow
grown=$job
launch reported $after --on-failure respawn --on-hang report -- "$TEST_BUILD/tests/survives" grow
reported=$job
launch shrunk $after --on-failure continue --on-hang abort -- "$TEST_BUILD/tests/survives" shrink
shrunk=$job
launch hangs-grown $after --on-failure respawn --on-hang abort -- "$TEST_BUILD/tests/survives" grow hangs
hangs_grown=$job
launch hangs-shrunk $after --on-failure continue --on-hang abort -- "$TEST_BUILD/tests/survives" shrink hangs
hangs_shrunk=$job
launch absent 0.3 --on-failure respawn --on-hang abort -- "$TEST_BUILD/tests/survives" grow absent
absent=$job

# ---- jobs that go on: the watcher has looked by then, and they are still there ----
until cat "$work/grown" "$work/reported" "$work/shrunk" >"$work/out" && [ "$(grep -c "goes on" "$work/out")" -eq 8 ]; do sleep 0.05; done
for launcher in $grown $reported $shrunk; do
    checks=$((checks + 1))
    while seconds=$(age "$launcher") && [ "$seconds" -le $((after + patience)) ]; do sleep 0.05; done
    [ -n "$seconds" ] || fail "a job that goes on was ended"
done
for name in grown reported shrunk; do
    cp "$work/$name.err" "$work/out"
    says 0 "has waited"
done
"$TEST_COMMAND" inspect "$grown" >"$work/out" 2>"$work/err"
says 1 "^ *0 +[0-9]+ +reduce\(.*\) +world +1 +4  +was killed by signal 9 \(Killed\), and was replaced$"
says 3 "^ *[0-2] +[0-9]+ +sleeps in user code$"
says 1 "^no rank waits for another$"
"$TEST_COMMAND" ps >"$work/out" 2>"$work/err"
says 1 "^ *$grown +3 +0 "
"$TEST_COMMAND" top --once --seconds 0.1 "$shrunk" >"$work/out" 2>"$work/err"
says 1 "^ *0 .* was killed by signal 9 \(Killed\)$"
says 2 "^ *[12] .* sleeps in user code$"

# ---- what hangs after a death, and who waits for a dead process's replacement ----
ended hangs-grown "$hangs_grown" 143
says 1 "^muster run: a rank has waited for [0-9.]+ s$"
says 1 "^rank 2 has not entered barrier #2 of group \{0-2\}; ranks 0 1 have waited [0-9.]+ s; rank 2 sleeps in user code$"
ended hangs-shrunk "$hangs_shrunk" 137
says 1 "^rank 2 has not entered barrier #2 of group \{1 2\}; rank 1 has waited [0-9.]+ s; rank 2 sleeps in user code$"
tail -n 1 "$work/out" >"$work/last" && cp "$work/last" "$work/out"
says 1 "so the ranks were stopped \(--on-hang abort\); before that, rank 0 was killed by signal 9 \(Killed\)$"
ended absent "$absent" 143
says 1 "^rank 0 has not entered grow #1 of world; ranks 1 2 have waited [0-9.]+ s; rank 0 was killed by signal 9 \(Killed\), and was replaced; its replacement has not attached$"

conclude "hangs after a death"
