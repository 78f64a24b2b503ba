#!/bin/sh
# demo/server as its users meet it: by curl, by many clients at once, by a browser where there is one, and
# with ranks that are killed. Uses TEST_COMMAND and TEST_DEMO; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
trap 'kill $job 2>/dev/null; wait $job 2>/dev/null; rm -rf "$work"' EXIT
job=
server=$TEST_DEMO/server
model=$work/model.bin
[ -x "$server" ] || exit 77 # not built: no libmicrohttpd, or no jansson

# start RANKS OPTIONS...: the server, at $url
start() {
    ranks=$1
    shift
    begin "$work/server" "$work/server" "$TEST_COMMAND" run --grace 20 -n "$ranks" "$@" -- "$server" --port 0 "$model"
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

"$TEST_COMMAND" run -n 2 -- "$TEST_DEMO/train" --steps 20 --save "$model" >"$work/train" 2>&1 || fail "train"

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
says 1 '^\{"done":true,"tokens":5,"seconds":[0-9.]+,"finish":"length"\}$'
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
curl -s "$url/metrics" >"$work/out"
says 1 '^muster_server_first_token_seconds_bucket\{le="\+Inf"\} [1-9]'
says 1 '^muster_server_first_token_seconds_count [1-9]'
says 1 '^muster_server_request_seconds_bucket\{le="\+Inf"\} [1-9]'
says 1 '^muster_server_ready 1$'

# status_of PATH OPTIONS...: the status of an answer, in words of its own where it is another
answers() {
    wanted=$1 path=$2
    shift 2
    checks=$((checks + 1))
    got=$(curl -s -o "$work/out" -w '%{http_code}' --max-time 60 "$@" "$url$path")
    [ "$got" = "$wanted" ] || fail "$path $*: status $got, not $wanted"
}
answers 200 /live
answers 200 /ready
for path in / /health /live /ready /metrics; do answers 200 $path --head; done
answers 405 /generate --head
curl -s --head "$url/generate" | tr -d '\r' >"$work/out"
says 1 '^Allow: POST$'
curl -s -o /dev/null -D - -d x "$url/health" | tr -d '\r' >"$work/out"
says 1 '^Allow: GET, HEAD$'
checks=$((checks + 1))
curl -s --head "$url/health" | grep -qi '^content-length: [1-9]' || fail "HEAD has no length"

# ---- how bytes are drawn ----
whole() { ask 200 "{\"prompt\": \"The light\", \"tokens\": 60, \"stream\": false$1}"; sed 's/,"seconds":[^,]*//' "$work/out"; }
checks=$((checks + 6))
greedy=$(whole ', "temperature": 0, "seed": 1')
[ "$greedy" = "$(whole ', "temperature": 0, "seed": 2')" ] || fail "temperature 0 depends on the seed"
[ "$greedy" = "$(whole ', "top_k": 1, "seed": 3')" ] || fail "top_k 1 is not temperature 0"
[ "$greedy" = "$(whole ', "top_p": 1e-6, "seed": 4')" ] || fail "a small top_p is not temperature 0"
[ "$(whole ', "seed": 5')" = "$(whole ', "top_k": 256, "top_p": 1, "seed": 5')" ] || fail "all of 256 is not all"
[ "$(whole ', "seed": 5')" != "$(whole ', "seed": 6')" ] || fail "the seed has no effect"
[ "$(whole ', "temperature": 2, "top_k": 3, "seed": 5')" != "$(whole ', "temperature": 2, "seed": 5')" ] || fail "top_k has no effect"

# ---- texts that stop before a string: whole, streamed, one of several, none ----
python3 - "$url" <<'EOF' || fail "stop strings"
import json, re, sys, urllib.request
def ask(**wish):
    body = json.dumps(dict(prompt="The light", tokens=200, seed=7, **wish)).encode()
    return urllib.request.urlopen(sys.argv[1] + "/generate", body, timeout=60).read().decode()
full = json.loads(ask(stream=False))["text"]
assert len(full) == 200
# A stop string is bytes of UTF-8, and the text shows each byte as a character: they are alike in ASCII.
for stop in sorted(re.findall("[ -~]+", full), key=len)[-5:] + re.findall("[ -~]", full)[20:23]:
    expected = full[:full.index(stop)]
    for stops in (stop, ["\u0001 never", stop, stop + "x"]):
        whole = json.loads(ask(stream=False, stop=stops))
        assert whole["text"] == expected and whole["finish"] == "stop" and whole["tokens"] == len(expected), whole
        lines = [json.loads(line) for line in ask(stop=stops).splitlines()]
        assert "".join(line["text"] for line in lines[:-1]) == expected, lines
        assert lines[-1]["done"] and lines[-1]["finish"] == "stop", lines[-1]
never = re.findall("[ -~]", full)[-1] + "\u0001 never"  # its beginning is held back
assert json.loads(ask(stream=False, stop=never))["text"] == full
EOF
checks=$((checks + 1))

# ---- what makes no sense ----
ask 400 'nonsense'
says 1 'expected a JSON object'
ask 400 '{"temperature": 1e400}'
says 1 'expected a JSON object.*: real number overflow'
ask 400 '{"tokens": 99999999999999999999}'
says 1 'too big integer'
ask 400 '{"prompt": "a\u0000b"}'
says 1 'u0000 is not allowed'
ask 400 "$(printf '{"prompt": "caf\303\251 \351t"}')"
says 1 'expected a JSON object.*: unable to decode byte 0xe9'
ask 400 '{"prompt": 7}'
says 1 'expected prompt \(a string\)'
ask 400 '{"promt": "The"}'
ask 400 '{"tokens": 0}'
says 1 'tokens is not between 1 and 4096'
ask 400 '{"tokens": 4097}'
ask 400 '{"temperature": 0.001}'
ask 400 '{"temperature": -1}'
says 1 'temperature is not 0, nor between 0.01 and 10'
ask 400 '{"top_p": 0}'
ask 400 '{"top_k": -1}'
ask 400 '{"stop": ""}'
ask 400 '{"stop": ["a", "b", "c", "d", "e"]}'
says 1 'stop is not a string'
head -c 70000 /dev/zero | tr '\0' ' ' >"$work/long"
ask 413 "@$work/long"
ask 200 "{\"prompt\": \"$(head -c 5000 /dev/zero | tr '\0' 'x')\", \"tokens\": 2}"
checks=$((checks + 3))
[ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/nowhere")" = 404 ] || fail "a path that is none"
[ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/generate")" = 405 ] || fail "GET /generate"
[ "$(curl -s -o "$work/out" -w '%{http_code}' -d x "$url/health")" = 405 ] || fail "POST /health"

# ---- many at once, some of whom go away ----
expect 0 "" python3 "$TEST_SOURCE/demo/server/load.py" "$url" 200 8 30
says 1 '^200 requests, 8 at once, 30 tokens each: 0 failed'
for i in 1 2 3 4 5; do timeout 0.1 curl -s -d '{"tokens": 4096}' "$url/generate" >/dev/null; done
ask 200 '{"tokens": 3}'

# ---- a thousand clients who say nothing, or drip: others are served, and the silent are shown out ----
python3 - "$url" <<'EOF' || fail "a thousand silent connections"
import resource, socket, sys, time, urllib.request
from urllib.parse import urlsplit
resource.setrlimit(resource.RLIMIT_NOFILE, (1200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
where = urlsplit(sys.argv[1])
silent = [socket.create_connection((where.hostname, where.port), timeout=60) for _ in range(1000)]
for path in ("/health", "/live", "/ready", "/metrics"):
    assert urllib.request.urlopen(sys.argv[1] + path, timeout=60).status == 200
body = b'{"tokens": 3, "stream": false}'
assert urllib.request.urlopen(sys.argv[1] + "/generate", body, timeout=60).status == 200
dripping = silent.pop()
dripping.settimeout(0.2)
for each in silent:  # each is closed by the server, in the end
    assert each.recv(100) == b""
began, shown_out = time.monotonic(), False
while not shown_out and time.monotonic() - began < 60:  # a byte at a time is no request either
    try:
        dripping.sendall(b"G")
        shown_out = dripping.recv(100) == b""
    except TimeoutError:
        continue
    except OSError:
        shown_out = True
assert shown_out
EOF
checks=$((checks + 1))

# ---- as many texts as it takes, and one more ----
python3 - "$url" <<'EOF' || fail "a full server"
import http.client, sys, threading, urllib.error, urllib.request
from urllib.parse import urlsplit
where, body = urlsplit(sys.argv[1]).netloc, '{"tokens": 4096, "stream": false}'
clients = [http.client.HTTPConnection(where, timeout=60) for _ in range(300)]
for client in clients:
    client.request("POST", "/generate", body)
refused = None
for client in reversed(clients):  # the first ones are being made for long
    answer = client.getresponse()
    if answer.status == 503:
        refused = answer.getheader("Retry-After"), answer.read()
        break
assert refused and refused[0] == "1" and b"try again" in refused[1], refused
assert urllib.request.urlopen(sys.argv[1] + "/live", timeout=60).status == 200
EOF
checks=$((checks + 1))
until [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/ready")" = 200 ]; do sleep 0.05; done

# ---- a second server on the same port ----
expect 1 "cannot listen on 127.0.0.1, port [0-9]*: Address already in use; --port takes another" \
    "$server" --port "${url##*:}" "$model"

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

# ---- asked to stop: texts that are being made come to their end, no others begin; asked twice: now ----
start 2 --grace 60
curl -s -N --max-time 60 -d '{"tokens": 4096}' "$url/generate" >"$work/drained" &
client=$!
until [ -s "$work/drained" ]; do sleep 0.01; done
kill -TERM $job
until [ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/ready")" != 200 ]; do sleep 0.01; done
wait $client
wait $job
ended=$?
job=
checks=$((checks + 2))
[ $ended -eq 0 ] || fail "the end of a server that was asked to stop: $ended, $(cat "$work/server")"
tail -n 1 "$work/drained" | grep -q '^{"done":true,"tokens":4096,' || fail "a text was cut short: $(tail -n 1 "$work/drained")"
start 2 --grace 60
curl -s -N --max-time 60 -d '{"tokens": 4096}' "$url/generate" >"$work/cut" &
client=$!
until [ -s "$work/cut" ]; do sleep 0.01; done
kill -TERM $job
until [ "$(curl -s -o "$work/out" -w '%{http_code}' "$url/live")" != 200 ]; do kill -TERM $job 2>/dev/null; sleep 0.01; done
wait $client
wait $job
job=

# ---- IPv6, where the system has it ----
if [ -e /proc/net/if_inet6 ] && [ -s /proc/net/if_inet6 ]; then
    begin "$work/server" "$work/server" "$TEST_COMMAND" run -n 2 -- "$server" --address ::1 --port 0 "$model"
    wait_until_listening 1
    answers 200 /health -g
    stop
fi

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
expect 1 "is no model of demo/train" "$server" "$TEST_SOURCE/README.md"
head -c 5000 "$model" >"$work/part"
expect 1 "or a part of one" "$server" "$work/part"
expect 2 "usage: server" "$server" --wrong
expect 1 "no address \"256.0.0.1\"" "$server" --address 256.0.0.1 --port 0 "$model"
expect 2 "usage: server" "$server" --port 80x "$model"

conclude "the server"
