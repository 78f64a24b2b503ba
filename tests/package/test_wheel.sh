#!/bin/sh
# The wheel of scripts/wheel, which is made of the sdist: that making it leaves the checkout as it is, what is said
# where something is missing, and that everything works once it is installed, with no compiler in reach, from other
# folders, in an environment that is not activated, moved, or of another layout.
#
# Without a package index only what is said is tried. Uses TEST_SOURCE.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has_all='import pip, venv, ensurepip, os, sys, sysconfig
sys.exit(sys.version_info < (3, 10) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
for python in python3 /usr/bin/python3 ""; do
    [ -n "$python" ] || { echo "no Python here has pip, venv and headers"; exit 1; }
    "$python" -c "$has_all" 2>/dev/null && break
done
python=$("$python" -c 'import sys; print(sys.executable)') # not found by PATH from here on
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

mkdir "$work/checkout" "$work/none"
(cd "$TEST_SOURCE" && tar cf - --exclude=./build --exclude=./.git --exclude=__pycache__ .) | (cd "$work/checkout" && tar xf -)

# what is missing: expect WORDS COMMAND...
expect() {
    words=$1
    shift
    "$@" >"$work/out" 2>&1 && { echo "worked without what it needs: $words"; exit 1; }
    grep -q "lacks .*$words" "$work/out" && ! grep -q Traceback "$work/out" &&
        [ "$(grep -c "lacks" "$work/out")" -eq 1 ] || { cat "$work/out"; echo "expected: lacks $words"; exit 1; }
}
echo "== one sentence for each that is missing, before anything is fetched"
wheel="$python -m pip wheel -q --no-index --no-deps -w $work/none $work/checkout"
# shellcheck disable=SC2086
expect "a C compiler" env PATH="$work/none" $wheel
printf '#!/bin/sh\ncase "$(cat)" in *stdlib*) exit 1 ;; esac\n' >"$work/none/cc"
chmod +x "$work/none/cc"
# shellcheck disable=SC2086
expect "the C library's headers" env CC="$work/none/cc" $wheel
expect "the headers of Python" "$python" -B -c "
import sys, sysconfig
sysconfig.get_path = lambda name: '$work/none'
sys.path.insert(0, '$work/checkout/bindings/python')
import build_backend
assert hasattr(build_backend, 'build_editable') # pip asks that before it fetches what is required
build_backend.get_requires_for_build_wheel()"

echo "== what Python makes of the backend does not stay, also where only the module's spec names it, as in Python 3.15"
env -u PYTHONDONTWRITEBYTECODE "$python" -c "
from importlib import util
spec = util.spec_from_file_location('build_backend', '$work/checkout/bindings/python/build_backend.py')
module = util.module_from_spec(spec)
vars(module).pop('__cached__', None)
spec.loader.exec_module(module)"
[ ! -e "$work/checkout/bindings/python/__pycache__" ]

if ! "$python" -m pip download -q --no-deps -d "$work/probe" 'scikit-build-core>=1.1' >"$work/out" 2>&1; then
    echo "no package index answers: the wheel is not built"
    exit 77
fi

echo "== scripts/wheel leaves the checkout as it is"
# What it fetches stays in the tree that is tested. What tests of muster.torch have compiled, of the very files that the
# wheel has, is not compiled again.
mkdir -p "$TEST_SOURCE/build/wheel-tools" "$work/checkout/build"
ln -s "$TEST_SOURCE/build/wheel-tools" "$work/checkout/build/"
list() {
    (cd "$work/checkout" && find . -path ./build -prune -o -print | sort)
}
torch=$TEST_SOURCE/build/torch/bin/python # scripts/setup torch
"$torch" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2>/dev/null || torch=""
list >"$work/before"
CMAKE_TOOLCHAIN_FILE=$TEST_SOURCE/tests/package/quick.cmake MUSTER_WHEEL_CACHE=$TEST_SOURCE/build/torch-cache \
    "$work/checkout/scripts/wheel" "$python" ${torch:+--torch "$torch"} >"$work/out" 2>&1 ||
    { cat "$work/out"; exit 1; }
list | diff "$work/before" -
for wheel in "$work"/checkout/build/wheels/muster-*-manylinux_2_*.whl; do
    [ -f "$wheel" ] || { cat "$work/out"; echo "no wheel for manylinux"; exit 1; }
done
echo "${wheel##*/}"

echo "== the sdist has what compiling takes, and a sentence where that is not enough"
sdist=$(echo "$work"/checkout/build/wheels/muster-*.tar.gz)
tar tzf "$sdist" >"$work/files"
for file in PKG-INFO pyproject.toml LICENSE include/muster/muster.h bindings/python/muster/py.typed; do
    grep -q "^muster-[0-9.]*/$file$" "$work/files" || { echo "the sdist lacks $file"; exit 1; }
done
grep -E "__pycache__|/build/|/tests/" "$work/files" && { echo "the sdist has more"; exit 1; }
expect "a C compiler" env CC="$work/no-such-cc" "$python" -m pip wheel -q --no-index --no-deps -w "$work/none" "$sdist"

# ---- installed ----

# No compiler, no CMake, and no Python but by its path; a home without anything.
mkdir "$work/tools" "$work/home"
for tool in sh env cat grep; do
    ln -s "$(command -v $tool)" "$work/tools/"
done
apart() {
    (cd / && env -i PATH="$work/tools" HOME="$work/home" PYTHONDONTWRITEBYTECODE=1 "$@")
}
cat >"$work/program.py" <<'EOF'
import array, sys, muster
world = muster.init()
print(world.rank(), muster.all_sum(array.array("i", [1]))[0], sys.prefix, muster.__file__)
EOF
# all_four PREFIX COMMAND...: four ranks, by the Python of that environment, with its module
all_four() {
    prefix=$1
    shift
    apart "$@" >"$work/out" 2>&1 || { cat "$work/out"; echo "failed: $*"; exit 1; }
    [ "$(grep -c "[0-3] 4 $prefix $prefix/" "$work/out")" -eq 4 ] || { cat "$work/out"; echo "not four of $prefix: $*"; exit 1; }
}

echo "== installed in an environment, without a compiler"
"$python" -m venv "$work/venv"
apart "$work/venv/bin/python" -m pip install -q --no-index --no-deps "$wheel"
venv=$(readlink -f "$work/venv")
all_four "$venv" "$venv/bin/muster" run -n 4 -- "$venv/bin/python" "$work/program.py"
all_four "$venv" env PATH="$venv/bin:$work/tools" muster run -n 4 -- python "$work/program.py"

echo "== not activated: python is the environment's"
all_four "$venv" "$venv/bin/muster" run -n 4 -- python "$work/program.py"
all_four "$venv" "$venv/bin/python" -m muster run -n 4 -- python "$work/program.py"
all_four "$venv" env -u PATH "$venv/bin/muster" run -n 4 -- python "$work/program.py"
mkdir "$work/other"
ln -s "$python" "$work/other/python"
all_four "$venv" env PATH="$work/other:$venv/bin:$work/tools" "$venv/bin/python" -m muster run -n 4 -- python "$work/program.py"
[ "$(apart "$venv/bin/muster" run -n 1 --prefix none -- sh -c 'echo $PATH')" = "$venv/bin:$work/tools" ]
[ "$(apart "$venv/bin/muster" run -n 1 --prefix none --env PATH="$work/tools" -- sh -c 'echo $PATH')" = "$work/tools" ]
[ "$(apart env PATH="$work/tools:$venv/bin" "$venv/bin/muster" run -n 1 --prefix none -- sh -c 'echo $PATH')" = "$work/tools:$venv/bin" ]

echo "== the status and the process are the command's"
status=0
apart "$venv/bin/python" -m muster run -n 1 -- sh -c 'exit 7' >"$work/out" 2>&1 || status=$?
[ $status -eq 7 ]
apart "$venv/bin/python" -m muster --version | grep -q "$(apart "$venv/bin/muster" --version)"
apart "$venv/bin/muster" doctor >"$work/out" || { cat "$work/out"; exit 1; }

echo "== --mlx, --arena-malloc and --torch"
apart "$venv/bin/muster" run --mlx -n 2 -- python -c 'import ctypes, os; ctypes.CDLL(os.environ["MLX_MPI_LIBNAME"]).MPI_Init'
apart "$venv/bin/muster" run --arena-malloc -n 2 -- python -c 'assert "libmuster_malloc" in open("/proc/self/maps").read()'
apart "$venv/bin/muster" run --torch -n 2 -- python -c 'import os; assert os.environ["WORLD_SIZE"] == "2"'
[ -x "$venv/bin/mpirun-muster" ]

echo "== manual, completions, library, types, metadata"
for page in "$TEST_SOURCE"/docs/man/*.1; do
    [ -f "$venv/share/man/man1/${page##*/}" ] || { echo "the wheel lacks ${page##*/}"; exit 1; }
done
bash -c ". '$venv/share/bash-completion/completions/muster'; complete -p muster" >"$work/out"
for file in $(cd "$TEST_SOURCE/bindings/python" && find muster muster_vllm.py -type f ! -path '*__pycache__*'); do
    [ -f "$(echo "$venv"/lib/python3*/site-packages)/$file" ] || { echo "the wheel lacks $file"; exit 1; }
done
apart "$venv/bin/python" - "$venv" <<'EOF'
import array, ctypes, importlib.metadata, sys, muster, muster.testing
ctypes.CDLL(sys.argv[1] + "/lib/libmuster.so.0").muster_init
said = importlib.metadata.metadata("muster")
assert said["Version"] == muster.__version__, said["Version"]
[plugin] = importlib.metadata.entry_points(group="vllm.platform_plugins", name="muster")
assert plugin.load()() is None # without VLLM_PLUGINS
assert said["License-Expression"] == "MIT" and said["Requires-Python"] == ">=3.10", said.as_string()

@muster.testing.ranks(3)
def body():
    assert muster.all_sum(array.array("i", [1]))[0] == 3

body()
EOF

if [ -n "$torch" ]; then
    echo "== the backend for one PyTorch, without a compiler"
    "$python" -m pip install -q --no-index --no-deps --target "$work/with" "$wheel" "$work"/checkout/build/wheels/muster_torch-*.whl
    cat >"$work/sums.py" <<'EOF'
import muster.torch, torch, torch.distributed as dist
dist.init_process_group("muster")
x = torch.ones(3)
dist.all_reduce(x)
assert muster.torch.is_compiled and x.tolist() == [2] * 3
dist.destroy_process_group()
EOF
    apart env PYTHONPATH="$work/with" "$work/with/bin/muster" run --torch -n 2 -- "$torch" "$work/sums.py" >"$work/out" 2>&1 ||
        { cat "$work/out"; exit 1; }
    [ -z "$(find "$work/home" -name torch.so)" ]
fi

echo "== Debian's Python takes it in an environment only, as README.md says"
if [ -n "$(ls /usr/lib/python3*/EXTERNALLY-MANAGED 2>/dev/null)" ] && /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
    apart /usr/bin/python3 -m pip install -q --user --no-index --no-deps "$wheel" >"$work/out" 2>&1 && exit 1
    grep -q "externally-managed-environment" "$work/out"
    grep -q "PEP 668" "$TEST_SOURCE/README.md"
fi

echo "== by a link elsewhere, as pipx makes it, python is the user's"
mkdir "$work/links"
ln -s "$venv/bin/muster" "$work/links/muster"
apart "$work/links/muster" run --mlx -n 1 -- sh -c '[ -r "$MLX_MPI_LIBNAME" ]'
[ "$(apart "$work/links/muster" run -n 1 --prefix none -- sh -c 'echo $PATH')" = "$work/tools" ]

echo "== moved"
mv "$venv" "$work/moved"
venv=$(readlink -f "$work/moved")
all_four "$venv" "$venv/bin/muster" run --mlx --arena-malloc -n 4 -- python "$work/program.py"
all_four "$venv" "$venv/bin/python" -m muster run -n 4 -- python "$work/program.py"

echo "== pip install --target"
"$python" -m pip install -q --no-index --no-deps --target "$work/site" "$wheel"
apart env PYTHONPATH="$work/site" "$python" -m muster run --mlx -n 2 -- sh -c '[ -r "$MLX_MPI_LIBNAME" ]'
echo "the wheel works"
