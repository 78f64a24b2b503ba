/* What waits do over several hosts, which are pretended: what they take for a wait cycle, what they advance,
 * whom they call, and how long they last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "tests/harness/ranks.h"

typedef struct story {
    char name[64];
    int one_thread;     /* the config says so */
    _Atomic int *facts; /* that ranks tell each other, zeros at first */
} story;

static muster_status attach_over_hosts(const muster_group *ranks, const story *story, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    config.arena = story->name;
    config.rank = muster_group_rank(ranks);
    config.size = muster_group_size(ranks);
    config.attach_timeout_ns = -1;
    config.one_thread = story->one_thread;
    return muster_attach(&config, world);
}

/* In processes, of one thread each. */
static void play(const char *hosts, int size, muster_rank_fn body)
{
    story story = { .one_thread = 1, .facts = shared_page(4096) };

    name_of_test(story.name, sizeof story.name, "waits");
    setenv("MUSTER_FAKE_HOSTS", hosts, 1);
    run_ranks(size, RANKS_AS_PROCESSES, body, &story);
    unsetenv("MUSTER_FAKE_HOSTS");
    shared_page_free((void *)(uintptr_t)story.facts, 4096);
}

/* ---- wait cycles ---- */

/* Rank 1 computes, and so owes rank 0 a step of the sum; rank 0 waits for a message of rank 2, and rank 2 for
 * the sum, which needs a transfer of rank 0. They end when rank 1 comes. */
static int owe_a_step(muster_group *ranks, void *arg)
{
    enum { COUNT = 1000 };
    const story *story = arg;
    int rank = muster_group_rank(ranks);
    float x[COUNT] = { 0 };
    muster_group *world;
    muster_request request = MUSTER_REQUEST_INIT;

    RANK_OK(ranks, attach_over_hosts(ranks, story, &world));
    if (rank != 1)
        AWAIT(story->facts[0]);
    x[COUNT - 1] = 1;
    RANK_OK(world, muster_all_reduce_start(x, x, COUNT, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
    if (rank == 1) {
        story->facts[0] = 1;
        pass_time_ms(1000);
    }
    if (rank == 0)
        RANK_OK(world, muster_recv(NULL, 0, MUSTER_UINT8, 2, 7, world, NULL));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, x[0] == 0 && x[COUNT - 1] == 4);
    if (rank == 2)
        RANK_OK(world, muster_send(NULL, 0, MUSTER_UINT8, 0, 7, world));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_step_that_is_owed_is_no_cycle)
{
    play("2", 4, owe_a_step);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_waits");
    TCase *tests = tcase_create("hosts_waits");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) /* it sees nothing of processes */
        tcase_add_test(tests, test_a_step_that_is_owed_is_no_cycle);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
