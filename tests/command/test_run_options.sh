#!/bin/sh
# What `muster run` adds to a rank and to what it prints: input, files, variables, CPUs, and commands around it;
# and that strays end with the job, also where it is process 1. Uses TEST_COMMAND; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"
run="$TEST_COMMAND run"

# ---- what is shown, and kept ----
expect 0 "" $run -n 4 --show 0,2-3 --log-dir "$work/logs" -- sh -c 'echo out $MUSTER_RANK; echo err >&2; printf last'
says 3 "^\[[023]\] out [023]$"
says 3 "^\[[023]\] last$"
[ "$(cat "$work"/logs/1.out)" = "out 1
last" ] && [ "$(cat "$work"/logs/1.err)" = err ] && [ "$(ls "$work/logs" | wc -l)" -eq 8 ] || fail "--log-dir"
expect 0 "" $run -n 2 --color always -- echo hi
says 2 "$(printf '^\033\[[0-9]*m\[[01]\]\033\[0m hi$')"
expect 0 "" $run -n 2 --timestamps --prefix none -- echo hi
says 2 "^[0-9][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3} hi$"
expect 2 "expected ranks" $run -n 2 --show 1- -- true
expect 125 "--log-dir /proc/no" $run -n 2 --log-dir /proc/no -- true

# ---- standard input ----
seq 1 200000 >"$work/in" # longer than a pipe; rank 1 does not read, which holds up nobody
timeout 60 $run -n 3 --stdin all -- sh -c '[ $MUSTER_RANK = 1 ] || md5sum' <"$work/in" >"$work/out" 2>"$work/err" ||
    fail "--stdin all"
says 2 "^\[[02]\] $(md5sum <"$work/in")$"
{ echo one; sleep 0.2; echo two; } | timeout 60 $run -n 2 --stdin all -- cat >"$work/out" 2>"$work/err" || fail "--stdin all, slowly"
says 2 "^\[[01]\] two$"
echo hi | timeout 60 $run -n 2 --stdin none -- cat >"$work/out" 2>"$work/err" || fail "--stdin none"
[ ! -s "$work/out" ] || fail "--stdin none: somebody read it"
checks=$((checks + 3))

# ---- variables, folder, CPUs ----
expect 0 "" $run -n 2 --env A=1 --env "B=x y" --cwd /proc --torch -- \
    sh -c 'echo "$A $B $(pwd) $RANK of $WORLD_SIZE, $LOCAL_RANK of $LOCAL_WORLD_SIZE at $MASTER_ADDR"'
says 2 "^\[([01])\] 1 x y /proc \1 of 2, \1 of 2 at 127.0.0.1$"
expect 2 "expected NAME=VALUE" $run -n 2 --env A -- true
expect 125 "--cwd /no/such: No such" $run -n 2 --cwd /no/such -- true
cpus=$(nproc)
expect 0 "rank 0: CPUs" $run -n auto --bind core --report-bindings -- sh -c 'echo "$(nproc) $OMP_NUM_THREADS"'
says "$cpus" "^\[[0-9]*\] 1 1$"
expect 0 "OMP_NUM_THREADS 7 (set before)" env OMP_NUM_THREADS=7 $run -n 1 --report-bindings -- sh -c 'echo $OMP_NUM_THREADS'
says 1 "^\[0\] 7$"
expect 0 "" $run -n $((2 * cpus + 1)) --bind core -- nproc --all # more ranks than CPUs: they share
if [ -d /sys/devices/system/node/node0 ]; then
    expect 0 "" $run -n 2 --bind numa -- true
fi
expect 2 "expected none, core or numa" $run -n 2 --bind tight -- true

expect 0 "^muster run: nobody reads MUSTER_TIMEOT;" env MUSTER_TIMEOT=3 MUSTER_ISA=base $run -n 3 -- true
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "warned more than once, or of too much"

# ---- commands around it ----
expect 0 "" $run -n 2 --wrap 'env "A=q r"' -- sh -c 'echo "$A"'
says 2 "^\[[01]\] q r$"
expect 125 "is no command" $run -n 2 --wrap '$(ls' -- true
expect 2 "only ranks 0 to 1" $run -n 2 --gdb 2 -- true
if command -v gdb >/dev/null; then
    expect 0 "" setsid -w $run -n 2 --gdb 1 -- echo hi
    says 2 "hi$"
    expect 255 "" setsid -w $run -n 2 --gdb 1 -- sh -c "[ \$MUSTER_RANK = 0 ] || kill -SEGV \$\$"
    says 1 "^\[1\] Program received signal SIGSEGV"
fi

# ---- a parent that ignores the ends of its children, as some do ----
expect 3 "rank 1 exited with status 3" env --ignore-signal=CHLD $run -n 2 -- sh -c '[ $MUSTER_RANK = 0 ] || exit 3'

# ---- strays: what ranks start and let go of ----
expect 0 "" $run -n 2 -- sh -c 'setsid sleep 77.375 >/dev/null 2>&1 & echo started'
says 2 "started"
pgrep -f "^sleep 77.375" >/dev/null && fail "a stray is left"
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    expect 3 "rank 1 exited with status 3" unshare --pid --fork --mount-proc $run -n 2 -- \
        sh -c 'setsid true & [ $MUSTER_RANK = 0 ] || exit 3'
    begin "$work/out" "$work/err" unshare --pid --fork --kill-child --mount-proc $run -n 2 --grace 0.3 -- \
        sh -c 'trap "echo told; exit 0" TERM; echo ready; while :; do sleep 0.05; done'
    until [ "$(grep -c ready "$work/out")" -eq 2 ]; do sleep 0.05; done
    kill -TERM "$(pgrep -P $job)" # process 1, as a container's runtime would
    wait $job || fail "TERM to process 1"
    says 2 "told"
    checks=$((checks + 1))
fi

conclude "muster run, options"
