#!/bin/sh
# examples/server as its users meet it: by curl, by many clients at once, by a browser where there is one, and
# with ranks that are killed. Uses TEST_COMMAND and TEST_EXAMPLES; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
trap 'kill $job 2>/dev/null; wait $job 2>/dev/null; rm -rf "$work"' EXIT
job=
server=$TEST_EXAMPLES/server
model=$work/model.bin
[ -x "$server" ] || exit 77 # not built: no libmicrohttpd, or no jansson

# start RANKS OPTIONS...: the server, at $url
start() {
    ranks=$1
    shift
    begin "$work/server" "$work/server" "$TEST_COMMAND" run -n "$ranks" "$@" -- "$server" --port 0 "$model"
    wait_until_listening 1
}

# wait_until_listening N: for the N-th time
wait_until_listening() {
    until [ "$(grep -c listening "$work/server")" -ge "$1" ]; do
        kill -0 $job 2>/dev/null || { fail "the server: $(cat "$work/server")"; return; }
        sleep 0.05
    done
    url=$(sed -n 's/.*listening on \(.*\)\/$/\1/p' "$work/server" | tail -n 1)
}

stop() {
    checks=$((checks + 1))
    kill -TERM $job
    wait $job || fail "the server's end: status $?, $(cat "$work/server")"
    job=
}

# ask STATUS BODY: an answer to /generate in $work/out
ask() {
    checks=$((checks + 1))
    got=$(curl -s -o "$work/out" -w '%{http_code}' --max-time 60 -d "$2" "$url/generate")
    [ "$got" = "$1" ] || fail "$2: status $got, not $1"
}

pid_of_rank() {
    for pid in $(pgrep -f "^$server --port 0 $model"); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q "^MUSTER_RANK=$1$" && echo "$pid"
    done
}

"$TEST_COMMAND" run -n 2 -- "$TEST_EXAMPLES/train" --steps 20 --save "$model" >"$work/train" 2>&1 || fail "train"

# ---- the same text on any number of ranks ----
for ranks in 1 2 4; do
    start $ranks
    ask 200 '{"prompt": "The light \"falls\"", "tokens": 200, "seed": 7, "stream": false}'
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["text"])' "$work/out" >"$work/text.$ranks"
    stop
done
checks=$((checks + 2))
start 2 --on-failure respawn
cmp -s "$work/text.1" "$work/text.2" || fail "another text on 2 ranks"
cmp -s "$work/text.1" "$work/text.4" || fail "another text on 4 ranks"

# ---- tokens as they come ----
ask 200 '{"tokens": 5, "temperature": 1}'
says 5 '^\{"text":".+"\}$'
says 1 '^\{"done":true,"tokens":5,"seconds":[0-9.]+\}$'
ask 200 '{}'
says 200 '^\{"text"'
curl -s "$url/health" >"$work/out"
says 1 '^\{"status":"ok","ranks":2,"requests":[0-9]+,.*"waited_s":\[[0-9.]+,[0-9.]+\]\}$'
curl -s "$url/metrics" >"$work/out"
says 1 '^muster_server_tokens_total [1-9]'
says 3 '^muster_server_all_sum_microseconds\{quantile='
says 2 '^muster_server_rank_wait_seconds_total\{rank="[01]"\} [0-9.]+$'
curl -s "$url/" >"$work/out"
says 1 '<title>muster server</title>'

# ---- what makes no sense ----
ask 400 'nonsense'
says 1 'expected a JSON object'
ask 400 '{"prompt": 7}'
says 1 'expected prompt \(a string\)'
ask 400 '{"promt": "The"}'
ask 400 '{"tokens": 0}'
says 1 'tokens is not between 1 and 4096'
ask 400 '{"tokens": 4097}'
ask 400 '{"temperature": 0}'
head -c 70000 /dev/zero | tr '\0' ' ' >"$work/long"
ask 413 "@$work/long"
ask 200 "{\"prompt\": \"$(head -c 5000 /dev/zero | tr '\0' 'x')\", \"tokens\": 2}"
checks=$((checks + 3))
[ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/nowhere")" = 404 ] || fail "a path that is none"
[ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/generate")" = 405 ] || fail "GET /generate"
[ "$(curl -s -o "$work/out" -w '%{http_code}' -d x "$url/health")" = 405 ] || fail "POST /health"

# ---- many at once, some of whom go away ----
expect 0 "" python3 "$TEST_SOURCE/examples/server/load.py" "$url" 200 8 30
says 1 '^200 requests, 8 at once, 30 tokens each: 0 failed'
for i in 1 2 3 4 5; do timeout 0.1 curl -s -d '{"tokens": 4096}' "$url/generate" >/dev/null; done
ask 200 '{"tokens": 3}'

# ---- ranks die ----
victim=$(pid_of_rank 1)
curl -s --max-time 60 -d '{"prompt": "The light \"falls\"", "tokens": 4000, "seed": 7, "stream": false}' "$url/generate" >"$work/long" &
client=$!
kill -KILL "$victim"
ask 200 '{"prompt": "The light \"falls\"", "tokens": 200, "seed": 7, "stream": false}'
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["text"])' "$work/out" >"$work/text.after"
wait $client
checks=$((checks + 2))
cmp -s "$work/text.1" "$work/text.after" || fail "another text after a rank was killed"
python3 - "$work/long" "$work/text.1" <<'EOF' || fail "the text that was being made when a rank was killed"
import json, sys
made = json.load(open(sys.argv[1]))
assert made["tokens"] == 4000 and made["text"].startswith(open(sys.argv[2]).read()[:-1]), made["tokens"]
EOF
kill -KILL "$(pid_of_rank 0)"
wait_until_listening 2
ask 200 '{"tokens": 3}'
curl -s "$url/health" >"$work/out"
says 1 '"ranks":2'

# ---- the page, in a browser ----
if command -v chromium >/dev/null; then
    expect 0 "" chromium --headless --no-sandbox --disable-gpu --window-size=390,800 --virtual-time-budget=60000 \
        --dump-dom "$url/#go=40"
    says 1 'data-done="true"'
    says 1 '>40 tokens, [0-9]+ per second<'
    says 1 '>rank 0<.*>rank 1<'
fi
stop

# ---- nobody comes in place of the dead: the others go on, and the next one listens ----
start 3 --on-failure continue
kill -KILL "$(pid_of_rank 2)"
ask 200 '{"prompt": "The light \"falls\"", "tokens": 200, "seed": 7, "stream": false}'
kill -KILL "$(pid_of_rank 0)"
wait_until_listening 2
ask 200 '{"prompt": "The light \"falls\"", "tokens": 200, "seed": 7, "stream": false}'
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["text"])' "$work/out" >"$work/text.last"
cmp -s "$work/text.1" "$work/text.last" || fail "another text on the rank that is left"
curl -s "$url/health" >"$work/out"
says 1 '"ranks":1'
kill -TERM $job
wait $job
ended=$? # of the first that was killed
checks=$((checks + 1))
[ $ended -eq 137 ] || fail "the end of a server that has lost ranks"
job=

# ---- what cannot start ----
expect 1 "cannot be read; .*muster run -n 2 -- train" "$server" "$work/none"
expect 1 "is no model of examples/train" "$server" "$TEST_SOURCE/README.md"
head -c 5000 "$model" >"$work/part"
expect 1 "or a part of one" "$server" "$work/part"
expect 2 "usage: server" "$server" --wrong
expect 1 "is no IPv4 address" "$server" --address nowhere "$model"

conclude "the server"
