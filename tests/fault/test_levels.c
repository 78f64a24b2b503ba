/* Groups that meet in two levels, as those of many ranks do (shm/group/levels.h): what only these can do
 * wrong. The tests of groups in general run on such groups, too (*_levels). */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

/* Of two domains, ranks 0 and 1, 2 and 3; the first of each leads it. */
typedef struct scene {
    _Atomic int looks[4]; /* of each rank, in the operation: it has come */
    _Atomic int released; /* rank 1 has been */
    pid_t stopped;        /* rank 2 */
} scene;

static bool stop_at_the_first(void *arg)
{
    scene *scene = arg;

    if (scene->looks[2]++ == 0)
        raise(SIGSTOP);
    return false;
}

/* Rank 2 has come, and is stopped before it says that its domain has, and with what. The time of rank 0 is
 * over, while all have come: it succeeds, and so does rank 1, which has all the time that it wants and is led
 * by rank 0. */
static int be_led(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    int32_t mine = 100 + rank, all[4] = { 0 };

    if (rank == 2) {
        scene->stopped = getpid();
        RANK_OK(world, muster_group_set_interrupt(world, stop_at_the_first, scene));
    } else {
        RANK_OK(world, muster_group_set_interrupt(world, count_looks, &scene->looks[rank]));
    }
    if (rank == 3)
        AWAIT(scene->looks[2] > 0);
    if (rank == 0) {
        AWAIT(scene->looks[1] > 0 && scene->looks[3] > 0);
        RANK_OK(world, muster_group_set_timeout(world, 50 * 1000 * 1000));
    }
    RANK_OK(world, muster_all_gather(&mine, all, 1, MUSTER_INT32, world));
    for (int i = 0; i < 4; i++)
        RANK_CHECK(world, all[i] == 100 + i);
    if (rank == 1)
        scene->released = 1;
    if (rank == 0) {
        AWAIT(scene->released);
        kill(scene->stopped, SIGCONT);
        RANK_OK(world, muster_group_set_timeout(world, 0));
    }
    return 0;
}

START_TEST(test_a_leader_whose_time_is_over_leads)
{
    scene *scene = shared_page(sizeof *scene);

    run_ranks_with((rank_options){ .size = 4 }, be_led, scene);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("levels");
    TCase *tests = tcase_create("levels");

    setenv("MUSTER_PRETEND_TOPOLOGY", "2x2", 1);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_leader_whose_time_is_over_leads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
