#!/bin/sh
# The real MLX (TEST_MLX_PYTHON, which scripts/setup mlx installs): cases.py on the stand-in, by muster run --mlx and
# by mlx.launch, and on the native group, which is compiled here for the installed MLX. Ends with its counts.
# Uses TEST_BUILD, TEST_SOURCE and TEST_COMMAND. The long form is scripts/mlx.
set -u
python=$TEST_MLX_PYTHON
PYTHONPATH=$TEST_BUILD/bindings/python
PYTHONPYCACHEPREFIX=$TEST_SOURCE/build/pycache # as tests/torch/environment.sh
OMP_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE
export PYTHONPATH PYTHONPYCACHEPREFIX OMP_NUM_THREADS
"$python" -c 'import mlx.core' 2>/dev/null || {
    echo "skipped: there is no MLX here; scripts/setup mlx installs it, if the network allows"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0
cases=$TEST_SOURCE/tests/mlx/cases.py
both="groups reductions gathers mixed messages donation sharded streams dropped memory_of_groups turns to_oneself"
native=$(sed -n 's/^def \(native_[a-z_]*\)(world):$/\1/p' "$cases")

fail() {
    echo "FAILED: $*"
    tail -n 40 "$work/out" | sed 's/^/    /'
    failures=$((failures + 1))
}

# expect STATUS CASES COMMAND...: every case is done.
expect() {
    wanted=$1 names=$2
    shift 2
    # shellcheck disable=SC2086
    timeout $((300 * ${TEST_PATIENCE:-1})) "$@" $names >"$work/out" 2>&1 </dev/null
    status=$?
    checks=$((checks + 1))
    [ "$status" -eq "$wanted" ] || fail "$*: status $status, not $wanted"
    for name in $names; do
        checks=$((checks + 1))
        grep -q "^\(\[[0-9]*\] \)\{0,1\}$name: done" "$work/out" || fail "$*: $name"
    done
}

# Each rank has said what became of its group, though no program has.
told_once() {
    checks=$((checks + 1))
    [ "$(grep -c "muster: all_sum: rank 0 called all_sum (float16 x 4)" "$work/out")" -eq 2 ] || fail "not said once by each rank"
}

run="$TEST_COMMAND run"
# ---- the stand-in ----
for ranks in ${TEST_MLX_RANKS:-8}; do
    expect 0 "$both data_parallel" $run --mlx -n "$ranks" -- "$python" "$cases"
done
expect 0 "in_arena reductions data_parallel" $run --mlx --arena-malloc -n 2 -- "$python" "$cases"
expect 0 mismatch $run --mlx -n 2 -- "$python" "$cases"
expect 0 swallowed $run --mlx -n 2 -- "$python" "$cases"
told_once
expect 0 halves $run --mlx -n 2 -- "$python" "$cases"
expect 0 swapped $run --mlx -n 3 -- "$python" "$cases"
expect 0 deadlock $run --mlx -n 3 --on-failure continue -- "$python" "$cases"
expect 0 "lm_tensor_parallel lm_pipeline" $run --mlx -n 2 -- "$python" "$cases"
expect 137 death $run --mlx -n 4 --on-failure continue -- "$python" "$cases"
[ "$(grep -c "told" "$work/out")" -eq 3 ] || fail "a dead rank: not all others were told"
mkdir "$work/bin"
cp "$TEST_SOURCE/scripts/mpirun-muster" "$work/bin/mpirun"
expect 0 "groups messages" env PATH="$work/bin:$(dirname "$TEST_COMMAND"):$PATH" "$(dirname "$python")/mlx.launch" \
    --backend mpi -n 2 --env PYTHONPYCACHEPREFIX="$PYTHONPYCACHEPREFIX" -- "$python" "$cases"

# ---- the native group; compiled by one of four that want it, in a cache of its own ----
XDG_CACHE_HOME=$work/cache
TEST_MLX_NATIVE=1
export XDG_CACHE_HOME TEST_MLX_NATIVE
mkdir "$work/cache"
for ranks in ${TEST_MLX_RANKS:-4}; do
    expect 0 "$both data_parallel $native" $run -n "$ranks" -- "$python" "$cases"
    [ "$ranks" -ne 4 ] || [ "$(grep -c "compiling muster.mlx for MLX" "$work/out")" -eq 1 ] || fail "not one rank compiles"
done
[ "$(find "$work/cache" -type f | wc -l)" -eq 1 ] || fail "there is more in the cache than what was made"
expect 0 "in_arena gathers donation sharded data_parallel" $run --arena-malloc -n 2 -- "$python" "$cases"
expect 0 shards $run -n 2 -- "$python" "$TEST_SOURCE/tests/mlx/shards.py"
expect 0 mismatch $run -n 2 -- "$python" "$cases"
expect 0 halves $run -n 2 -- "$python" "$cases"
expect 0 swallowed $run -n 2 -- "$python" "$cases"
told_once
expect 0 deadlock $run -n 2 --on-failure continue -- "$python" "$cases"
expect 0 "lm_tensor_parallel lm_pipeline" $run -n 4 -- "$python" "$cases"
expect 137 death $run -n 4 --on-failure continue -- "$python" "$cases"
[ "$(grep -c "told" "$work/out")" -eq 3 ] || fail "a dead rank: not all others were told"

init=$TEST_SOURCE/tests/mlx/init.py
checks=$((checks + 2))
timeout $((300 * ${TEST_PATIENCE:-1})) $run -n 2 -- "$python" "$init" interrupted "$work/interrupted" >"$work/out" 2>&1 </dev/null ||
    fail "a signal handler that raises in init"
grep -q "interrupted: done" "$work/out" || fail "a signal handler that raises in init: not what it raised"
expect 0 alone $run -n 1 -- "$python" "$init"
expect 0 too_late $run --mlx -n 2 -- "$python" "$init"

# One that is killed while it compiles leaves its lock to the next, which leaves nothing of it.
checks=$((checks + 1))
mkdir "$work/fake" "$work/killed"
printf '#!/bin/sh\necho $$ >"%s.new"\nmv "%s.new" "%s"\nexec sleep 600\n' "$work/begun" "$work/begun" "$work/begun" >"$work/fake/c++"
chmod +x "$work/fake/c++"
env XDG_CACHE_HOME="$work/killed" PATH="$work/fake:$PATH" "$python" -c 'import muster.mlx' 2>"$work/out" &
first=$!
until [ -s "$work/begun" ]; do
    kill -0 $first || break
    sleep 0.1
done
if [ -s "$work/begun" ]; then
    kill -9 $first "$(cat "$work/begun")"
else
    fail "the compiler was not called"
fi
wait $first 2>/dev/null
env XDG_CACHE_HOME="$work/killed" timeout $((300 * ${TEST_PATIENCE:-1})) "$python" -c 'import muster.mlx' >"$work/out" 2>&1 || fail "after a killed build"
[ "$(find "$work/killed" -type f | wc -l)" -eq 1 ] || fail "a killed build has left something"

# What does not load is an ImportError, as programs expect of an import.
checks=$((checks + 1))
find "$work/killed" -name mlx.so -exec cp "$cases" {} \;
env XDG_CACHE_HOME="$work/killed" "$python" -c 'import muster.mlx' >"$work/out" 2>&1
grep -q "^ImportError: muster.mlx: .*mlx.so" "$work/out" || fail "a library that does not load: not that sentence"

checks=$((checks + 1))
env CXX=/none PATH=/none "$python" -c 'import muster.mlx' >"$work/out" 2>&1
expected="^ImportError: muster.mlx is C++ that is compiled on this machine, for MLX .*, and there is no compiler"
grep -q "$expected" "$work/out" || fail "without a compiler: not that sentence"

echo "mlx_python: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
