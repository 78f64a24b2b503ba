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
    ping_pong ping_pong_tagged halo farm tasks; do
    for contender in "muster" "muster arena"; do
        grep -q ",2,$operation,[0-9]*,$contender,$version" "$results/compare.csv" ||
            fail "the CSV has no $operation of $contender $version"
    done
    grep -q "^### $operation, 2 ranks" "$results/compare.md" || fail "there is no table of $operation"
done
grep -q ',2,all_reduce,16384,bare loop,' "$results/compare.csv" || fail "the CSV has no bare loop"
grep -q 'muster ÷ bare' "$results/compare.md" || fail "no table has a column of muster beside the bare loop"
tables=$(grep -c '^###' "$results/compare.md")
[ "$(grep -cE '^[0-9]+ CPUs?, .+' "$results/compare.md")" -eq "$tables" ] || fail "a table does not name the CPU"
[ "$(grep -c "^| bytes | muster $version" "$results/compare.md")" -eq "$tables" ] || fail "a table has no versions"

$compare --smoke --only barrier ping_pong >/dev/null 2>&1
[ "$(cut -d , -f 3 "$results/compare.csv" | sort -u | tr '\n' ' ')" = "barrier operation ping_pong " ] ||
    fail "--only measured something else: $(cat "$results/compare.csv")"
$compare --smoke --only nonsense >/dev/null 2>"$work/said" && fail "an operation that is not there was taken"
grep -q "'nonsense'" "$work/said" || fail "the complaint does not name it: $(cat "$work/said")"
$compare --help | grep -q -- --only || fail "--help does not tell of --only"

# In a whole run a peer that fails, or is wrong, is left out of that operation once, and the others go on.
cat >"$work/peer" <<'END'
#!/bin/sh
case $1 in
barrier) echo "barrier 0 1 2 1 0" ;;
ping_pong) echo "ping_pong 4 1 2 1 5" ;;
*) echo "this one fails" >&2; exit 3 ;;
esac
END
printf '#!/bin/sh\necho 40\n' >"$work/ping"
chmod +x "$work/peer" "$work/ping"
python3 -B - "$TEST_SOURCE/bench" "$work" 2>/dev/null <<'END' || fail "a peer that fails is not left out of what it fails in"
import argparse, sys, types
sys.path.insert(0, sys.argv[1])
import compare
from contenders import Contender
options = argparse.Namespace(rounds=2, smoke=False, seconds=0.001, only=["barrier", "ping_pong", "ping_pong_tagged"])
peer, reasons = Contender("peer", "1.0", [f"{sys.argv[2]}/peer"], lambda ranks: [], ranks_max=2), []
rows = compare.run_rounds(options, types.SimpleNamespace(ping=f"{sys.argv[2]}/ping"), [peer], reasons)
assert [(row["round"], row["operation"], row["place"]) for row in rows] == [(r, "barrier", "fast pair") for r in (0, 1)]
assert len(reasons) == 2 and "is wrong in 5 elements" in reasons[0] and reasons[1].endswith("this one fails"), reasons
END
