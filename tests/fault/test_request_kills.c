/*
 * Ranks killed at random moments while requests of every kind are in flight: started sends and receives, from
 * any source and of any tag, started collectives, probes, and waits for one, any and all. Every survivor ends
 * with success, or is told of the rank that was killed and how; no request is left pending, no message is
 * received wrong, and the rest go on in a group of their own.
 *
 * Each kill has a seed, which is printed when it fails: TEST_SEED repeats that one alone. TEST_KILLS: how
 * many.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/in_flight.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 6 };

typedef struct scene {
    uint64_t seed;
    int victim;
    bool threaded; /* the victim dies by a thread of its own; else between two rounds, when others are in one
                    */
    bool split;
} scene;

static void *die_later(void *arg)
{
    uint64_t state = *(const uint64_t *)arg;

    pass_time_ms((double)(random_next(&state) % 6000000) / 1e6);
    kill(getpid(), SIGKILL);
    return NULL;
}

static int until_one_is_killed(muster_group *world, muster_group *group, scene *scene)
{
    bool dies = muster_group_rank(world) == scene->victim;
    uint64_t round = scene->seed * 1000;
    muster_status status;
    pthread_t killer;
    char story[100];

    if (dies && scene->threaded)
        RANK_CHECK(world, pthread_create(&killer, NULL, die_later, &scene->seed) == 0);
    for (uint64_t end = round + scene->seed % 5; (status = use_requests(group, round)) == MUSTER_OK; round++)
        if (dies && !scene->threaded && round == end)
            raise(SIGKILL);
    int rank = muster_group_translate(world, scene->victim, group);
    snprintf(story, sizeof story,
             rank == scene->victim ? "rank %d was killed by signal 9"
                                   : "rank %d of the group (rank %d of the world) was killed by signal 9",
             rank, scene->victim);
    RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED && strstr(muster_error_detail(), story));
    return 0;
}

static int in_flight(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *group = world, *rest;

    if (scene->split)
        RANK_OK(world, muster_group_split(world, 0, RANKS_MAX - muster_group_rank(world), &group));
    RANK_OK(world, muster_barrier(group));
    if (until_one_is_killed(world, group, scene))
        return 1;
    RANK_OK(group, muster_group_shrink(group, &rest));
    RANK_CHECK(rest, muster_group_size(rest) == muster_group_size(world) - 1);
    for (uint64_t round = 0; round < 3; round++)
        RANK_OK(rest, use_requests(rest, scene->seed + round));
    RANK_OK(rest, muster_group_free(rest));
    if (group != world)
        RANK_OK(world, muster_group_free(group)); /* with nothing pending */
    return 0;
}

static void kill_one(uint64_t seed)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[RANKS_MAX];
    uint64_t state = seed;
    rank_options options = { .size = 2 + (int)(random_next(&state) % (RANKS_MAX - 1)) };

    options.staging_bytes = random_next(&state) % 2 ? 8192 : 0;
    scene->seed = seed;
    scene->victim = (int)(random_next(&state) % (uint64_t)options.size);
    scene->threaded = random_next(&state) % 4 != 0;
    scene->split = random_next(&state) % 2;
    report.terminations = terminations;
    run_failing_ranks(options, in_flight, scene, &report);
    for (int rank = 0; rank < options.size; rank++) {
        const muster_termination *end = &terminations[rank];
        bool right = rank == scene->victim ? end->kind == MUSTER_TERMINATION_SIGNALED && end->code == SIGKILL
                                           : end->kind == MUSTER_TERMINATION_EXITED && end->code == 0;

        ck_assert_msg(right, "seed %llu: of %d ranks rank %d ended %d, %d", (unsigned long long)seed,
                      options.size, rank, end->kind, end->code);
    }
    shared_page_free(scene, sizeof *scene);
}

/* Check counts a test's microseconds in 31 bits: half an hour. */
#define KILLS_AT_A_TIME 1000

static int kills_wanted(void)
{
    const char *wanted = getenv("TEST_KILLS");

    return getenv("TEST_SEED") ? 1 : wanted ? atoi(wanted) : 60;
}

START_TEST(test_kills_with_requests_in_flight)
{
    const char *seed = getenv("TEST_SEED");
    uint64_t base = seed ? strtoull(seed, NULL, 10) : 20261129;
    int from = _i * KILLS_AT_A_TIME, to = from + KILLS_AT_A_TIME;

    to = to < kills_wanted() ? to : kills_wanted();
    for (int i = from; i < to; i++)
        kill_one(base + (uint64_t)i);
}
END_TEST

/* Nobody dies: each round is what its seed says, also with delays wherever ranks depend on each other. */
static int rounds(muster_group *world, void *arg)
{
    (void)arg;
    for (uint64_t seed = 0; seed < 40; seed++)
        RANK_OK(world, use_requests(world, seed));
    return 0;
}

START_TEST(test_without_a_kill)
{
    for (int size = 1; size <= RANKS_MAX; size++) {
        run_ranks(size, RANKS_AS_THREADS, rounds, NULL);
        run_ranks(size, RANKS_AS_PROCESSES, rounds, NULL);
    }
    setenv("MUSTER_CHAOS", "3", 1);
    run_ranks(3, RANKS_AS_PROCESSES, rounds, NULL);
    unsetenv("MUSTER_CHAOS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request kills");
    TCase *tests = tcase_create("request kills");

    tcase_set_timeout(tests, getenv("TEST_KILLS") ? 100000 : TEST_TIMEOUT_S);
    tcase_add_test(tests, test_without_a_kill);
    if (!under_thread_sanitizer()) /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_kills_with_requests_in_flight, 0,
                            (kills_wanted() + KILLS_AT_A_TIME - 1) / KILLS_AT_A_TIME);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
