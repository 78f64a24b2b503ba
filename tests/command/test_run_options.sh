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
expect 0 "" $run -n 1 --log-dir "$work/a//b/c/" -- echo hi
[ "$(cat "$work/a/b/c/0.out")" = hi ] || fail "--log-dir in folders that are not there"
expect 125 "--log-dir $work/a/b/c/0.out/d: Not a directory" $run -n 1 --log-dir "$work/a/b/c/0.out/d" -- true
expect 2 "--show 5: there are only ranks 0 to 1" $run -n 2 --show 0,3-5 -- true
expect 2 "--show 1: there is only rank 0" $run -n 1 --show 1 -- true

# ---- standard input ----
seq 1 200000 >"$work/in" # longer than a pipe; rank 1 does not read, which holds up nobody
timeout $((60 * ${TEST_PATIENCE:-1})) $run -n 3 --stdin all -- sh -c '[ $MUSTER_RANK = 1 ] || md5sum' <"$work/in" >"$work/out" 2>"$work/err" ||
    fail "--stdin all"
says 2 "^\[[02]\] $(md5sum <"$work/in")$"
{ echo one; sleep 0.2; echo two; } | timeout $((60 * ${TEST_PATIENCE:-1})) $run -n 2 --stdin all -- cat >"$work/out" 2>"$work/err" || fail "--stdin all, slowly"
says 2 "^\[[01]\] two$"
echo hi | timeout $((60 * ${TEST_PATIENCE:-1})) $run -n 2 --stdin none -- cat >"$work/out" 2>"$work/err" || fail "--stdin none"
[ ! -s "$work/out" ] || fail "--stdin none: somebody read it"
for rank in 0 1 2; do
    echo hi | timeout $((60 * ${TEST_PATIENCE:-1})) $run -n 3 --stdin $rank -- cat >"$work/out" 2>"$work/err" || fail "--stdin $rank"
    [ "$(cat "$work/out")" = "[$rank] hi" ] || fail "--stdin $rank: not that rank alone"
done
expect 2 "--stdin 3: there are only ranks 0 to 2" $run -n 3 --stdin 3 -- true
expect 2 "--stdin second: expected a rank, all or none" $run -n 3 --stdin second -- true
# A terminal goes to a rank that was asked for, which talks to it directly; else to none.
ask='import os, sys; print("got", input("name? "), "rank", os.environ["MUSTER_RANK"], sys.stdin.isatty(), sys.stdout.isatty())'
for rank in 0 1; do
    timeout $((60 * ${TEST_PATIENCE:-1})) python3 -B "$TEST_SOURCE/tests/command/answer.py" $run -n 2 --stdin $rank -- \
        sh -c '[ $MUSTER_RANK != '$rank' ] || exec python3 -c "$0"; cat; echo nothing to read' "$ask" >"$work/out" 2>&1 || fail "--stdin $rank, on a terminal"
    says 1 "^got joe rank $rank True True$"
    says 1 "nothing to read$"
done
# What comes after in a script has the terminal again.
timeout $((60 * ${TEST_PATIENCE:-1})) python3 -B "$TEST_SOURCE/tests/command/answer.py" sh -c "$run -n 1 --stdin 0 -- true; echo name?; head -n 1 </dev/tty" >"$work/out" 2>&1 || fail "the terminal after --stdin"
says 2 "^joe$" # once by the terminal itself
timeout $((60 * ${TEST_PATIENCE:-1})) python3 -B "$TEST_SOURCE/tests/command/answer.py" $run -n 2 -- sh -c 'echo name?; cat; echo nothing to read' >"$work/out" 2>&1 || fail "a terminal"
says 2 "nothing to read$"
checks=$((checks + 9))

# ---- several programs ----
expect 0 "" $run -n 1 --wrap 'env X=w' -- sh -c 'echo "a $MUSTER_RANK of $MUSTER_SIZE $X $*"' 0 : -np 2 sh -c 'echo "b $MUSTER_RANK of $MUSTER_SIZE $X $*"' 0 1 2 : --ranks=1 -- echo c
says 1 "^\[0\] a 0 of 4 w $"
says 1 "^\[1\] b 1 of 4 w 1 2$"
says 1 "^\[2\] b 2 of 4 w 1 2$"
says 1 "^\[3\] c$"
expect 0 "" $run -n 1 "$TEST_EXAMPLES/hello" : -n 2 "$TEST_EXAMPLES/hello"
says 3 "^\[([0-2])\] rank \1 of 3: the ranks add up to 3$"
expect 0 "" $run -n 1 echo a : b : # which begin no program
says 1 "^\[0\] a : b :$"
expect 127 "rank 1 could not start: cannot execute \"/no/such\"" $run -n 1 -- sleep 30 : -n 1 /no/such
expect 5 "rank 2 exited with status 5" $run -n 2 -- sleep 30 : -n 1 sh -c 'exit 5'
expect 2 "behind \":\" expected -n and a number of ranks from 1 to 1024, not \"x\"" $run -n 1 true : -n x true
expect 2 "no command behind the last" $run -n 1 true : -n 2
expect 2 "no command before" $run -n 1 : -n 2 true
expect 2 "more than 1024 ranks" $run -n 1000 true : -n 25 true
expect 2 "--gdb 3: there are only ranks 0 to 2" $run -n 1 --gdb 3 true : -n 2 true

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
expect 0 "^muster run: --bind core: $((2 * cpus + 1)) ranks share $cpus CPU" $run -n $((2 * cpus + 1)) --bind core -- nproc --all
expect 0 "" $run -n $cpus --bind core -- true
[ ! -s "$work/err" ] || fail "--bind core where each has its own"
if [ -d /sys/devices/system/node/node0 ]; then
    expect 0 "" $run -n 2 --bind numa -- true
fi
expect 2 "expected none, core or numa" $run -n 2 --bind tight -- true

expect 0 "^muster run: nobody reads MUSTER_TIMEOT; did you mean MUSTER_TIMEOUT?$" env MUSTER_TIMEOT=3 MUSTER_ISA=base $run -n 3 -- true
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "warned more than once, or of too much"
expect 0 "^muster run: nobody reads MUSTER_TIMOUT; did you mean MUSTER_TIMEOUT?$" $run -n 3 --env MUSTER_TIMOUT=3 --env MUSTER_ISA=base --env A=1 -- true
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "--env: warned more than once, or of too much"
expect 0 "^muster run: nobody reads MUSTER_FROBNICATE; muster(1) lists the variables$" env MUSTER_FROBNICATE=1 $run -n 1 -- true

expect 125 "needs [0-9]* MiB of address space, and 0 were requested; raise MUSTER_ARENA_BYTES, or leave it unset$" env MUSTER_ARENA_BYTES=3 $run -n 2 -- true
expect 125 "lower MUSTER_ARENA_BYTES, or " env MUSTER_ARENA_BYTES=900000000G $run -n 2 -- true

# ---- below another launcher ----
for variable in WORLD_SIZE OMPI_COMM_WORLD_SIZE PMI_SIZE; do
    expect 0 "^muster run: $variable is 4: if another launcher runs this 4 times, each makes a job" env $variable=4 $run -n 2 -- true
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$variable: warned more than once"
    expect 0 "" env $variable=1 $run -n 2 -- true
    [ ! -s "$work/err" ] || fail "$variable=1 is no launcher of several"
    expect 0 "is alone, though $variable says 4 ranks: .* muster run -n 4 -- COMMAND" env $variable=4 MUSTER_LOG=warn "$TEST_EXAMPLES/hello"
    expect 0 "" env $variable=4 MUSTER_LOG=warn $run -n 1 -- "$TEST_EXAMPLES/hello" # which knows better
    grep -q "is alone" "$work/err" && fail "$variable: a rank of muster's is told that it is alone"
done
expect 0 "^muster run: SLURM_NTASKS is 3" env SLURM_NTASKS=3 SLURM_STEP_ID=0 $run -n 2 -- true
expect 0 "" env SLURM_NTASKS=3 $run -n 2 -- true # the script of a batch job
[ ! -s "$work/err" ] || fail "SLURM_NTASKS without a step"

# ---- commands around it ----
expect 0 "" $run -n 2 --wrap 'env "A=q r"' -- sh -c 'echo "$A"'
says 2 "^\[[01]\] q r$"
expect 125 "is not a command" $run -n 2 --wrap '$(ls' -- true
expect 2 "only ranks 0 to 1" $run -n 2 --gdb 2 -- true

# ---- a machine of another shape ----
for wrong in 4 4x x8 4xabc 0x8 4x8x2 4x1025 -1x2 "4 x8"; do
    expect 2 "expected DOMAINSxRANKS, such as 4x8" $run -n 2 --pretend-topology "$wrong" -- true
done
expect 0 "" $run -n 2 --pretend-topology 4x8 -- sh -c 'echo "$MUSTER_PRETEND_TOPOLOGY"'
says 2 "4x8"
MUSTER_LOG=info expect 0 "meets in two levels, in a group of 4: 2 domains" $run -n 4 --pretend-topology 2x2 -- "$TEST_EXAMPLES/hello"
if command -v gdb >/dev/null; then
    expect 0 "" setsid -w $run -n 2 --gdb 1 -- echo hi
    says 2 "hi$"
    expect 139 "rank 1 was killed by signal 11" setsid -w $run -n 2 --gdb 1 -- sh -c "[ \$MUSTER_RANK = 0 ] || kill -SEGV \$\$"
    says 1 "^\[1\] Program received signal SIGSEGV"
    expect 7 "rank 1 exited with status 7" setsid -w $run -n 2 --gdb 1 -- sh -c "[ \$MUSTER_RANK = 0 ] || exit 7"
    # What a program handles does not end it, and a status above 128 is no signal.
    expect 139 "rank 1 exited with status 139" setsid -w $run -n 2 --gdb 1 -- \
        sh -c "[ \$MUSTER_RANK = 0 ] || { trap 'echo handled' USR1; kill -USR1 \$\$; exit 139; }"
    says 1 "^\[1\] handled$"
    expect 124 "timed out" setsid -w $run -n 2 --timeout 1 --gdb 1 -- sleep 77.625
    pgrep -f "^sleep 77.625" >/dev/null && fail "what gdb ran is left"
fi

# ---- a parent that ignores the ends of its children, as some do ----
expect 3 "rank 1 exited with status 3" env --ignore-signal=CHLD $run -n 2 -- sh -c '[ $MUSTER_RANK = 0 ] || exit 3'

# ---- strays: what ranks start and let go of ----
expect 0 "" $run -n 2 -- sh -c 'setsid sleep 77.375 >/dev/null 2>&1 & echo started'
says 2 "started"
pgrep -f "^sleep 77.375" >/dev/null && fail "a stray is left"
expect 0 "" $run -n 1 --keep-detached -- sh -c 'setsid sh -c "echo \$\$ >$0.new; mv $0.new $0; exec sleep 77.875" >/dev/null 2>&1 & until [ -f "$0" ]; do sleep 0.05; done' "$work/kept"
kept=$(cat "$work/kept")
kill "$kept" || fail "--keep-detached: it is gone"
checks=$((checks + 1))
# Children that it had before it was muster: one that goes on, and one that reads what the ranks print.
mkfifo "$work/pipe" "$work/go"
expect 0 "" sh -c 'cd "$0"; sleep 77.0625 & echo $! >before; (exec <pipe; read go <go; cat >piped) & exec "$@" >pipe' \
    "$work" $run -n 2 -- sh -c 'setsid sleep 77.375 >/dev/null 2>&1 & echo printed'
pgrep -f "^sleep 77.375" >/dev/null && fail "a stray is left beside children that were there before"
kill "$(cat "$work/before")" || fail "a child that was there before is gone"
timeout $((60 * ${TEST_PATIENCE:-1})) sh -c 'cd "$0"; echo >go; until [ "$(grep -c printed piped 2>&1)" = 2 ]; do sleep 0.05; done' "$work" ||
    fail "who read what the ranks print was ended before"
checks=$((checks + 3))
# What such a child has started, and leaves to the launcher while the job runs.
mkfifo "$work/end"
# shellcheck disable=SC2016
expect 0 "" sh -c 'cd "$0"; (sleep 77.9375 & echo $! >left; read end <end) & until [ -s left ]; do sleep 0.05; done; exec "$@"' "$work" $run -n 1 -- sh -c \
    'cd "$0"; echo >end; until [ "$(ps -o ppid= -p "$(cat left)" | tr -d " ")" = $PPID ]; do sleep 0.05; done' "$work"
kill "$(cat "$work/left")" || fail "what a child that was there before has left is gone"
checks=$((checks + 1))
# Who is no child of the launcher is let live, whatever it reads of its children, be it cut or not.
if unshare --map-root-user --mount mount --bind "$work/out" /proc/self/environ 2>/dev/null; then
    begin "$work/beside" "$work/beside" sleep 77.1875
    for end in "" " "; do
        printf "$job$end" >"$work/children"
        expect 0 "" unshare --map-root-user --mount \
            sh -c 'mount --bind "$0" /proc/$$/task/$$/children && exec "$@"' "$work/children" $run -n 1 true
        case "$(ps -o stat= -p $job)" in "" | Z*) fail "no child of the launcher, and ended: \"$(cat "$work/children")\"" ;; esac
    done
    kill $job
fi
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
