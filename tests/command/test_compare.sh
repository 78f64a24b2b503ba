#!/bin/sh
# bench/compare --smoke, of this build of muster: every result of each contender is right; the CSV and each table name
# the CPU and the versions; a peer that does not run here is left out with a line that says so. No time is looked at.
# The peers are those of Debian's packages, where they are installed: bench/compare --smoke takes build/peers as well.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/peers/impi/include"
echo '#error "made to fail"' >"$work/peers/impi/include/mpi.h"

fail() {
    echo "$1"
    exit 1
}

compare="$TEST_SOURCE/bench/compare --muster $TEST_BUILD --peers $work/peers"
$compare --smoke 2>"$work/said" || fail "$(cat "$work/said")"
results=$TEST_SOURCE/build/compare/smoke
grep -q '^Intel MPI is left out: cc .*made to fail' "$work/said" || fail "nothing says that a peer is left out: $(cat "$work/said")"
grep -q '^- Intel MPI is left out: ' "$results/compare.md" || fail "the tables do not say it"

version=$("$TEST_BUILD/bin/muster" --version | cut -d ' ' -f 2)
head -n 1 "$results/compare.csv" | grep -q ',contender,version,cpu,' || fail "the CSV has no versions, or no CPU"
for operation in barrier all_reduce all_gather all_gatherv reduce_scatter broadcast all_to_all all_to_allv \
    ping_pong ping_pong_tagged neighbours farm; do
    for contender in "muster" "muster arena"; do
        grep -q ",2,$operation,[0-9]*,$contender,$version" "$results/compare.csv" ||
            fail "the CSV has no $operation of $contender $version"
    done
    grep -q "^### $operation, 2 ranks" "$results/compare.md" || fail "there is no table of $operation"
done
tables=$(grep -c '^###' "$results/compare.md")
[ "$(grep -cE '^[0-9]+ CPUs?, .+' "$results/compare.md")" -eq "$tables" ] || fail "a table does not name the CPU"
[ "$(grep -c "^| bytes | muster $version" "$results/compare.md")" -eq "$tables" ] || fail "a table has no versions"

$compare --smoke --only barrier ping_pong >/dev/null 2>&1
[ "$(cut -d , -f 3 "$results/compare.csv" | sort -u | tr '\n' ' ')" = "barrier operation ping_pong " ] ||
    fail "--only measured something else: $(cat "$results/compare.csv")"
$compare --smoke --only nonsense >/dev/null 2>"$work/said" && fail "an operation that is not there was taken"
grep -q "'nonsense'" "$work/said" || fail "the complaint does not name it: $(cat "$work/said")"
$compare --help | grep -q -- --only || fail "--help does not tell of --only"
