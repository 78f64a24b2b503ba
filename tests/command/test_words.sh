#!/bin/sh
# scripts/words.py shows the words of ranks that wait, by the names that the code has today. Uses TEST_COMMAND, TEST_BUILD
# and TEST_SOURCE.
set -eu
command -v gdb >/dev/null || { echo "no gdb"; exit 77; }
work=$(mktemp -d)
job=""
finish() {
    [ -z "$job" ] || kill "$job" 2>/dev/null || true
    [ -z "$job" ] || wait "$job" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

"$TEST_COMMAND" run -n 4 -- "$TEST_BUILD/tests/waits" >"$work/job" 2>&1 &
job=$!

# words RANK: those of a rank once it waits.
words() {
    pid=""
    while [ -z "$pid" ]; do
        kill -0 "$job" || { cat "$work/job"; exit 1; }
        pid=$("$TEST_COMMAND" inspect --json "$job" 2>/dev/null | sed -n "s/.*\"rank\": $1, \"pid\": \([0-9]*\),.*\"waits in muster\".*/\1/p")
        sleep 0.05
    done
    gdb -p "$pid" -batch -x "$TEST_SOURCE/scripts/words.py" >"$work/words" 2>"$work/errors" || true
    if grep -q "ptrace: Operation not permitted" "$work/words" "$work/errors"; then
        echo "this user may attach to nobody"
        exit 77
    fi
    if grep -q "there is no debug information of muster" "$work/words" "$work/errors"; then
        echo "skipped: muster was built without debug information, by which gdb finds the words"
        exit 77
    fi
    if ! grep -qE "^rank $1 of 4: round [1-9]" "$work/words" || [ "$(grep -cE '^ +[0-3] +[0-9]+ ' "$work/words")" -ne 4 ]; then
        cat "$work/words" "$work/errors"
        echo "the words of four ranks were expected"
        exit 1
    fi
}

words 1 # in a collective
words 2 # in a receive: its doorbell has a sleeper, unless it is awake just then, to look for deaths
looks=0
until grep -qE '^ +2 .*\| +[0-9]+ +1 \|' "$work/words"; do
    looks=$((looks + 1))
    [ $looks -lt 50 ] || { cat "$work/words"; echo "rank 2 never sleeps on its doorbell"; exit 1; }
    words 2
done
echo "the words of ranks that wait are shown"
