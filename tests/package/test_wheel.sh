#!/bin/sh
# A wheel of the Python package, as pip builds it, installed and used outside of the tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for python in python3 /usr/bin/python3 ""; do
    [ -n "$python" ] || { echo "no Python here has pip, setuptools and wheel"; exit 1; }
    "$python" -c 'import setuptools, wheel, pip' 2>/dev/null && break
done
# pip builds in the source folder.
(cd "$TEST_SOURCE" && tar cf - CMakeLists.txt cmake include shm src bindings scripts docs) | (cd "$work" && tar xf -)
PIP_ROOT_USER_ACTION=ignore
export PIP_ROOT_USER_ACTION
"$python" -m pip wheel -q --no-build-isolation --no-deps -w "$work/wheels" "$work/bindings/python"
"$python" -m pip install -q --no-deps --target "$work/site" "$work"/wheels/muster-*-cp311-abi3-*.whl
cd "$work"
PYTHONPATH=$work/site "$python" - <<'EOF'
import array, muster, muster.testing
assert muster.__file__.startswith("/") and "site" in muster.__file__, muster.__file__

@muster.testing.ranks(3)
def body():
    assert muster.all_sum(array.array("i", [1]))[0] == 3

body()
EOF
echo "the wheel works"
