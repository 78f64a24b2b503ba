/* The arithmetic of who works on what, exhaustively for small numbers. */
#include "src/pure/blocks.h"
#include "src/pure/partition.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

START_TEST(test_slices_cover_everything_once_in_order)
{
    for (size_t granule = 1; granule <= 16; granule *= 2)
        for (int parts = 1; parts <= 16; parts++)
            for (size_t count = 0; count <= 200; count++) {
                size_t end = 0, longest = 0, shortest = SIZE_MAX;

                for (int i = 0; i < parts; i++) {
                    mst_slice slice = mst_partition(count, parts, i, granule);

                    ck_assert_uint_eq(slice.begin, end);
                    ck_assert(slice.begin % granule == 0 || slice.count == 0);
                    end += slice.count;
                    longest = slice.count > longest ? slice.count : longest;
                    shortest = slice.count < shortest ? slice.count : shortest;
                }
                ck_assert_uint_eq(end, count);
                ck_assert_uint_le(longest, shortest + 2 * granule);
            }
}
END_TEST

START_TEST(test_slices_of_very_many_elements)
{
    size_t count = (size_t)1 << 40, end = 0;

    for (int i = 0; i < 7; i++)
        end += mst_partition(count + 3, 7, i, 16).count;
    ck_assert_uint_eq(end, count + 3);
}
END_TEST

START_TEST(test_products_that_do_not_fit)
{
    size_t product = 1;

    ck_assert(mst_multiply(3, 4, 5, &product) && product == 60);
    ck_assert(mst_multiply(0, SIZE_MAX, 2, &product) && product == 0);
    ck_assert(!mst_multiply(SIZE_MAX, 2, 1, &product));
    ck_assert(!mst_multiply(SIZE_MAX / 2, 1, 3, &product));
}
END_TEST

/* ---- blocks of two buffers ---- */

enum { BLOCKS = 6 };

static void choose_blocks(size_t *counts, size_t *displacements, uint64_t *state)
{
    for (int i = 0; i < BLOCKS; i++) {
        counts[i] = random_next(state) % 4;
        displacements[i] = random_next(state) % 30;
    }
}

static size_t place_in(const mst_blocks *blocks, int block)
{
    size_t packed = 0;

    for (int i = 0; i < block; i++)
        packed += blocks->counts[i];
    return blocks->displacements ? blocks->displacements[block] : packed;
}

/* Each block of the one with each of the other. */
static bool meets_any(const mst_placed_blocks *a, const mst_placed_blocks *b, size_t element)
{
    for (int i = 0; i < a->size; i++)
        for (int j = 0; j < b->size; j++)
            if (mst_overlap((char *)a->at + place_in(a->blocks, i) * element, a->blocks->counts[i] * element,
                            (char *)b->at + place_in(b->blocks, j) * element, b->blocks->counts[j] * element))
                return true;
    return false;
}

START_TEST(test_blocks_that_meet)
{
    size_t a_counts[BLOCKS], a_places[BLOCKS], b_counts[BLOCKS], b_places[BLOCKS];
    uint64_t state = 1;
    int met = 0, tried = 0, first, second;

    for (int i = 0; i < 200000; i++) {
        choose_blocks(a_counts, a_places, &state);
        choose_blocks(b_counts, b_places, &state);
        const mst_blocks in_a = { a_counts, random_next(&state) % 4 ? a_places : NULL },
                         in_b = { b_counts, random_next(&state) % 4 ? b_places : NULL };
        mst_placed_blocks a = { &in_a, 1 + (int)(random_next(&state) % BLOCKS), 1000 },
                          b = { &in_b, 1 + (int)(random_next(&state) % BLOCKS),
                                1000 + random_next(&state) % 90 };
        bool expected = meets_any(&a, &b, 3);

        if (!mst_blocks_disjoint(&in_b, b.size, &first, &second))
            continue;
        ck_assert_msg(mst_blocks_meet(&a, &b, 3) == expected, "case %d", i);
        met += expected;
        tried++;
    }
    ck_assert_msg(met > tried / 10 && met < tried - tried / 10, "%d of %d meet", met, tried);
}
END_TEST

START_TEST(test_overlap)
{
    char bytes[100] = { 0 };

    ck_assert(mst_overlap(bytes, 10, bytes + 9, 10));
    ck_assert(mst_overlap(bytes + 5, 1, bytes, 10));
    ck_assert(!mst_overlap(bytes, 10, bytes + 10, 10));
    ck_assert(!mst_overlap(bytes + 10, 10, bytes, 10));
    ck_assert(!mst_overlap(bytes, 0, bytes, 10));
    ck_assert(!mst_overlap(NULL, 0, NULL, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("partition");
    TCase *tests = tcase_create("partition");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_slices_cover_everything_once_in_order);
    tcase_add_test(tests, test_slices_of_very_many_elements);
    tcase_add_test(tests, test_products_that_do_not_fit);
    tcase_add_test(tests, test_overlap);
    tcase_add_test(tests, test_blocks_that_meet);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
