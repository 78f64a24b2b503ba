/* The arithmetic of who works on what, exhaustively for small numbers. */
#include "src/pure/partition.h"
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
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
