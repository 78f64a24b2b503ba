/* Ranks in sentences: runs, the singular, and what has no room. */
#include "shm/base/ranklist.h"
#include "tests/harness/ranks.h"

typedef struct ranks_in {
    const int *ranks;
    int count;
} ranks_in;

static bool is_one_of(const void *arg, int rank)
{
    const ranks_in *in = arg;

    for (int i = 0; i < in->count; i++)
        if (in->ranks[i] == rank)
            return true;
    return false;
}

static bool is_two_or_more(const void *arg, int rank)
{
    (void)arg;
    return rank >= 2;
}

static int list(const int *ranks, int count, char *text, size_t bytes)
{
    return mst_ranklist(text, bytes, 1024, is_one_of, &(ranks_in){ ranks, count });
}

#define SAYS(expected, ...)                                                                                  \
    do {                                                                                                     \
        int ranks[] = { __VA_ARGS__ };                                                                       \
        int given = (int)(sizeof ranks / sizeof ranks[0]);                                                   \
        ck_assert_int_eq(list(ranks, given, text, sizeof text), given);                                      \
        ck_assert_str_eq(text, expected);                                                                    \
    } while (0)

START_TEST(test_runs)
{
    char text[100];

    SAYS("rank 0", 0);
    SAYS("rank 17", 17);
    SAYS("ranks 0 1", 0, 1);
    SAYS("ranks 0-2", 0, 1, 2);
    SAYS("ranks 0 2", 0, 2);
    SAYS("ranks 1 3-5 7 8 10", 1, 3, 4, 5, 7, 8, 10);
    ck_assert_int_eq(list(NULL, 0, text, sizeof text), 0);
    ck_assert_str_eq(text, "no rank");
}
END_TEST

START_TEST(test_many)
{
    char text[100];

    ck_assert_int_eq(mst_ranklist(text, sizeof text, 1024, is_two_or_more, NULL), 1022);
    ck_assert_str_eq(text, "ranks 2-1023");
}
END_TEST

/* Whatever the room: the text fits, ends, and begins as the whole one does. */
START_TEST(test_no_room)
{
    char whole[8192], text[8192];
    int ranks[512];

    for (int i = 0; i < 512; i++)
        ranks[i] = 2 * i;
    list(ranks, 512, whole, sizeof whole);
    for (size_t bytes = 32; bytes < 200; bytes++) {
        memset(text, 'x', sizeof text);
        ck_assert_int_eq(list(ranks, 512, text, bytes), 512);
        size_t length = strlen(text);
        ck_assert_uint_lt(length, bytes);
        ck_assert_int_eq(text[bytes], 'x');
        ck_assert_str_eq(text + length - 4, " ...");
        ck_assert_int_eq(strncmp(text, whole, length - 4), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ranklist");
    TCase *tests = tcase_create("ranklist");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_runs);
    tcase_add_test(tests, test_many);
    tcase_add_test(tests, test_no_room);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
