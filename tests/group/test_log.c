/* Logging: who is told what, and that nothing is said unasked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

typedef struct pile {
    char lines[100][200];
    muster_log_level levels[100];
    int count;
} pile;

static void add(muster_log_level level, const char *line, void *arg)
{
    pile *pile = arg;

    if (pile->count == 100)
        return;
    pile->levels[pile->count] = level;
    snprintf(pile->lines[pile->count++], sizeof pile->lines[0], "%s", line);
}

/* How many lines have the words. */
static int count_lines(const pile *pile, const char *words)
{
    int count = 0;

    for (int i = 0; i < pile->count; i++)
        count += strstr(pile->lines[i], words) != NULL;
    return count;
}

typedef struct setting {
    muster_log_level level;
    bool breaks;
} setting;

/* Rank 0 attaches a second time, to a world of its own, with a log; so does rank 1 to the same. */
static int use_logged_world(muster_group *world, void *arg)
{
    const setting *setting = arg;
    muster_config config = MUSTER_CONFIG_INIT;
    static pile pile;
    char name[64];
    muster_group *logged, *child;
    float x[3] = { 1, 1, 1 }, y[2];
    int rank = muster_group_rank(world);

    snprintf(name, sizeof name, "/muster-test-log-%d", (int)getppid());
    pile.count = 0;
    config.arena = name;
    config.rank = rank;
    config.size = 2;
    config.log_level = setting->level;
    config.log = add;
    config.log_arg = &pile;
    RANK_OK(world, muster_attach(&config, &logged));
    RANK_OK(logged, muster_group_split(logged, 0, -1, &child));
    RANK_OK(logged, muster_all_max(x, x, 3, MUSTER_FLOAT32, child));
    if (rank == 0)
        RANK_OK(logged, muster_send(x, 3, MUSTER_FLOAT32, 1, 0, child));
    else
        RANK_OK(logged, muster_recv(x, 3, MUSTER_FLOAT32, 0, 0, child, NULL));
    RANK_OK(logged, muster_sendrecv(x, (size_t)rank + 1, 1 - rank, rank, y, (size_t)2 - (size_t)rank,
                                    rank ? MUSTER_ANY_SOURCE : 1, 1 - rank, MUSTER_FLOAT32, child, NULL));
    if (setting->breaks) {
        RANK_CHECK(logged,
                   muster_broadcast(x, x, (size_t)rank + 1, MUSTER_FLOAT32, 0, child) == MUSTER_ERR_MISMATCH);
        RANK_CHECK(logged, muster_barrier(child) == MUSTER_ERR_MISMATCH);
    }
    RANK_OK(logged, muster_group_free(child));
    RANK_OK(logged, muster_group_free(logged));
    for (int i = 0; i < pile.count; i++)
        RANK_CHECK(world, pile.levels[i] <= setting->level && !strchr(pile.lines[i], '\n'));
    bool info = setting->level >= MUSTER_LOG_INFO, debug = setting->level == MUSTER_LOG_DEBUG;
    RANK_CHECK(world, count_lines(&pile, "has attached") == info);
    /* The log is there before anything is waited for: the first line is of that. */
    RANK_CHECK(world, count_lines(&pile, "waits for all 2 ranks to attach") == debug);
    RANK_CHECK(world, !debug || strstr(pile.lines[0], "waits for all 2 ranks to attach"));
    RANK_CHECK(world, count_lines(&pile, "of a new group of 2") == info);
    RANK_CHECK(world, count_lines(&pile, "frees a group of 2") == 2 * info);
    RANK_CHECK(world, count_lines(&pile, "all_max (float32 x 3), operation 1, in a group of 2") == debug);
    RANK_CHECK(world, count_lines(&pile, rank == 0 ? "send (float32 x 3, tag 0) with rank 1"
                                                   : "recv (float32 x 3, tag 0) with rank 0") == debug);
    RANK_CHECK(
        world,
        count_lines(&pile, rank == 0
                               ? "sendrecv (sends float32 x 1, tag 0; receives x 2, tag 1) with rank 1, in"
                               : "sendrecv (sends float32 x 2, tag 1; receives x 1, tag 0) with rank 0 "
                                 "and any rank, in") == debug);
    RANK_CHECK(world, count_lines(&pile, "is broken: rank 0 called broadcast") ==
                          (setting->breaks && setting->level >= MUSTER_LOG_WARN));
    return 0;
}

START_TEST(test_levels)
{
    for (int level = MUSTER_LOG_OFF; level <= MUSTER_LOG_DEBUG; level++)
        for (int breaks = 0; breaks < 2; breaks++) {
            setting setting = { (muster_log_level)level, breaks };

            run_ranks(2, RANKS_AS_PROCESSES, use_logged_world, &setting);
        }
}
END_TEST

/* ---- muster_init ---- */

START_TEST(test_misspelt_variables)
{
    muster_group *world;
    static pile pile;

    setenv("MUSTER_TIMEOT", "3", 1);
    muster_set_log(MUSTER_LOG_WARN, add, &pile);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(count_lines(&pile, "nobody reads MUSTER_TIMEOT"), 1);
    ck_assert_int_eq(pile.count, 1);
    muster_group_free(world);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK); /* said once */
    ck_assert_int_eq(pile.count, 1);
    muster_group_free(world);
    ck_assert(muster_is_variable("MUSTER_TIMEOUT") && muster_is_variable("PATH") &&
              !muster_is_variable("MUSTER_"));
    for (const char *const *variable = muster_variables(); *variable; variable++)
        ck_assert(muster_is_variable(*variable) && (!variable[1] || strcmp(variable[0], variable[1]) < 0));
}
END_TEST

START_TEST(test_other_launchers)
{
    muster_group *world;
    static pile pile;
    int size = 0;

    setenv("WORLD_SIZE", "1", 1);
    setenv("PMI_SIZE", "nonsense", 1);
    ck_assert_ptr_null(muster_other_launcher(&size));
    setenv("PMI_SIZE", "7", 1);
    ck_assert_str_eq(muster_other_launcher(&size), "PMI_SIZE");
    ck_assert_int_eq(size, 7);
    ck_assert_ptr_nonnull(muster_other_launcher(NULL));
    muster_set_log(MUSTER_LOG_WARN, add, &pile);
    ck_assert_int_eq(muster_init(true, NULL, &world), MUSTER_ERR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "PMI_SIZE is 7"));
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(count_lines(&pile, "is alone, though PMI_SIZE says 7 ranks"), 1);
    muster_group_free(world);
    setenv("MUSTER_RANK", "0", 1); /* ours say better, whatever they say */
    ck_assert_ptr_null(muster_other_launcher(&size));
}
END_TEST

/* Standard error of fn, as text. */
static void capture(void (*fn)(void), char *text, size_t bytes)
{
    int saved = dup(2), ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], 2);
    fn();
    dup2(saved, 2);
    close(ends[1]);
    ssize_t got = read(ends[0], text, bytes - 1);
    text[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    close(saved);
}

static void use_world(void)
{
    muster_group *world;

    if (muster_init(false, NULL, &world) == MUSTER_OK)
        muster_group_free(world);
}

START_TEST(test_standard_error)
{
    muster_group *world;
    char text[1000];

    setenv("MUSTER_LOG", "loud", 1);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "expected warn, info or debug"));
    unsetenv("MUSTER_LOG");
    capture(use_world, text, sizeof text);
    ck_assert_str_eq(text, "");
    setenv("MUSTER_LOG", "info", 1);
    capture(use_world, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "muster: rank 0: info: rank 0 of 1 has attached"));
    ck_assert_ptr_nonnull(strstr(text, "info: frees a group of 1, in which it was rank 0\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_levels);
    tcase_add_test(tests, test_misspelt_variables);
    tcase_add_test(tests, test_other_launchers);
    tcase_add_test(tests, test_standard_error);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
