/* Grids of ranks: dims that are as equal as can be, coordinates, and neighbours at the edges and beyond. */
#include <check.h>
#include <stdbool.h>

#include "muster/muster.h"
#include "tests/harness/ranks.h"

static void expect_dims(int size, int dimensions, const int *wanted)
{
    int dims[MUSTER_GRID_MAX] = { 0 };

    ck_assert_int_eq(muster_grid_dims(size, dimensions, dims), MUSTER_OK);
    for (int i = 0; i < dimensions; i++)
        ck_assert_msg(dims[i] == wanted[i], "dimension %d of %d ranks: %d, not %d", i, size, dims[i],
                      wanted[i]);
}

START_TEST(test_dims_are_as_equal_as_can_be)
{
    expect_dims(12, 2, (int[]){ 4, 3 });
    expect_dims(64, 3, (int[]){ 4, 4, 4 });
    expect_dims(24, 3, (int[]){ 4, 3, 2 });
    expect_dims(7, 2, (int[]){ 7, 1 });
    expect_dims(1, 8, (int[]){ 1, 1, 1, 1, 1, 1, 1, 1 });
    expect_dims(1 << 20, 8, (int[]){ 8, 8, 8, 8, 4, 4, 4, 4 });
    expect_dims(1024, 1, (int[]){ 1024 });
    for (int size = 1; size <= 1024; size++) {
        int dims[4] = { 0 };

        ck_assert_int_eq(muster_grid_dims(size, 4, dims), MUSTER_OK);
        ck_assert_int_eq(dims[0] * dims[1] * dims[2] * dims[3], size);
        ck_assert(dims[0] >= dims[1] && dims[1] >= dims[2] && dims[2] >= dims[3]);
    }
}
END_TEST

START_TEST(test_given_dims_stay)
{
    int dims[3] = { 0, 2, 0 }, none[2] = { 3, 0 }, all[2] = { 3, 4 }, negative[1] = { -1 };

    ck_assert_int_eq(muster_grid_dims(24, 3, dims), MUSTER_OK);
    ck_assert(dims[0] == 4 && dims[1] == 2 && dims[2] == 3);
    ck_assert_int_eq(muster_grid_dims(16, 2, none), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_dims(12, 2, all), MUSTER_OK);
    ck_assert_int_eq(muster_grid_dims(24, 2, all), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_dims(4, 1, negative), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_dims(0, 2, dims), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_dims(4, MUSTER_GRID_MAX + 1, dims), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_dims(4, 1, NULL), MUSTER_ERR_INVALID);
}
END_TEST

/* Each rank is where its coordinates say, and its neighbours differ in one coordinate. */
START_TEST(test_places)
{
    static const int dims[3] = { 3, 2, 4 };

    for (int rank = 0; rank < 24; rank++) {
        int at[3], there[3];

        ck_assert_int_eq(muster_grid_coordinates(dims, 3, rank, at), MUSTER_OK);
        ck_assert_int_eq((at[0] * 2 + at[1]) * 4 + at[2], rank);
        for (int d = 0; d < 3; d++)
            for (int distance = -5; distance <= 5; distance++) {
                int to = at[d] + distance;
                int open = muster_grid_neighbour(dims, 3, rank, d, distance, false);
                int closed = muster_grid_neighbour(dims, 3, rank, d, distance, true);

                ck_assert((open == MUSTER_RANK_NONE) == (to < 0 || to >= dims[d]));
                ck_assert(open == MUSTER_RANK_NONE || open == closed);
                ck_assert_int_eq(muster_grid_coordinates(dims, 3, closed, there), MUSTER_OK);
                for (int other = 0; other < 3; other++)
                    ck_assert_int_eq(there[other],
                                     other == d ? ((to % dims[d]) + dims[d]) % dims[d] : at[other]);
            }
    }
}
END_TEST

START_TEST(test_no_places)
{
    static const int dims[2] = { 3, 2 }, too_many[2] = { 1 << 20, 1 << 20 };
    int at[2];

    ck_assert_int_eq(muster_grid_coordinates(dims, 2, 6, at), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_coordinates(dims, 2, -1, at), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_coordinates(too_many, 2, 0, at), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_coordinates(dims, 2, 0, NULL), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_grid_neighbour(dims, 2, 0, 2, 1, true), MUSTER_RANK_NONE);
    ck_assert_int_eq(muster_grid_neighbour(NULL, 2, 0, 0, 1, true), MUSTER_RANK_NONE);
    ck_assert_int_eq(muster_grid_neighbour(dims, 2, 0, 0, 2147483647, true), 2 * (2147483647 % 3));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grid");
    TCase *tests = tcase_create("grid");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_dims_are_as_equal_as_can_be);
    tcase_add_test(tests, test_given_dims_stay);
    tcase_add_test(tests, test_places);
    tcase_add_test(tests, test_no_places);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
