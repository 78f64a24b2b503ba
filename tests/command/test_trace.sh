#!/bin/sh
# muster run --trace, muster trace, muster report, muster top and muster inspect --trace, on a job whose last
# rank is late. Uses TEST_COMMAND and TEST_BUILD; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
trap 'kill $job 2>/dev/null; rm -rf "$work"' EXIT
job=
late=$TEST_BUILD/tests/late trace=$work/trace.json

expect 0 "muster run: $trace has 120 operations of 3 ranks; see muster trace $trace$" \
    "$TEST_COMMAND" run -n 3 --trace "$trace" -- "$late" 40
checks=$((checks + 2))
[ "$(grep -c "late: alike on all ranks" "$work/err")" -eq 3 ] || fail "lines of ranks that are well are gathered"
python3 - "$trace" <<'EOF' || fail "the file"
import json, sys
trace = json.load(open(sys.argv[1]))
events = trace["traceEvents"]
assert trace["muster_trace"] == 1 and trace["ranks"] == 3 and trace["exact"] == 1 and trace["lost"] == 0
slices = [e for e in events if e["ph"] == "X" and "call" in e.get("args", {})]
phases = [e for e in events if e["ph"] == "X" and "phase_of" in e.get("args", {})]
assert len(phases) == 120 and {e["args"]["phase_of"] for e in phases} == {0, 1, 2}
for rank in range(3):
    mine = [e for e in phases if e["args"]["phase_of"] == rank]
    assert [e["name"] for e in mine] == ["even", 'odd "<b>\\'] * 20, mine[:3]
    assert all(abs(a["ts"] + a["dur"] - b["ts"]) < 0.01 for a, b in zip(mine, mine[1:]))
job = trace["job"]
assert job["command"].endswith("late 40") and job["cpus"] >= 1 and job["host"] and job["date"].startswith("20"), job
assert len(slices) == 120 and {e["tid"] for e in slices} == {0, 1, 2}
for rank in range(3):
    mine = [e for e in slices if e["tid"] == rank]
    assert [e["args"]["operation"] for e in mine] == list(range(1, 41))
    assert all(a["ts"] + a["dur"] <= b["ts"] + 0.002 for a, b in zip(mine, mine[1:])), "they overlap"
    assert all(e["args"]["bytes"] == 4000 and e["args"]["arrived"] and e["name"] == "all_sum 4000 B" for e in mine)
starts, ends = ({e["id"]: e for e in events if e["ph"] == ph} for ph in "sf")
assert starts.keys() == ends.keys() and len(starts) == 80, len(starts)
assert all(starts[i]["ts"] <= ends[i]["ts"] for i in starts)
assert sum(e["tid"] == 2 for e in starts.values()) > 40, "rank 2 was last most often"
assert any(e.get("name") == "waits for rank 2" and e["tid"] != 2 for e in events)
EOF

expect 0 "" "$TEST_COMMAND" trace "$trace"
says 1 "^120 operations of 3 ranks in [0-9.]+ s$"
says 1 "^all_sum +float32 +4000 +3 +120 +[0-9.]+ us "
says 3 "^ +[012] +40 "
says 1 "late 40, on .* \([0-9]+ CPUs\), 20"
says 1 '^even +60 +[0-9.]+ s '
says 1 '^odd "<b>\\ +60 +[0-9.]+ s '
says 1 "^waiting is [0-9]+% of the time.*: rank 2 made the others wait, for [0-9.]+% of all the time"

expect 0 "" "$TEST_COMMAND" report "$trace" -o "$work/page.html"
checks=$((checks + 4))
grep -q '^{"muster_trace":1,' "$work/page.html" || grep -q 'json">{"muster_trace":1,' "$work/page.html" || fail "no trace in the page"
grep -q '^waiting is .*: rank 2 made the others wait' "$work/page.html" || fail "no table in the page"
grep -q '<b>' "$work/page.html" && fail "a phase's name is HTML"
grep -qE '(src|href)="?http|@import|url\(' "$work/page.html" && fail "the page loads something"
if command -v chromium >/dev/null; then # draws it as a phone would
    expect 0 "" chromium --headless --no-sandbox --disable-gpu --window-size=390,800 \
        --virtual-time-budget=5000 --dump-dom "file://$work/page.html"
    says 1 '<body data-drawn="120">|data-drawn="120"'
    says 1 'id="verdict">waiting is [0-9]+% of the time.*: rank 2 made the others wait'
    says 1 'data-arrows="80"'
    says 1 'id="job".*on .* \([0-9]+ CPUs?\), 20'
    says 1 '<option>even</option><option>odd "&lt;b&gt;\\</option>'
    says 1 '>half within [0-9.]+ (µs|ms)'
fi

# ---- messages and started operations: tags, kinds, and whose they are ----
expect 0 "" "$TEST_COMMAND" run -n 2 --trace "$work/talks.json" -- "$TEST_BUILD/tests/talks"
checks=$((checks + 1))
python3 - "$work/talks.json" <<'EOF' || fail "tags and kinds in the file"
import collections, json, sys
events = [e["args"] for e in json.load(open(sys.argv[1]))["traceEvents"] if "call" in e.get("args", {})]
seen = collections.Counter((a["call"], a["group_rank"], a["peer"], a.get("tag"), a["started"])
                           for a in events if a.get("group_name") == "pp:1")
assert seen == {("send", 0, 1, 7, 0): 10, ("recv", 1, 0, -1, 0): 10, ("send", 0, 1, 9, 1): 10, ("send", 1, 0, 9, 1): 10,
                ("recv", 0, 1, 9, 1): 10, ("recv", 1, 0, 9, 1): 10, ("all_sum", 0, -1, None, 1): 10,
                ("all_sum", 1, -1, None, 1): 10}, seen
EOF
expect 0 "" "$TEST_COMMAND" trace "$work/talks.json"
says 1 "^send +float32 +200 +2 +10 .*  pp:1$"
says 1 "^send, started +int32 +4 +2 +20 .*  pp:1$"
says 1 "^all_sum, started +float32 +200 +2 +20 .*  pp:1$"
expect 0 "" "$TEST_COMMAND" report "$work/talks.json" -o "$work/page.html"

# ---- what is said of a trace: made ones, of which the answer is known ----
# made FILE RANKS CPUS WAIT [LAST]: 200 operations; each rank in turn is last, or always LAST; what is done takes
# 1 of 1000 us
made() {
    python3 - "$@" <<'EOF'
import sys
path, ranks, cpus, waits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
always_last = int(sys.argv[5]) if len(sys.argv) > 5 else None
with open(path, "w") as file:
    print('{"muster_trace":1,"ranks":%d,"exact":1,"lost":0,"left_out":0,' % ranks, file=file)
    print('"job":{"cpus":%d,"command":"made \\"here\\"","host":"h","date":"2026-01-01 00:00:00 +0000"},' % cpus, file=file)
    print('"displayTimeUnit":"ns","traceEvents":[', file=file)
    for n in range(1, 201):
        for rank in range(ranks):
            wait = 0 if rank == (n % ranks if always_last is None else always_last) else waits
            print('{"ph":"X","pid":1,"tid":%d,"ts":%.3f,"dur":%.3f,"name":"all_sum 4 B","args":{"call":"all_sum","dtype":"int32","count":1,"bytes":4,"group":3,"world":1,"group_rank":%d,"group_size":%d,"call_class":"collective","operation":%d,"peer":-1,"exact":1,"started":0,"arrived":1,"waited_us":%.3f}},'
                  % (rank, n * 1000 - wait, wait + 1, rank, ranks, n, wait), file=file)
    print('{"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"muster"}}\n]}', file=file)
EOF
}
made "$work/made.json" 4 2 800
expect 0 "" "$TEST_COMMAND" trace "$work/made.json"
says 1 '^made "here", on h \(2 CPUs\), 2026-01-01 00:00:00 \+0000$'
says 1 "^waiting is 60% of the time: 4 ranks on 2 CPUs take turns; try -n 2$"
made "$work/made.json" 4 2 800 3
expect 0 "" "$TEST_COMMAND" trace "$work/made.json"
says 1 ": rank 3 made the others wait, for 100.0% .* late one; 4 ranks share 2 CPUs; with -n 2 each has its own$"
made "$work/made.json" 4 4 800
expect 0 "" "$TEST_COMMAND" trace "$work/made.json"
says 1 "^waiting is 60% of the time; no rank in particular made the others wait$"
made "$work/made.json" 4 4 10
expect 0 "" "$TEST_COMMAND" trace "$work/made.json"
says 1 "^ranks hardly wait: [0-9.]+% of their time$"
if command -v chromium >/dev/null; then # 1 us of 1000 fills a thousandth of the rows, and what is waited as much
    made "$work/made.json" 4 4 4
    expect 0 "" "$TEST_COMMAND" report "$work/made.json" -o "$work/page.html"
    expect 0 "" chromium --headless --no-sandbox --disable-gpu --window-size=1000,800 --virtual-time-budget=5000 \
        --dump-dom "file://$work/page.html"
    says 1 'data-filled="0\.00[34]'
    expect 0 "" chromium --headless --no-sandbox --disable-gpu --window-size=400,800 --virtual-time-budget=5000 \
        --dump-dom "file://$work/page.html#zoom=4"
    says 1 'data-filled="0\.00[2345]'
fi
expect 1 "line 2 is not" sh -c "sed '2s/cpus/spus/' '$work/made.json' >'$work/cut' && '$TEST_COMMAND' trace '$work/cut'"

# ---- hosts: their clocks differ, and times are put together by what they did together, or by their calendars ----
# part FILE RANK STARTED LATER_US BEGAN_NS AHEAD_NS: what the host of that rank of two has: 200 operations, each of which the other
# rank enters 800 us earlier or later, by a clock that shows so much more
part() {
    python3 - "$@" <<'EOF'
import sys
path, rank, started, later_us, began_ns, ahead_ns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5], sys.argv[6]
with open(path, "w") as file:
    print('{"muster_trace":1,"ranks":2,"exact":1,"lost":0,"left_out":0,', file=file)
    print('"part":{"job":7,"began_ns":%s,"ahead_ns":%s},' % (began_ns, ahead_ns), file=file)
    for other in range(2):
        print('"host_of":{"rank":%d,"first":%d,"here":%d,"name":"host %s"},' % (other, other, other == rank, "ab"[other]), file=file)
    print('"displayTimeUnit":"ns","traceEvents":[', file=file)
    for n in range(1, 201):
        wait = 0 if rank == n % 2 else 800
        print('{"ph":"X","pid":1,"tid":%d,"ts":%.3f,"dur":%.3f,"name":"all_sum 4 B","args":{"call":"all_sum","dtype":"int32","count":1,"bytes":4,"group":3,"world":1,"group_rank":%d,"group_size":2,"call_class":"collective","operation":%d,"peer":-1,"exact":1,"started":%d,"arrived":1,"waited_us":%.3f}},'
              % (rank, n * 1000 - wait + later_us, wait + 1, rank, n, started, wait), file=file)
    print('{"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"muster"}}\n]}', file=file)
EOF
}
# later US FILE...: in the trace of these files rank 1 has entered as much later or earlier than rank 0 as it should, 800 us, and
# US more.
later() {
    wanted_us=$1
    shift
    expect 0 "" "$TEST_COMMAND" report "$@" -o "$work/page.html"
    checks=$((checks + 1))
    python3 - "$work/page.html" "$wanted_us" <<'EOF' || fail "times of two hosts in one trace"
import json, sys
page, wanted = open(sys.argv[1]).read(), float(sys.argv[2])
trace, _ = json.JSONDecoder().raw_decode(page[page.index('{"muster_trace":1'):])
entered = {(e["tid"], e["args"]["operation"]): e["ts"] for e in trace["traceEvents"] if "call" in e.get("args", {})}
assert len(entered) == 400 and min(entered.values()) >= 0, len(entered)
for n in range(1, 201):
    found = entered[1, n] - entered[0, n]
    assert abs(found - (wanted + (-800 if n % 2 == 0 else 800))) < 0.01, (n, found, wanted)
EOF
}
# Calendars an hour apart say nothing where operations do; both files may be the first.
part "$work/a.json" 0 0 0 1000000000 1700000000000000000
part "$work/b.json" 1 0 123456.789 5000000000 1700003600000000000
later 0 "$work/a.json" "$work/b.json"
later 0 "$work/b.json" "$work/a.json"
expect 0 "" "$TEST_COMMAND" trace "$work/a.json" "$work/b.json"
says 1 "^400 operations of 2 ranks in 0.200 s$"
says 1 "^waiting is .*no rank in particular"
# What was started says nothing of when others entered, so calendars do: they differ by 2.00025 s.
part "$work/a.json" 0 1 0 1000000000 1700000000000000000
part "$work/b.json" 1 1 0 7000000000 1699999996000250000
later 2000250 "$work/a.json" "$work/b.json"
later 2000250 "$work/b.json" "$work/a.json"
# Clocks that nobody has.
for clocks in "9223372036854775807 0" "-1 0" "0 9223372036854775807" "0 -9223372036854775808"; do
    # shellcheck disable=SC2086
    part "$work/wild.json" 1 1 0 $clocks
    expect 1 "line 2 is not as muster run --trace writes it: the file is damaged" "$TEST_COMMAND" trace "$work/a.json" "$work/wild.json"
done
part "$work/a.json" 0 1 0 0 -1000000000000000000
part "$work/b.json" 1 1 0 1000000000000000000 4000000000000000000
expect 1 "b.json is more than a century away from the file before it: one of them is damaged" \
    "$TEST_COMMAND" trace "$work/a.json" "$work/b.json"
# Memory that is not enough is no damage.
if [ -z "${TEST_SANITIZE-}" ]; then # which needs more than any limit
    python3 - "$work/made.json" "$work/long.json" <<'EOF'
import sys
lines = open(sys.argv[1]).readlines()
with open(sys.argv[2], "w") as file:
    file.writelines(lines[:3] + lines[3:-2] * 100 + lines[-2:])
EOF
    expect 1 "long.json: out of memory at line [0-9]" sh -c 'ulimit -v 20000 && exec "$@"' sh "$TEST_COMMAND" trace "$work/long.json"
fi

# ---- a name that is no UTF-8 ----
bytes=$(printf 'x\377 \355\240\200 \300\257 \364\220\200\200 \303\251\346\274\242\360\237\230\200 \303')
expect 0 "" "$TEST_COMMAND" run -n 1 --trace "$work/bytes.json" -- sh -c true "$bytes"
checks=$((checks + 1))
python3 - "$work/bytes.json" <<'EOF' || fail "a trace is JSON, whatever names are"
import json, sys
command = json.load(open(sys.argv[1], encoding="utf-8"))["job"]["command"]
no = "\ufffd"
assert command.endswith(" true x%s %s %s %s \u00e9\u6f22\U0001f600 %s" % (no, no * 3, no * 2, no * 4, no)), command
EOF
expect 0 "" "$TEST_COMMAND" report "$work/bytes.json" -o "$work/page.html"
checks=$((checks + 1))
python3 -c 'import sys; open(sys.argv[1], encoding="utf-8").read()' "$work/page.html" || fail "a page is UTF-8"

# ---- a name that would do something to a terminal ----
escape=$(printf '\033')
sed "s/made/\\\\u001b[31m$escape\\\\u0007$(printf '\177\302\233')/; s/\"all_sum\"/\"all$escape]0;sum\"/" "$work/made.json" >"$work/escapes.json"
expect 0 "" "$TEST_COMMAND" trace "$work/escapes.json"
says 1 '^\?\[31m\?\?\?\?\? "here", on h '
says 1 '^all\?]0;sum '
expect 0 "" "$TEST_COMMAND" report "$work/escapes.json" -o "$work/page.html"

# ---- a page replaces a page, when it is whole, and nothing else ----
cp "$work/made.json" "$work/kept.json"
ln -s kept.json "$work/link.json"
for page in kept.json link.json; do
    expect 1 "$page is the trace itself; expected another file" "$TEST_COMMAND" report "$work/kept.json" -o "$work/$page"
done
mkdir "$work/pages"
echo old >"$work/pages/page.html"
ln -s page.html "$work/pages/link.html"
# shellcheck disable=SC2016
expect 1 "pages/page.html: File too large" sh -c 'trap "" XFSZ && ulimit -f 8 && exec "$@"' sh \
    "$TEST_COMMAND" report "$work/kept.json" -o "$work/pages/page.html"
checks=$((checks + 3))
cmp -s "$work/made.json" "$work/kept.json" || fail "the trace is overwritten"
[ "$(cat "$work/pages/page.html")" = old ] || fail "a page is lost to one that cannot be written"
expect 0 "" "$TEST_COMMAND" report "$work/kept.json" -o "$work/pages/link.html"
grep -q '"muster_trace":1' "$work/pages/page.html" && [ -L "$work/pages/link.html" ] || fail "a page behind a link"
[ "$(ls "$work/pages" | wc -l)" -eq 2 ] || fail "beside pages are: $(ls "$work/pages")"
expect 0 "" "$TEST_COMMAND" report "$work/kept.json" -o /dev/null

# ---- everybody is killed, or the launcher is: what they did is there ----
begin "$work/pids" "$work/err" \
    "$TEST_COMMAND" run -n 3 --trace "$work/killed.json" -- sh -c "'$late' & echo \$!; wait"
until [ "$(grep -c ready "$work/pids")" -eq 3 ]; do sleep 0.05; done
sed -n 's/^\[[0-9]\] \([0-9]*\)$/\1/p' "$work/pids" | xargs kill -KILL
wait $job
expect 0 "" "$TEST_COMMAND" trace "$work/killed.json"
says 3 "^ +[012] +[1-9][0-9]* "
begin "$work/out" "$work/err" "$TEST_COMMAND" run -n 3 --trace "$work/orphan.json" -- "$late"
until [ "$(grep -c ready "$work/out")" -eq 3 ]; do sleep 0.05; done
kill -KILL $job
wait $job 2>/dev/null
until [ "$(tail -n 1 "$work/orphan.json" 2>/dev/null)" = "]}" ]; do sleep 0.05; done
expect 0 "" "$TEST_COMMAND" trace "$work/orphan.json"
says 3 "^ +[012] +[1-9][0-9]* "

# ---- who asks muster run to end once its ranks are gone asks it: here it waits for a trace that nobody reads ----
mkfifo "$work/unread"
exec 9<>"$work/unread"
begin "$work/out" "$work/err" timeout -k 10 $((60 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 3 --trace "$work/unread" -- "$late" 60
timeout $((60 * ${TEST_PATIENCE:-1})) head -c 1 <&9 >"$work/first" # it is written after the last rank has ended
checks=$((checks + 2))
kill $job # which timeout passes on
wait $job
[ $? -eq 143 ] || fail "muster run is not ended by TERM once its ranks are gone"
exec 9<&-
grep -q "unread: nobody takes what is written there, and this was asked to end" "$work/err" || fail "TERM while the trace is written"

# ---- more than is wanted ----
expect 0 "54 earlier ones are left out" "$TEST_COMMAND" run -n 2 --trace "$trace" --trace-limit 3 -- "$late" 30
expect 0 "" "$TEST_COMMAND" trace "$trace"
says 1 "^54 earlier operations are left out$"

# ---- a job that runs ----
begin "$work/job" "$work/job" "$TEST_COMMAND" run -n 3 --grace 0.5 -- "$late"
until [ "$(grep -c ready "$work/job")" -eq 3 ]; do sleep 0.05; done
expect 0 "" "$TEST_COMMAND" top --once --seconds 0.5 $job
says 1 "^3 ranks, $job: .*muster run -n 3"
says 2 "^ +[01] +[1-9][0-9]* +[0-9.]+ +[0-9.]+% #"
says 1 "^ +2 +[1-9][0-9]* +[0-9.]+ +[0-9.]+% .*<- the others wait for it$"
# q ends it, on a terminal, and leaves that as it was; so does Ctrl-C.
for key in q '\003'; do
    checks=$((checks + 1))
    timeout $((60 * ${TEST_PATIENCE:-1})) python3 -B "$TEST_SOURCE/tests/command/press.py" "$key" "$TEST_COMMAND" top --seconds 0.2 $job >"$work/out" 2>&1 ||
        fail "top, and the key $key"
done
# Ctrl-Z stops it, and the terminal is as it was until it goes on.
expect 0 "" python3 -B "$TEST_SOURCE/tests/command/stop.py" "$TEST_COMMAND" top --seconds 0.2 $job
# It fits into the terminal, of whatever kind that is.
for kind in dumb xterm; do
    expect 0 "" python3 -B "$TEST_SOURCE/tests/command/screen.py" $kind "$TEST_COMMAND" top --seconds 0.2 $job
done
expect 0 "" "$TEST_COMMAND" inspect --trace "$work/now.json" $job
expect 0 "" "$TEST_COMMAND" trace "$work/now.json"
says 1 "^times are of the flight recorder"
kill $job
wait $job 2>/dev/null

# ---- what makes no sense ----
expect 2 "expected a FILE" "$TEST_COMMAND" trace
expect 1 "is no trace of muster's" "$TEST_COMMAND" trace "$TEST_SOURCE/README.md"
expect 1 "No such file" "$TEST_COMMAND" report "$work/none"
head -n 20 "$trace" >"$work/cut"
expect 1 "line 20 is not as muster run --trace writes it: the file is damaged" "$TEST_COMMAND" trace "$work/cut"
sed '4s/"count":/"count":x/' "$trace" >"$work/cut"
expect 1 "line 4 is not" "$TEST_COMMAND" trace "$work/cut"
expect 125 "No such file" "$TEST_COMMAND" run -n 1 --trace "$work/no/such" -- true
expect 2 "goes with --trace" "$TEST_COMMAND" run -n 1 --trace-limit 5 -- true
expect 1 "is no rank or launcher" "$TEST_COMMAND" top $$
expect 2 "one job at a time" "$TEST_COMMAND" top 1 2

conclude "muster trace"
