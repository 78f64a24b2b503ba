/* Address space that is reserved in a heap (shm/arena/heap.h): where it begins, and that it can be given
 * back. */
#include "shm/arena/heap.h"

#include "tests/harness/ranks.h"

enum { UNIT = 2 << 20, HEAP = 64 << 20 };

static mst_heap *make_heap(uint64_t base)
{
    static mst_heap heap;
    mst_geometry geometry = {
        (unsigned char *)(uintptr_t)base, mst_layout_arena_bytes(2, HEAP), HEAP, 65536, 2, 2, 0
    };

    ck_assert(mst_heap_init(&heap, &geometry, NULL, 1));
    return &heap;
}

/* Wherever the arena is mapped, the address is a multiple of the unit. */
START_TEST(test_addresses_are_aligned)
{
    static const uint64_t bases[] = { 1 << 30, (1 << 30) + 4096, (1 << 30) + 65536, (1 << 30) + UNIT - 4096 };
    mst_heap *heap = make_heap(bases[_i]);
    mst_reservation made;

    ck_assert(mst_heap_reserve(heap, HEAP / 2, UNIT, UNIT, &made));
    unsigned char *at = mst_layout_heap_at(&heap->geometry, 1, made.offset, made.bytes);
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq((uintptr_t)at % UNIT, 0);
    ck_assert_uint_eq(made.bytes, HEAP / 2);
    ck_assert_uint_ge(made.offset, made.claimed.offset);
    ck_assert_uint_le(made.offset + made.bytes, made.claimed.offset + made.claimed.bytes);
    mst_heap_destroy(heap);
}
END_TEST

START_TEST(test_it_is_given_back)
{
    mst_heap *heap = make_heap((1 << 30) + 4096);
    mst_reservation made, other;

    for (int i = 0; i < 10; i++) {
        ck_assert(mst_heap_reserve(heap, HEAP / 4 * 3, HEAP / 4 * 3, UNIT, &made));
        ck_assert(!mst_heap_reserve(heap, HEAP / 4 * 3, HEAP / 4 * 3, UNIT, &other));
        mst_heap_unreserve(heap, &made);
    }
    ck_assert(mst_heap_reserve(heap, HEAP, UNIT, UNIT, &made)); /* as much as there is: halves */
    ck_assert_uint_eq(made.bytes, HEAP / 2);
    mst_heap_destroy(heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_addresses_are_aligned, 0, 4);
    tcase_add_test(tests, test_it_is_given_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
