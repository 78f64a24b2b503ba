#!/bin/sh
# muster.torch on PyTorch as users start it: one program by muster run with and without --torch, by torchrun, by hand.
# By the virtual environment that scripts/setup torch makes (TEST_TORCH_PYTHON), and by any other PyTorch here. One that
# is too old is refused in one sentence, whether it is here or not. What muster.torch does is in test_torch_file.sh.
# Uses TEST_BUILD, TEST_SOURCE, TEST_COMMAND and TEST_PYTHON.
set -u
. "$TEST_SOURCE/tests/torch/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$TEST_SOURCE/tests/torch/program.py
checks=0 failures=0 found=0

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$work/out"
    failures=$((failures + 1))
}

# A program that was started in some way gives what it gives on gloo, on all ranks, without a warning.
expect_trained() { # expect_trained RANKS WAY
    checks=$((checks + 1))
    [ "$(grep -c "trained to" "$work/out")" -eq "$1" ] || fail "$2: not all ranks reached the end"
    sed -n 's/.*\(trained to.*\)/\1/p' "$work/out" | sort -u | cmp -s - "$work/trained" || fail "$2: not what gloo gives"
    ! grep -q "muster.*Warning\|register_backend" "$work/out" || fail "$2: a warning"
}

# A name that nobody has mapped is left over, unless its owner, of a test beside this one, maps or removes it soon.
expect_no_names() {
    checks=$((checks + 1))
    for name in $(ls /dev/shm | grep '^muster-torch-'); do
        deadline=$(($(date +%s) + 60 * ${TEST_PATIENCE:-1}))
        while [ -e "/dev/shm/$name" ] && ! grep -qs "/dev/shm/$name" /proc/[0-9]*/maps; do
            [ "$(date +%s)" -lt $deadline ] || { ls /dev/shm >"$work/out"; fail "$name was left in /dev/shm"; break; }
        done
    done
}

# Once for this source, which takes a minute and more; what the compiler says is nothing.
compile_backend() {
    checks=$((checks + 1))
    MUSTER_TORCH_BACKEND=c++ timeout $((900 * ${TEST_PATIENCE:-1})) "$python" -c 'import muster.torch' >"$work/out" 2>&1 || fail "$python: the backend"
    ! grep -v "^muster: compiling muster.torch for PyTorch" "$work/out" || fail "$python: words at the import"
}

# Without a compiler, which is looked for in PATH, and nothing compiled: a sentence, and the backend in Python.
expect_without_compiler() {
    checks=$((checks + 2))
    code='import muster.torch; print("compiled:", muster.torch.is_compiled)'
    XDG_CACHE_HOME=$work PATH=$work CXX='' "$python" -c "$code" >"$work/out" 2>&1
    grep -q "RuntimeWarning: .*there is no compiler.*The backend in Python serves" "$work/out" &&
        grep -q "compiled: False" "$work/out" || fail "$python: without a compiler"
    ! XDG_CACHE_HOME=$work PATH=$work CXX='' MUSTER_TORCH_BACKEND=c++ "$python" -c "$code" >"$work/out" 2>&1 &&
        grep -q "^ImportError: .*there is no compiler" "$work/out" || fail "$python: c++ without a compiler"
}

run_program() {
    for backend in gloo muster; do
        timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 2 --torch -- "$python" "$program" $backend >"$work/out" 2>&1
        [ $backend = muster ] || sed -n 's/.*\(trained to.*\)/\1/p' "$work/out" | sort -u >"$work/trained"
        expect_trained 2 "$python, muster run --torch, $backend"
    done
    timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 2 -- "$python" "$program" muster >"$work/out" 2>&1
    expect_trained 2 "$python, muster run"
    checks=$((checks + 1))
    timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 2 --torch --op-timeout 1 -- "$python" -c '
import os, torch.distributed as dist, muster.torch
dist.init_process_group("muster")
if dist.get_rank() == 0:
    dist.barrier()
else:
    dist.distributed_c10d._get_default_store().get("never")' >"$work/out" 2>&1
    grep -q "waited 1 s in barrier" "$work/out" || fail "$python: --op-timeout"
    checks=$((checks + 1)) # ranks that have different backends would wait for each other
    timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n 2 --torch -- sh -c '
        [ "$RANK" != 0 ] || export MUSTER_TORCH_BACKEND=python
        exec "$0" -c "import torch.distributed as dist, muster.torch; dist.init_process_group(\"muster\")"' \
        "$python" >"$work/out" 2>&1
    grep -q "rank 1 has muster.torch's backend in c++, and rank 0 the one in python" "$work/out" ||
        fail "$python: different backends"
    expect_no_names
}

# The last one, since a job removes the names of earlier ones that were killed while they attached.
run_torchrun() {
    timeout $((120 * ${TEST_PATIENCE:-1})) "$python" -m torch.distributed.run --standalone --nproc-per-node 2 "$program" muster >"$work/out" 2>&1
    expect_trained 2 "$python, torchrun"
    expect_no_names
}

expect_refused() { # expect_refused PYTHON VERSION
    checks=$((checks + 1))
    ! timeout $((120 * ${TEST_PATIENCE:-1})) "$1" -c 'import muster.torch' >"$work/out" 2>&1 &&
        grep -q "^ImportError: muster.torch needs PyTorch 2.13 or later, and this is $2" "$work/out" ||
        fail "$1: PyTorch $2 is not refused in words"
}

mkdir -p "$work/old/torch"
for version in 1.13.0a0 2.12.1+cpu; do
    echo "__version__ = '$version'" >"$work/old/torch/__init__.py"
    echo "def is_available(): return True" >"$work/old/torch/distributed.py"
    PYTHONPATH=$work/old:$PYTHONPATH expect_refused "$TEST_PYTHON" "$version"
done
for python in "$TEST_TORCH_PYTHON" "$TEST_PYTHON" /usr/bin/python3; do
    # Each import takes seconds: once it says the version, and whether it is new enough.
    said=$("$python" -c 'import sys, torch
sys.version_info >= (3, 11) and print("new" if torch.__version__ >= (2, 13) else "old", torch.__version__)' 2>/dev/null)
    [ -n "$said" ] || continue
    version=${said#* }
    echo "== $python, PyTorch $version"
    if [ "${said%% *}" = old ]; then
        expect_refused "$python" "$version"
        continue
    fi
    found=1
    compile_backend
    expect_without_compiler
    run_program
    run_torchrun
done
if [ $found -eq 0 ] && [ $failures -eq 0 ]; then
    echo "skipped: there is no PyTorch here; scripts/setup torch installs it, if the network allows"
    exit 77
fi

echo "torch: checks: $checks, failures: $failures"
[ "$failures" -eq 0 ]
