#!/bin/sh
# scripts/abi: against the last release, if there is one; and that it sees what it is for: a function that an
# earlier commit had and the library built here has not. Uses TEST_SOURCE and TEST_BUILD.
set -eu
cd "$TEST_SOURCE"
status=0
scripts/abi || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || exit "$status"
git rev-parse --git-dir >/dev/null 2>&1 || exit 77

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone -q . "$work/clone"
cd "$work/clone"
cp "$TEST_SOURCE/scripts/abi" "$TEST_SOURCE/scripts/setup" scripts/
sed -i 's/^MUSTER_API const char \*muster_version(void);/&\nMUSTER_API int muster_of_old(void);/' include/muster/muster.h
printf 'int muster_of_old(void)\n{\n    return 0;\n}\n' >>shm/base/status.c
git -c user.name=test -c user.email=test@example.org commit -qam "an earlier version"
if CMAKE_TOOLCHAIN_FILE=$TEST_SOURCE/tests/package/quick.cmake scripts/abi HEAD "$(find "$TEST_BUILD" -name 'libmuster.so' | head -1)" >"$work/out" 2>&1; then
    echo "a function that is gone was not noticed"
    exit 1
fi
grep -q "muster_of_old" "$work/out" || { cat "$work/out"; exit 1; }
