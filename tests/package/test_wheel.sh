#!/bin/sh
# A wheel of the Python package, as pip builds it from a checkout and from an sdist, installed and used outside of
# the tree; that the checkout stays as it is; and what is said where something is missing.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for python in python3 /usr/bin/python3 ""; do
    [ -n "$python" ] || { echo "no Python here has pip"; exit 1; }
    "$python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
mkdir "$work/checkout" "$work/none"
(cd "$TEST_SOURCE" && tar cf - --exclude=__pycache__ CMakeLists.txt LICENSE README.md cmake include shm src bindings) |
    (cd "$work/checkout" && tar xf -)
PIP_ROOT_USER_ACTION=ignore PIP_NO_INDEX=1 # nothing is fetched: it needs nobody's package
export PIP_ROOT_USER_ACTION PIP_NO_INDEX
pip() {
    "$python" -m pip "$@"
}

echo "== pip wheel leaves the checkout as it is"
(cd "$work/checkout" && find . | sort) >"$work/before"
pip wheel -q --no-deps -w "$work/wheels" "$work/checkout/bindings/python"
(cd "$work/checkout" && find . | sort) | diff "$work/before" -
pip install -q --no-deps --target "$work/site" "$work"/wheels/muster-*-cp311-abi3-*.whl
cd "$work"
PYTHONPATH=$work/site "$python" - <<'EOF'
import array, muster, muster.testing
assert muster.__file__.startswith("/") and "site" in muster.__file__, muster.__file__

@muster.testing.ranks(3)
def body():
    assert muster.all_sum(array.array("i", [1]))[0] == 3

body()
EOF
for file in $(cd "$work/checkout/bindings/python" && find muster -name '*.py'); do
    [ -f "$work/site/$file" ] || { echo "the wheel lacks $file"; exit 1; }
done

echo "== the sdist has what compiling takes"
(cd "$work/checkout/bindings/python" && "$python" -B -c "import build_backend; build_backend.build_sdist('$work')")
tar xzf "$work"/muster-*.tar.gz -C "$work"
[ -f "$work"/muster-0.1.0/PKG-INFO ]
(cd "$work/muster-0.1.0" && CC="$work/none/cc" pip wheel -q --no-deps -w "$work/wheels" . >"$work/out" 2>&1) &&
    { echo "compiled without a compiler"; exit 1; }
grep -q "lacks a C compiler" "$work/out" # it came so far

# what is missing: expect WORDS COMMAND...
expect() {
    words=$1
    shift
    "$@" >"$work/out" 2>&1 && { echo "worked without what it needs: $words"; exit 1; }
    grep -q "lacks .*$words" "$work/out" && ! grep -q Traceback "$work/out" &&
        [ "$(grep -c "lacks" "$work/out")" -eq 1 ] || { cat "$work/out"; echo "expected: lacks $words"; exit 1; }
}
# shellcheck disable=SC2086
echo "== one sentence for each that is missing"
python=$("$python" -c 'import sys; print(sys.executable)') # not found by PATH from here on
for tool in cmake make cc sh ld as; do # all but one
    mkdir "$work/without-$tool"
    for other in cmake make cc sh ld as; do
        [ $other = $tool ] || ln -s "$(command -v $other)" "$work/without-$tool/"
    done
done
build="$python -m pip wheel -q --no-deps -w $work/wheels $work/checkout/bindings/python"
expect "CMake 3.25 or newer" env PATH="$work/without-cmake" $build
expect "make or ninja" env PATH="$work/without-make" $build
expect "a C compiler" env PATH="$work/without-cc" $build
expect "CMake 3.25 or newer, make or ninja, a C compiler" env PATH="$work/none" $build
expect "the headers of Python" "$python" -B -c "
import sys, sysconfig
sysconfig.get_path = lambda name: '$work/none'
sys.path.insert(0, '$work/checkout/bindings/python')
import build_backend
build_backend.build_wheel('$work/wheels')"
printf '#!/bin/sh\ncase "$(cat)" in *stdlib*) exit 1 ;; esac\n' >"$work/none/cc"
chmod +x "$work/none/cc"
expect "the C library's headers" env CC="$work/none/cc" $build
rm "$work/checkout/CMakeLists.txt"
$build >"$work/out" 2>&1 && exit 1
grep -q "install bindings/python of a whole checkout" "$work/out"
echo "the wheel works"
