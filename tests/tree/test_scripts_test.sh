#!/bin/sh
# scripts/test, with a ctest and a cmake that play their parts: each test is a line as it ends, what failed is last
# and only that, "N passed, N failed" is the last line, and the status says the same. Uses TEST_SOURCE.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/scripts"
cp "$TEST_SOURCE/scripts/test" "$work/scripts/"
# What is fetched is fetched beside the build, and before the tests. The next build goes on beside them, and is nice.
fetch='case $1 in torch) until [ -e building ]; do sleep 0.01; done ;; mlx) sleep 0.2; : >fetched ;; esac'
for fake in "scripts/setup:$fetch" "bin/cmake:mkdir -p build/release build/asan; nice >nice_of_\$2; case \$* in *--build*) : >building ;; esac; case \$* in *\$FAKE_BROKEN*) echo '[ 10%] Building x'; echo 'x.c: error'; exit 1 ;; esac" "bin/ctest:. \"$work/\$2\""; do
    printf '#!/bin/sh\n%s\n' "${fake#*:}" >"$work/${fake%%:*}"
    chmod +x "$work/${fake%%:*}"
done
PATH=$work/bin:$PATH FAKE_BROKEN=none
export PATH FAKE_BROKEN

cat >"$work/release" <<'EOF'
[ -e fetched ] || exit 1
until [ -s nice_of_asan ]; do sleep 0.01; done # its build has begun
mkfifo seen
echo "1: Running suite(s): good"
echo "1: 100%: Checks: 7, Failures: 0, Errors: 0"
echo "1/4 Test #1: test_good ......   Passed    0.10 sec"
cat seen # until the line above has been seen
rm seen
echo "2: quiet words"
echo "3: 50%: Checks: 2, Failures: 1, Errors: 0"
echo "3: loud words"
echo "2: more quiet words"
echo "2/4 Test #2: test_script ....   Passed    0.10 sec"
echo "3/4 Test #3: test_bad .......***Failed    0.10 sec"
echo "4: words of a crash"
echo "4/4 Test #4: test_crash .....***Exception: SegFault  0.10 sec"
exit 8
EOF
printf 'echo "1: all well"\necho "1/1 Test #1: test_other ... Passed 0.1 sec"\n' >"$work/asan"

fail() {
    cat "$work/out"
    echo "scripts/test: $*"
    exit 1
}

status=0
{ timeout 60 "$work/scripts/test" release asan || echo "status $?"; } | while IFS= read -r line; do
    echo "$line"
    case $line in *test_good*) echo "it was shown before the next had ended" >"$work/seen" ;; esac
done >"$work/out"
[ "$(tail -n 2 "$work/out" | tr '\n' '|')" = "10 passed, 2 failed|status 1|" ] || fail "not its last line, or not its status"
[ "$(cat "$work/nice_of_release")" -eq "$(nice)" ] && [ "$(cat "$work/nice_of_asan")" -eq 19 ] || fail "whose build is nice"
sed -n '/^== what failed/,$p' "$work/out" >"$work/end"
grep -q "loud words" "$work/end" && grep -q "release: test_bad" "$work/end" && grep -q "words of a crash" "$work/end" ||
    fail "does not show what failed"
grep -qE "quiet|test_good|test_other|all well" "$work/end" && fail "shows what has not failed"
[ "$(grep -cE "quiet|loud" "$work/out")" -eq 1 ] || fail "shows what tests say before the end"

timeout 60 "$work/scripts/test" asan >"$work/out" || fail "a failure without one"
[ "$(tail -n 1 "$work/out")" = "1 passed, 0 failed" ] || fail "not its last line"
grep -q "what failed" "$work/out" && fail "nothing failed"

: >"$work/asan"
timeout 60 "$work/scripts/test" asan >"$work/out" && fail "no test ran, and it is well"
[ "$(tail -n 1 "$work/out")" = "0 passed, 1 failed" ] || fail "no test ran"
FAKE_BROKEN=--build timeout 60 "$work/scripts/test" asan >"$work/out" && fail "does not notice a build that fails"
grep -q "x.c: error" "$work/out" && ! grep -q "Building x" "$work/out" && [ "$(tail -n 1 "$work/out")" = "0 passed, 1 failed" ] ||
    fail "a build that fails"
echo "scripts/test says what happens"
