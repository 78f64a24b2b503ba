#!/bin/sh
# Every call that the system may refuse, refused once: the first, the second, and so on until the program
# has run without reaching that call. Each run must end by itself, in success or in an error in words,
# and leave nothing behind. INJECT_CLIENT and INJECT_LIBRARY are what tests/CMakeLists.txt has built.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0

# refuse NAME ERRNO MEANING
refuse() {
    k=1
    while :; do
        rm -f "$work/fired"
        status=0
        INJECT=$1:$k:$2 INJECT_LOG=$work/fired LD_PRELOAD=$INJECT_LIBRARY timeout $((20 * ${TEST_PATIENCE:-1})) "$INJECT_CLIENT" \
            >"$work/log" 2>&1 || status=$?
        checks=$((checks + 1))
        if [ $status -ne 0 ] && [ $status -ne 3 ]; then
            echo "call $k of $1 refused ($3): status $status"
            cat "$work/log"
            failures=$((failures + 1))
        fi
        [ -e "$work/fired" ] || break
        k=$((k + 1))
        [ $k -lt 200 ] || break # waits have no fixed number
    done
    echo "$1 ($3): $((k - 1)) calls"
}

refuse mmap 12 "out of memory"
refuse ftruncate 27 "file too large"
refuse memfd_create 24 "too many files"
refuse memfd_create 38 "not there"
refuse pthread_create 11 "no more threads"
refuse madvise 22 "invalid"
refuse madvise 12 "out of memory"
refuse madvise 14 "no space"
refuse set_robust_list 38 "not there"
refuse set_robust_list 1 "not allowed"
refuse futex_waitv 38 "not there"
refuse futex_waitv 1 "not allowed"
refuse pidfd_open 1 "not allowed"
refuse pidfd_open 24 "too many files"
refuse futex 4 "interrupted"
refuse futex 11 "try again"
export MUSTER_PROGRESS_THREAD=1
refuse pthread_create 11 "no more threads, one of which the user asks for"
refuse futex_waitv 38 "not there, beside a progress thread"
unset MUSTER_PROGRESS_THREAD
# Standard input that cannot be kept for all ranks: none is given half of it as if it were all.
status=0
seq 100000 | INJECT=pwrite:3:28 LD_PRELOAD=$INJECT_LIBRARY timeout $((20 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 2 --stdin all -- \
    sh -c 'cat >/dev/null; while :; do sleep 0.05; done' >"$work/log" 2>&1 || status=$?
checks=$((checks + 1))
if [ $status -ne 143 ] || ! grep -q "standard input cannot be kept until all ranks have read it: No space left" "$work/log"; then
    echo "--stdin all, nothing can be kept: status $status"
    cat "$work/log"
    failures=$((failures + 1))
fi
echo "inject: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
