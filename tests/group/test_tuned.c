/* Ranks that would each choose other thresholds use the same: those of whoever has created their arena. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

#define RANKS 3
#define COUNT_MAX 100000

static const char *const tunings[RANKS] = {
    "cpu=zen4,payload_bytes_max=16,whole_bytes_max_3=1k,view_bytes_min=4k,round_bytes_min=4k",
    "cpu=icelake,payload_bytes_max=112,whole_bytes_max_3=never,view_bytes_min=1M,round_bytes_min=1M",
    "none,view_bytes_min=64k",
};

/* In private buffers, in the arena, and from one to all, through all sizes between the thresholds. */
static bool works(muster_group *world)
{
    int32_t *arena, *private = calloc(COUNT_MAX, sizeof *private);
    bool fine = private && muster_alloc(world, COUNT_MAX * sizeof *arena, (void **)&arena) == MUSTER_OK;

    for (size_t count = 1; fine && count < COUNT_MAX; count = count * 3 + 7)
        for (int in_arena = 0; in_arena < 2; in_arena++) {
            int32_t *data = in_arena ? arena : private;

            for (size_t i = 0; i < count; i++)
                data[i] = (int32_t)i + world->rank;
            fine &= muster_all_sum(data, data, count, MUSTER_INT32, world) == MUSTER_OK;
            for (size_t i = 0; i < count; i++)
                fine &= data[i] == RANKS * (int32_t)i + RANKS * (RANKS - 1) / 2;
            data[0] = world->rank;
            fine &= muster_broadcast(data, data, count, MUSTER_INT32, 2, world) == MUSTER_OK && data[0] == 2;
        }
    free(private);
    return fine;
}

static int be_rank(const char *name, int rank, mst_tuning *used)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    setenv("MUSTER_TUNING", tunings[rank], 1);
    config.arena = name;
    config.rank = rank;
    config.size = RANKS;
    if (muster_attach(&config, &world) != MUSTER_OK)
        return 1;
    used[rank] = mst_group_of(world)->tuning;
    return works(world) && muster_group_free(world) == MUSTER_OK ? 0 : 1;
}

START_TEST(test_ranks_use_the_creators)
{
    mst_tuning *used = shared_page(RANKS * sizeof *used);
    char name[80];
    int status;

    name_of_test(name, sizeof name, "tuned");
    for (int rank = 0; rank < RANKS; rank++)
        if (fork() == 0)
            _exit(be_rank(name, rank, used));
    for (int rank = 0; rank < RANKS; rank++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    for (int rank = 1; rank < RANKS; rank++)
        ck_assert(used[rank].whole_bytes_max == used[0].whole_bytes_max &&
                  used[rank].view_bytes_min == used[0].view_bytes_min &&
                  used[rank].round_bytes_min == used[0].round_bytes_min &&
                  used[rank].libc_copy_bytes_min == used[0].libc_copy_bytes_min);
    shared_page_free(used, RANKS * sizeof *used);
}
END_TEST

/* The launcher is the creator: what a rank is told later is too late. */
static int compare_with_launcher(muster_group *world, void *arg)
{
    (void)arg;
    RANK_CHECK(world, mst_group_of(world)->subarena->attachment->arena->thresholds.view_bytes_min == 16384);
    return 0;
}

START_TEST(test_ranks_use_the_launchers)
{
    setenv("MUSTER_TUNING", "view_bytes_min=16k", 1);
    run_ranks(2, RANKS_AS_PROCESSES, compare_with_launcher, NULL);
    run_ranks(2, RANKS_AS_THREADS, compare_with_launcher, NULL);
    unsetenv("MUSTER_TUNING");
}
END_TEST

static void expect_refusal(const char *list, const char *words)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    setenv("MUSTER_TUNING", list, 1);
    config.size = 2;
    ck_assert_int_eq(muster_launch(&config, compare_with_launcher, NULL, &report), MUSTER_ERR_INVALID);
    ck_assert_msg(strstr(muster_error_detail(), words), "%s", muster_error_detail());
    unsetenv("MUSTER_TUNING");
}

/* What makes no sense is said before there are ranks, with what would. */
START_TEST(test_nonsense_is_an_error)
{
    expect_refusal("view_bytes_min=1",
                   "MUSTER_TUNING has \"view_bytes_min=1\"; expected view_bytes_min=4096 to 1048576 bytes");
    expect_refusal("none,libc_copy_bytes_min=1k",
                   "\"libc_copy_bytes_min=1k\"; expected libc_copy_bytes_min=2048 bytes or more, or never");
    expect_refusal("nontemporal_max_ratio=0", "expected nontemporal_max_ratio=1 to 100");
    expect_refusal("views=1", "\"views=1\"; expected none, cpu=zen4");
    ck_assert_int_eq(muster_tuning_keep("view_bytes_min=never"), MUSTER_ERR_INVALID);
    ck_assert_msg(strstr(muster_error_detail(), "expected view_bytes_min=4096 to 1048576 bytes"), "%s",
                  muster_error_detail());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tuned");
    TCase *tests = tcase_create("thresholds of an arena");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_ranks_use_the_creators);
    tcase_add_test(tests, test_ranks_use_the_launchers);
    tcase_add_test(tests, test_nonsense_is_an_error);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
