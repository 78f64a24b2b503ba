#!/bin/sh
# `muster bench`: every operation gives right results on private and arena buffers, bad options are
# refused in words, and the JSON is JSON. No time is looked at.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 checks=0

expect() { # expect STATUS WORDS COMMAND...: WORDS on stdout or stderr
    wanted=$1 words=$2
    shift 2
    checks=$((checks + 1))
    timeout $((120 * ${TEST_PATIENCE:-1})) "$@" >"$work/out" 2>&1
    status=$?
    if [ $status -ne "$wanted" ] || ! grep -q -- "$words" "$work/out"; then
        echo "FAILED: $*: status $status; expected $wanted and \"$words\""
        sed 's/^/    /' "$work/out"
        failures=$((failures + 1))
    fi
}

all="all_sum all_gather sum_scatter broadcast reduce gather scatter all_to_all all_gatherv reduce_scatterv gatherv scatterv all_to_allv scan exscan sendrecv ping_pong tags halo farm put_signal queue barrier"
bench="$TEST_COMMAND bench"
expect 0 "usage: muster bench" $bench --help
expect 2 "no operation" $bench all_the_things
expect 2 "expected a size" $bench -e lots
expect 2 "above the last" $bench -b 1M -e 4
expect 2 "expected bool, int8" $bench -d float24
expect 2 "expected sum" $bench -o average
expect 2 "^muster bench: avg does not work with int32, but with floats" $bench -o avg -d int32 barrier scan
checks=$((checks + 1))
if grep -vq "^muster bench: \|^Try: " "$work/out"; then
    echo "FAILED: more was printed than what does not work together"
    failures=$((failures + 1))
fi
expect 2 "maxloc does not work with float32" $bench -o maxloc all_reduce
expect 0 "every result was right" $bench --check -e 4 -o avg -d int32 all_gather
expect 2 "needs 2 ranks" $bench -n 1 sendrecv
expect 2 "halo needs 2 ranks" $bench -n 1 halo
expect 2 "2 or more" $bench -f 1
expect 2 "expected a size" $bench -b 17179869184G
expect 2 "2 or more" $bench -f 17179869186G
expect 2 "expected a size" $bench -e 1025G
expect 0 "every result was right" $bench --check -n 1 -b 16M -e 16M -f 1024G
for n in 2 3 8; do
    for buffers in "" --arena "--in-place" "--arena --in-place"; do
        expect 0 "every result was right" $bench --check -n $n -e 1M $buffers $all
    done
done
for buffers in "" --arena "--arena --in-place"; do
    expect 0 "every result was right" $bench --check --started -n 3 -e 1M $buffers $all
done
expect 0 "^# 3 threads of each rank in one collective$" $bench --check -n 2 --threads 3 -e 4M $all
expect 0 "every result was right" $bench --check -n 3 --threads 2 --arena --in-place -e 1M $all
expect 0 '"threads": 2' $bench --check -n 2 --threads 2 --json -e 4 barrier
expect 2 "a number of threads from 1 to 1024" $bench --threads 0
expect 0 "buffers, started$" $bench --check --started -e 4 barrier
expect 0 '"started": true' $bench --check --json --started -e 4 barrier
expect 0 "every result was right" $bench --check -n 1 -e 64K all_sum all_gather barrier
# Many ranks, in two levels: payloads that leaders pass on, or have no room for, and what lies elsewhere.
expect 0 "every result was right" env MUSTER_PRETEND_TOPOLOGY=4x6 $bench --check -n 24 -e 64K -f 16 all_sum all_gather scan barrier
expect 125 'MUSTER_PRETEND_TOPOLOGY is "4"; expected DOMAINSxRANKS' env MUSTER_PRETEND_TOPOLOGY=4 $bench --check barrier
for dtype in bool int8 int64 float16 bfloat16 float64 complex64; do
    expect 0 "every result was right" $bench --check -n 4 -b 64 -e 64K -d $dtype -o prod all_reduce sum_scatter
done
expect 0 "^# scan, minloc$" $bench --check -n 3 -e 256 -d float32_int32 -o minloc scan
expect 0 "# all_reduce, maxloc" $bench --check -b 64 -e 64 -d float32_int32 -o maxloc all_reduce
expect 0 "beside 2 busy processes on each CPU" $bench --check --neighbours 2 -e 4K all_sum barrier
expect 2 "from 1 to 1024" $bench --neighbours 0
expect 0 '"wrong": 0' $bench --check --json -e 4K all_sum barrier
cp "$work/out" "$work/json"
if command -v python3 >/dev/null; then
    expect 0 right python3 -c 'import json, sys; json.load(open(sys.argv[1])); print("right")' "$work/json"
fi

# ---- the machine's limits: on one CPU, without memory, and once the command is killed ----
one_cpu="taskset -c $(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')"
expect 0 "a cache line to another CPU [-0-9]* ns" $one_cpu $bench -n 1 --seconds 0.01 barrier
checks=$((checks + 2))
(ulimit -v 200000 && timeout $((120 * ${TEST_PATIENCE:-1})) $bench -n 1 --seconds 0.01 barrier) >"$work/out" 2>&1
status=$?
if [ $status -eq 124 ] || ! grep -q "not every limit of this machine was measured: out of memory; --no-limits" "$work/out" ||
    ! grep -q "^# memory, .*: read - / -, write - / -, copy - / - .*; copy in cache -$" "$work/out" || grep -qw nan "$work/out"; then
    echo "FAILED: limits without memory: status $status"
    sed 's/^/    /' "$work/out"
    failures=$((failures + 1))
fi
$one_cpu $bench -n 1 barrier >"$work/out" 2>&1 &
killed=$!
until child=$(pgrep -P $killed); do sleep 0.02; done
kill -KILL $killed
turns=0
while [ -d "/proc/$child" ] && ! grep -q "^State:.Z" "/proc/$child/status" && [ $turns -lt 600 ]; do
    sleep 0.1
    turns=$((turns + 1))
done
if [ $turns -eq 600 ]; then
    echo "FAILED: who measures the limits outlives the command"
    kill -KILL "$child"
    failures=$((failures + 1))
fi
echo "muster bench: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
