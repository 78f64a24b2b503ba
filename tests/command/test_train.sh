#!/bin/sh
# demo/train on 1, 2 and 4 ranks with the same seed and batch: the same losses within tolerance,
# falling; weights saved; and it ends in words when a rank is killed in the middle.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
for n in 1 2 4; do
    timeout $((120 * ${TEST_PATIENCE:-1})) "$TEST_COMMAND" run -n $n --prefix none -- "$TEST_DEMO/train" --steps 150 --batch 48 \
        --seed 7 --save "model.$n" >"out.$n" 2>&1 || { cat "out.$n"; exit 1; }
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^step .*held out \([0-9.]*\).*/\1/p' "out.$n")
    [ $# -eq 10 ] || { echo "$n ranks: $# reports, not 10"; cat "out.$n"; exit 1; }
    echo "$n $1 ${10}" >>losses
    [ "$(wc -c <"model.$n")" -eq "$(wc -c <model.1)" ] && [ "$(head -c 8 "model.$n")" = MSTLM001 ] || exit 1
done
cat losses
awk '$3 >= $2 - 0.5 { bad = 1 } NR == 1 { one = $3 } { d = $3 - one; if (d < 0) d = -d; if (d > 0.002) bad = 1 }
     END { exit bad }' losses || { echo "the losses differ, or do not fall"; exit 1; }

"$TEST_COMMAND" run -n 3 -- "$TEST_DEMO/train" --steps 1000000 >out.kill 2>err.kill &
launcher=$!
until [ "$(pgrep -P $launcher -x -c train)" -eq 3 ]; do sleep 0.05; done # its guard is a child of its, too
until "$TEST_COMMAND" inspect $launcher 2>/dev/null | grep -q all_sum; do sleep 0.05; done
kill -KILL "$(pgrep -P $launcher -x train | tail -n 1)"
wait $launcher
status=$?
[ $status -eq 137 ] && grep -q "was killed by signal 9" err.kill || { echo "status $status"; cat err.kill; exit 1; }
