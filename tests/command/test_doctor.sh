#!/bin/sh
# `muster doctor`: what it finds here, and in places that were made worse. Uses TEST_COMMAND; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"

MUSTER_TIMEOUT=3 MUSTER_TIMEOT=4 "$TEST_COMMAND" doctor >"$work/out" 2>&1 || fail "status $?"
says 1 "^ok    kernel: Linux "
says 1 "^ok    arena: "
says 1 "^ok    variable: MUSTER_TIMEOUT=3$"
says 1 "^note  variable: MUSTER_TIMEOT=4, which nobody reads; did you mean MUSTER_TIMEOUT\?$"
says 1 "^ok    copies: ranks can read each other's memory"
says 1 "^ok    trial: two ranks, all_sum of 4 bytes in [0-9.]+ us"
says 1 "^Ranks can work here\.$"
"$TEST_BUILD/tests/refuses" "$TEST_COMMAND" doctor >"$work/out" 2>&1 || fail "a sandbox: status $?"
says 1 "^note  copies: ranks cannot read each other's memory .process_vm_readv: Operation not permitted., so"
says 1 "^        to improve it: .*ptrace_scope=0"
(ulimit -n 100 && "$TEST_COMMAND" doctor) >"$work/out" 2>&1 || fail "few descriptors: status $?"
says 1 "^note  limits: open files is limited to 100$"
says 1 "^        to improve it: ulimit -n 4096"
# Names that cannot be made: doctor does not say that all is well, and a rank says where and what to do.
if unshare --mount --map-root-user true 2>/dev/null; then
    unshare --mount --map-root-user sh -c 'mount -t tmpfs -o ro none /dev/shm && exec "$@"' sh "$TEST_COMMAND" doctor >"$work/out" 2>&1 ||
        fail "a /dev/shm that cannot be written: ranks can work with muster run"
    says 1 "^note  names: nothing can be made in /dev/shm \(Read-only file system\), so ranks cannot meet by"
    says 0 "^ok    names"
    checks=$((checks + 2))
    unshare --mount --map-root-user sh -c 'mount -t tmpfs -o ro none /dev/shm && exec "$@"' sh \
        env MUSTER_ARENA=/job MUSTER_SIZE=2 MUSTER_RANK=0 "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 && fail "a named arena without names"
    says 1 "the named arena /dev/shm/job cannot be created: Read-only file system; make it writable \(mount .*, or start the ranks with muster run"
    unshare --mount --map-root-user sh -c 'mount -t tmpfs none /dev && exec "$@"' sh \
        env MUSTER_ARENA=/job MUSTER_SIZE=2 MUSTER_RANK=0 "$TEST_EXAMPLES/hello" >"$work/out" 2>&1 && fail "a named arena without /dev/shm"
    says 1 "the named arena /dev/shm/job cannot be created: No such file or directory; mount one \(mount -t tmpfs"
fi
if unshare --mount --map-root-user sh -c 'mount -t tmpfs none /proc' 2>/dev/null; then
    checks=$((checks + 1))
    unshare --mount --map-root-user sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$TEST_COMMAND" doctor >"$work/out" 2>&1
    says 1 "^note  /proc: not mounted, so muster ps, inspect and top find no jobs"
    says 0 "^ok    memory" # which it cannot know
    says 1 "^Ranks can work here\.$"
fi
# No room for an arena's file: ranks cannot work, and it says so.
checks=$((checks + 1))
(ulimit -f 100 && exec "$TEST_COMMAND" doctor 2>&1) | cat >"$work/out"
says 1 "^note  limits: file size"
says 1 "^BAD   trial: two ranks cannot work together: .*raise the limit that ulimit -f shows, or use fewer ranks$"
says 1 "^Ranks cannot work here\.$"
checks=$((checks + 1))
"$TEST_COMMAND" doctor now >"$work/out" 2>&1
[ $? -eq 2 ] || fail "an argument"

# In a memory control group of our own, where one can be made (root; v1 or v2).
small=
for kind in /sys/fs/cgroup/memory:memory.limit_in_bytes /sys/fs/cgroup:memory.max; do
    small=${kind%%:*}/muster-test-$$
    if mkdir "$small" 2>/dev/null; then
        (echo 200M >"$small/${kind##*:}") 2>/dev/null && break
        rmdir "$small"
    fi
    small=
done
if [ -n "$small" ]; then
    sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" doctor' sh "$small" "$TEST_COMMAND" >"$work/out" 2>&1
    says 1 "^note  memory: control group /muster-test-$$ is limited to 200 MiB, of which [0-9]* MiB are left"
    says 1 "^Ranks can work here\.$"
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" run -n 2 -- sh -c "[ \$MUSTER_RANK = 0 ] || exec tail /dev/zero"' \
        sh "$small" "$TEST_COMMAND" >"$work/out" 2>&1
    says 1 "rank 1 was killed by signal 9 .Killed.; its memory control group was out of memory"
    rmdir "$small" || fail "the control group is in use still"
else
    echo "no memory control group can be made here: its limit is not looked at"
fi

# In a group whose parent, below the group that we are in, has a quota of CPU time (root; v1 or v2).
quota=
own=$(sed -n 's/^[0-9]*:\(cpu\|cpu,[^:]*\)://p' /proc/self/cgroup)
for parent in "/sys/fs/cgroup/cpu${own%/}/muster-test-$$" "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/muster-test-$$"; do
    if mkdir "$parent" 2>/dev/null; then
        if mkdir "$parent/below" 2>/dev/null &&
            { (echo 150000 >"$parent/cpu.cfs_quota_us" && echo 100000 >"$parent/cpu.cfs_period_us") || echo "150000 100000" >"$parent/cpu.max"; } 2>/dev/null; then
            quota=$parent
            break
        fi
        rmdir "$parent/below" "$parent" 2>/dev/null
    fi
done
if [ -n "$quota" ]; then
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$1/below/cgroup.procs" && exec "$2" doctor' sh "$quota" "$TEST_COMMAND" >"$work/out" 2>&1
    says 1 "^(ok   |note ) quota: 1\.50 CPUs; ranks that spin use it up"
    rmdir "$quota/below" "$quota" || fail "the control group is in use still"
else
    echo "no control group with a quota can be made here: it is not looked at"
fi

conclude "muster doctor"
