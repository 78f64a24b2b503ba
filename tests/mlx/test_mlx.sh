#!/bin/sh
# The library that MLX loads in place of Open MPI, by a client that behaves as MLX does; and the mpirun that
# mlx.launch finds. Uses TEST_COMMAND, TEST_BUILD and MLX_CLIENT; ends with its counts.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$work/out"
    failures=$((failures + 1))
}

# expect STATUS WORDS COMMAND...: runs it and looks at its status, and for words in what it prints.
expect() {
    wanted=$1 words=$2
    shift 2
    checks=$((checks + 1))
    timeout $((120 * ${TEST_PATIENCE:-1})) "$@" >"$work/out" 2>&1 </dev/null
    status=$?
    [ "$status" -eq "$wanted" ] || fail "$*: status $status, not $wanted"
    grep -q -- "$words" "$work/out" || fail "$*: no \"$words\""
}

for ranks in ${MLX_RANKS:-2 5}; do
    for case in reductions messages splits in_use threads after errors; do
        expect 0 "$case: done" "$TEST_COMMAND" run --mlx -n $ranks -- "$MLX_CLIENT" $case
    done
done
expect 137 "told" "$TEST_COMMAND" run --mlx -n 3 --on-failure continue -- "$MLX_CLIENT" death
[ "$(grep -c "death: done" "$work/out")" -eq 2 ] || fail "a dead rank: not all others were told"
expect 1 "\[muster\] all_sum: the count is negative" \
    env MUSTER_MLX_ON_ERROR=exit "$TEST_COMMAND" run --mlx -n 2 -- "$MLX_CLIENT" errors
# Ranks that close all descriptors once they have attached, and open files of their own (tests/inject/closer.c).
if [ -n "${TEST_CLOSER:-}" ]; then
    for case in reductions messages splits errors; do
        # Alike lines of ranks whose world is broken are gathered, unless ranks are to go on.
        expect 0 "$case: done" "$TEST_COMMAND" run --mlx -n 3 --on-failure continue -- env LD_PRELOAD="$TEST_CLOSER" "$MLX_CLIENT" $case
        [ "$(grep -c "closer: all alone" "$work/out")" -eq 3 ] || fail "closed descriptors: not all files are as they were"
    done
fi
# What is set for MLX, whatever was set before.
expect 0 "libmuster_mlx.so none none" env MLX_RANK=0 MLX_HOSTFILE=/none "$TEST_COMMAND" run --mlx -n 1 -- \
    sh -c 'echo $MLX_MPI_LIBNAME ${MLX_RANK:-none} ${MLX_HOSTFILE:-none}'

checks=$((checks + 1))
nm -D --defined-only "$TEST_BUILD/bindings/mpi/libmuster_mlx.so" >"$work/out"
[ "$(grep -cE ' [TBD] (MPI_|ompi_mpi_)' "$work/out")" -eq 30 ] && [ "$(wc -l <"$work/out")" -eq 30 ] ||
    fail "exported: not the 30 names"

# The line that mlx.launch issues.
mkdir "$work/bin"
cp "$TEST_SOURCE/scripts/mpirun-muster" "$work/bin/mpirun"
PATH=$work/bin:$(dirname "$TEST_COMMAND"):$PATH
export PATH
printf '127.0.0.1 slots=2\nlocalhost slots=1\n' >"$work/hosts"
expect 0 "^/ 3 two words$" mpirun --output :raw --hostfile "$work/hosts" -cwd / -x "TEXT=two words" -- \
    sh -c 'echo "$PWD $MUSTER_SIZE $TEXT"'
[ "$(wc -l <"$work/out")" -eq 3 ] || fail "three ranks"
expect 0 "messages: done" mpirun --output :raw --hostfile "$work/hosts" -- "$MLX_CLIENT" messages
printf 'elsewhere.example slots=2\n' >"$work/hosts"
expect 2 "another machine" mpirun --hostfile "$work/hosts" -- true
expect 2 "how many ranks" mpirun -- true
expect 2 "not known here" mpirun --oversubscribe -n 2 -- true

echo "mlx: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
