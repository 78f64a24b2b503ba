/* The bookkeeping of free stretches, against a map of single units. */
#include "shm/base/extent.h"

#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { UNITS = 256, CLAIMS = 64 };

/* No stretch of the free list is taken, none touches the next, and together they are all that is free. */
static void check_against_map(const mst_extents *extents, const bool *taken)
{
    size_t free_units = 0, listed = 0;

    for (int i = 0; i < UNITS; i++)
        free_units += !taken[i];
    for (size_t i = 0; i < extents->count; i++) {
        const mst_extent *extent = &extents->free[i];

        ck_assert(i == 0 || extents->free[i - 1].offset + extents->free[i - 1].bytes < extent->offset);
        for (uint64_t at = extent->offset; at < extent->offset + extent->bytes; at += MST_EXTENT_UNIT)
            ck_assert(!taken[at / MST_EXTENT_UNIT]);
        listed += extent->bytes / MST_EXTENT_UNIT;
    }
    ck_assert_uint_eq(listed, free_units);
}

START_TEST(test_random_claims_against_a_map)
{
    mst_extent claims[CLAIMS] = { { 0 } };
    bool taken[UNITS] = { false };
    mst_extents extents;
    uint64_t state = 5;

    ck_assert(mst_extents_init(&extents, 0, UNITS * MST_EXTENT_UNIT));
    int steps = under_address_sanitizer() ? 5000 : 50000;

    for (int i = 0; i < steps; i++) {
        mst_extent *claim = &claims[random_next(&state) % CLAIMS];

        if (claim->bytes) {
            mst_extents_release(&extents, claim->offset, claim->bytes);
            memset(taken + claim->offset / MST_EXTENT_UNIT, false, claim->bytes / MST_EXTENT_UNIT);
            claim->bytes = 0;
        } else {
            uint64_t bytes = (1 + random_next(&state) % 12) * MST_EXTENT_UNIT;

            if (!mst_extents_claim(&extents, bytes, &claim->offset))
                continue;
            claim->bytes = bytes;
            for (uint64_t at = claim->offset; at < claim->offset + bytes; at += MST_EXTENT_UNIT) {
                ck_assert(!taken[at / MST_EXTENT_UNIT]);
                taken[at / MST_EXTENT_UNIT] = true;
            }
        }
        check_against_map(&extents, taken);
    }
    mst_extents_destroy(&extents);
}
END_TEST

START_TEST(test_everything_comes_back_as_one)
{
    mst_extents extents;
    uint64_t offsets[64], all;

    ck_assert(mst_extents_init(&extents, 1 << 20, (1 << 20) + 64 * MST_EXTENT_UNIT));
    for (int i = 0; i < 64; i++)
        ck_assert(mst_extents_claim(&extents, MST_EXTENT_UNIT, &offsets[i]));
    ck_assert(!mst_extents_claim(&extents, MST_EXTENT_UNIT, &all));
    for (int i = 0; i < 64; i++)
        mst_extents_release(&extents, offsets[(i * 37) % 64], MST_EXTENT_UNIT);
    ck_assert(mst_extents_claim(&extents, 64 * MST_EXTENT_UNIT, &all));
    ck_assert_uint_eq(all, 1 << 20);
    mst_extents_destroy(&extents);
}
END_TEST

/* The free list becomes as long as it can: before each claim there is a gap into which no later one fits, and
 * the list has just the room that so many claims need. */
START_TEST(test_a_gap_before_each_claim)
{
    enum { MOST = 40 };
    mst_extents extents;
    uint64_t gap, claim;

    ck_assert(mst_extents_init(&extents, 0, (MOST + 1) * (MOST + 2) * MST_EXTENT_UNIT));
    for (uint64_t i = 1; i <= MOST; i++) {
        ck_assert(mst_extents_claim(&extents, i * MST_EXTENT_UNIT, &gap));
        ck_assert(mst_extents_claim(&extents, (i + 1) * MST_EXTENT_UNIT, &claim));
        ck_assert_uint_lt(extents.count, extents.capacity);
        mst_extents_release(&extents, gap, i * MST_EXTENT_UNIT);
        ck_assert_uint_eq(extents.count, i + 1);
    }
    mst_extents_destroy(&extents);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extent");
    TCase *tests = tcase_create("extent");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_random_claims_against_a_map);
    tcase_add_test(tests, test_everything_comes_back_as_one);
    tcase_add_test(tests, test_a_gap_before_each_claim);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
