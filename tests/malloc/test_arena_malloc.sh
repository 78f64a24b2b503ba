#!/bin/sh
# muster run --arena-malloc: a program whose arrays are in the arena without its doing (client.c). Uses TEST_COMMAND,
# TEST_BUILD, TEST_SOURCE and, where it is elsewhere, MALLOC_CLIENT.
. "$TEST_SOURCE/tests/command/checks.sh"
: "${MALLOC_CLIENT:=$TEST_BUILD/tests/malloc_client}"
ulimit -c 0 # some cases crash on purpose

run() {
    expect 0 "" "$TEST_COMMAND" run --arena-malloc "$@"
}

for case in family resident threads ends forks locks clones starts unfreed oversized; do
    run -n 2 -- "$MALLOC_CLIENT" $case
    says 2 "$case: done"
done
run -n 3 -- "$MALLOC_CLIENT" results
says 3 "results: done"
MUSTER_HUGE_PAGES=0 run -n 2 -- "$MALLOC_CLIENT" family # mapped where any small page begins
says 2 "family: done"
for case in death broken; do
    expect 137 "" "$TEST_COMMAND" run --arena-malloc -n 3 --on-failure continue -- "$MALLOC_CLIENT" $case
    says 2 "$case: done"
done
MUSTER_ARENA_BYTES=512M run -n 2 -- "$MALLOC_CLIENT" exhausted
says 2 "exhausted: done"
MUSTER_ARENA_BYTES=512M run -n 2 -- "$MALLOC_CLIENT" fills
says 2 "fills: done"
expect 134 "invalid pointer" "$TEST_COMMAND" run --arena-malloc -n 2 -- "$MALLOC_CLIENT" invalid

# Where there is nothing to serve from, or nobody asks for it.
preload=$TEST_BUILD/bindings/malloc/libmuster_malloc.so
expect 0 "" env LD_PRELOAD="$preload" "$MALLOC_CLIENT" aside
run -n 1 -- "$MALLOC_CLIENT" aside
expect 0 "" "$TEST_COMMAND" run -n 2 --env LD_PRELOAD="$preload" -- "$MALLOC_CLIENT" aside
expect 0 "" env LD_PRELOAD="$preload" MUSTER_ARENA_MALLOC=1 MUSTER_LOG=warn "$MALLOC_CLIENT" team
says 1 "team: done"
! grep MUSTER_ARENA_MALLOC "$work/err" || fail "ranks that are threads were offered memory"
begin "$work/peer" "$work/peer" env MUSTER_ARENA=/muster-malloc-$$ MUSTER_SIZE=2 MUSTER_RANK=1 "$MALLOC_CLIENT" aside
expect 0 "this arena has a name" env LD_PRELOAD="$preload" MUSTER_ARENA_MALLOC=1 MUSTER_LOG=warn \
    MUSTER_ARENA=/muster-malloc-$$ MUSTER_SIZE=2 MUSTER_RANK=0 "$MALLOC_CLIENT" aside
wait "$job" || fail "a rank that met it by a name: $(cat "$work/peer")"
expect 0 "libmuster_malloc.so is not loaded" env MUSTER_ARENA_MALLOC=1 MUSTER_LOG=warn "$TEST_COMMAND" run -n 2 -- "$MALLOC_CLIENT" aside
expect 2 "MUSTER_ARENA_MALLOC is \"yes\"" env MUSTER_ARENA_MALLOC=yes sh -c '"$0" run -n 2 -- "$1" aside; exit 2' "$TEST_COMMAND" "$MALLOC_CLIENT"
expect 0 "it has a malloc of its own" env MUSTER_LOG=warn "$TEST_COMMAND" run --arena-malloc -n 2 -- "${MALLOC_CLIENT}_own" aside
says 2 "aside: done"

# Programs that are no ranks: everything of theirs is as it was.
run -n 2 -- sh -c 'ls / | sort | head -3 >/dev/null && awk "BEGIN { for (i = 0; i < 200000; i++) x[i] = i; print length(x) }"'
says 2 "200000"
conclude test_arena_malloc
