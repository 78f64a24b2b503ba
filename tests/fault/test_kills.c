/*
 * Ranks killed at random moments, in every kind of world: launched and met by name, private and arena
 * buffers, the world and a group split from it, up to 16 ranks. Every survivor must be told who died and
 * how, no operation may return OK with a wrong result, and the rest must go on in a group of their own.
 * And ranks stopped and continued at random, which must change nothing at all.
 *
 * Each kill has a seed, which is printed when it fails: TEST_SEED repeats that one alone.
 * TEST_KILLS, TEST_STORM_SECONDS: how much of it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 16, ELEMENTS = 20000 };

typedef struct scene {
    uint64_t seed;
    int victim;
    bool named, split, subset, arena; /* subset: in place of the split */
    char name[64];
    _Atomic int pids[RANKS_MAX];
    double seconds;
} scene;

/* ---- work whose results are known ---- */

typedef struct desk {
    muster_group *group;
    int64_t *in, *out; /* out: ELEMENTS for each rank */
} desk;

static int64_t value(int rank, uint64_t round, int at)
{
    return (int64_t)round * 1000 + rank * 7 + at % 13;
}

static int64_t sum_of(int size, uint64_t round, int at)
{
    return (int64_t)size * ((int64_t)round * 1000 + at % 13) + 7 * (int64_t)(size * (size - 1) / 2);
}

/* One operation, chosen alike on all ranks; a wrong result reads as BAD_ARENA. */
static muster_status work(const desk *desk, uint64_t round)
{
    static const int counts[] = { 1, 30, 1000, ELEMENTS };
    int rank = muster_group_rank(desk->group), size = muster_group_size(desk->group);
    int next = (rank + 1) % size, before = (rank + size - 1) % size;
    uint64_t state = round * 77 + 5;
    int count = counts[random_next(&state) % 4], kind = (int)(random_next(&state) % 5);
    muster_status status;
    bool right;

    for (int i = 0; i < count; i++)
        desk->in[i] = value(rank, round, i);
    int last = count - 1;
    switch (kind) {
    case 0:
        return muster_barrier(desk->group);
    case 1:
        status = muster_all_gather(desk->in, desk->out, (size_t)count, MUSTER_INT64, desk->group);
        right = desk->out[before * count + last] == value(before, round, last);
        break;
    case 2:
        if (size == 1)
            return MUSTER_OK;
        status = muster_sendrecv(desk->in, (size_t)count, next, 0, desk->out, (size_t)count, before, 0,
                                 MUSTER_INT64, desk->group, NULL);
        right = desk->out[last] == value(before, round, last);
        break;
    default:
        status = muster_all_sum(desk->in, desk->out, (size_t)count, MUSTER_INT64, desk->group);
        right = desk->out[0] == sum_of(size, round, 0) && desk->out[last] == sum_of(size, round, last);
    }
    return status == MUSTER_OK && !right ? MUSTER_ERR_BAD_ARENA : status;
}

static int furnish(desk *desk, muster_group *group, bool arena)
{
    size_t size = (size_t)muster_group_size(group);
    void *in, *out;

    desk->group = group;
    if (arena) {
        RANK_OK(group, muster_alloc(group, ELEMENTS * sizeof(int64_t), &in));
        RANK_OK(group, muster_alloc(group, size * ELEMENTS * sizeof(int64_t), &out));
    } else {
        in = calloc(ELEMENTS, sizeof(int64_t));
        out = calloc(size * ELEMENTS, sizeof(int64_t));
    }
    RANK_CHECK(group, in && out);
    desk->in = in;
    desk->out = out;
    return 0;
}

/* ---- kills ---- */

static void *die_later(void *arg)
{
    uint64_t state = *(const uint64_t *)arg;

    pass_time_ms((double)(random_next(&state) % 4000000) / 1e6);
    kill(getpid(), SIGKILL);
    return NULL;
}

static int open_groups(scene *scene, muster_group *world, muster_group **base, muster_group **group)
{
    muster_config config = MUSTER_CONFIG_INIT;

    *base = world;
    if (scene->named) { /* no launcher of that one */
        config.arena = scene->name;
        config.rank = muster_group_rank(world);
        config.size = muster_group_size(world);
        RANK_OK(world, muster_attach(&config, base));
    }
    *group = *base;
    int size = muster_group_size(world), ranks[RANKS_MAX];
    for (int i = 0; i < size; i++) /* in another order */
        ranks[i] = size - 1 - i;
    if (scene->split && scene->subset)
        RANK_OK(world, muster_group_subset(*base, ranks, size, group));
    else if (scene->split)
        RANK_OK(world, muster_group_split(*base, 0, size - muster_group_rank(world), group));
    return 0;
}

static int check_story(const scene *scene, muster_group *base, muster_group *group)
{
    int rank = muster_group_translate(base, scene->victim, group);
    char story[100];

    snprintf(story, sizeof story,
             rank == scene->victim ? "rank %d was killed by signal 9"
                                   : "rank %d of the group (rank %d of the world) was killed by signal 9",
             rank, scene->victim);
    RANK_CHECK(group, strstr(muster_error_detail(), story));
    return 0;
}

static int work_until_one_is_killed(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *base, *group, *rest;
    muster_status status;
    pthread_t killer;
    uint64_t round = 0;
    desk desk;

    if (open_groups(scene, world, &base, &group) || furnish(&desk, group, scene->arena))
        return 1;
    RANK_OK(world, muster_barrier(group));
    if (muster_group_rank(base) == scene->victim)
        RANK_CHECK(world, pthread_create(&killer, NULL, die_later, &scene->seed) == 0);
    do
        status = work(&desk, ++round);
    while (status == MUSTER_OK);
    RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED);
    if (check_story(scene, base, group))
        return 1;
    RANK_OK(group, muster_group_shrink(group, &rest));
    RANK_CHECK(rest, muster_group_size(rest) == muster_group_size(world) - 1);
    if (furnish(&desk, rest, scene->arena))
        return 1;
    for (round = 1; round <= 10; round++)
        RANK_OK(rest, work(&desk, round));
    muster_group_free(rest);
    if (group != base)
        muster_group_free(group);
    if (base != world)
        muster_group_free(base);
    return 0;
}

static void kill_one(uint64_t seed)
{
    static const int sizes[] = { 2, 3, 4, 8, 16 };
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[RANKS_MAX];
    uint64_t state = seed;
    rank_options options = { .size = sizes[random_next(&state) % 5] };

    options.staging_bytes = random_next(&state) % 2 ? 8192 : 0;
    scene->seed = seed;
    scene->victim = (int)(random_next(&state) % (uint64_t)options.size);
    scene->named = random_next(&state) % 2;
    scene->split = random_next(&state) % 2;
    scene->subset = random_next(&state) % 2;
    scene->arena = random_next(&state) % 2;
    name_of_test(scene->name, sizeof scene->name, "kills");
    report.terminations = terminations;
    run_failing_ranks(options, work_until_one_is_killed, scene, &report);
    for (int rank = 0; rank < options.size; rank++) {
        bool right =
            rank == scene->victim
                ? terminations[rank].kind == MUSTER_TERMINATION_SIGNALED && terminations[rank].code == SIGKILL
                : terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0;

        ck_assert_msg(right, "seed %llu: %d ranks, %s, %s, %s buffers: rank %d ended %d, %d",
                      (unsigned long long)seed, options.size, scene->named ? "named" : "launched",
                      scene->split ? "split" : "world", scene->arena ? "arena" : "private", rank,
                      terminations[rank].kind, terminations[rank].code);
    }
    shared_page_free(scene, sizeof *scene);
}

/* Check counts a test's microseconds in 31 bits: half an hour. */
#define KILLS_AT_A_TIME 1000

static int kills_wanted(void)
{
    const char *wanted = getenv("TEST_KILLS");

    return getenv("TEST_SEED") ? 1 : wanted ? atoi(wanted) : 100;
}

START_TEST(test_random_kills)
{
    const char *seed = getenv("TEST_SEED");
    uint64_t base = seed ? strtoull(seed, NULL, 10) : 20261124;
    int from = _i * KILLS_AT_A_TIME, to = from + KILLS_AT_A_TIME;

    to = to < kills_wanted() ? to : kills_wanted();
    printf("kills %d to %d from seed %llu on\n", from, to, (unsigned long long)base);
    for (int i = from; i < to; i++)
        kill_one(base + (uint64_t)i);
}
END_TEST

/* ---- stops ---- */

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A process of its own, which stops and continues the ranks at random. */
static pid_t start_storm(scene *scene, int size)
{
    uint64_t state = scene->seed;
    double until_s = now_s() + scene->seconds;
    pid_t storm = fork();

    if (storm != 0)
        return storm;
    while (now_s() < until_s) {
        pid_t pid = scene->pids[random_next(&state) % (uint64_t)size];

        kill(pid, SIGSTOP);
        pass_time_ms((double)(random_next(&state) % 60000) / 1000); /* past every tick, now and then */
        kill(pid, SIGCONT);
        pass_time_ms((double)(random_next(&state) % 3000) / 1000);
    }
    _exit(0);
}

static int work_in_a_storm(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    double until_s = now_s() + scene->seconds;
    int32_t go_on = 1, all = 1;
    pid_t storm = 0;
    desk desk;

    scene->pids[rank] = getpid();
    if (furnish(&desk, world, scene->arena))
        return 1;
    RANK_OK(world, muster_barrier(world));
    if (rank == 0)
        storm = start_storm(scene, muster_group_size(world));
    for (uint64_t round = 1; all; round++) {
        RANK_OK(world, work(&desk, round));
        go_on = now_s() < until_s;
        RANK_OK(world, muster_all_min(&go_on, &all, 1, MUSTER_INT32, world));
    }
    if (rank == 0)
        RANK_CHECK(world, waitpid(storm, NULL, 0) == storm);
    RANK_OK(world, muster_barrier(world)); /* nobody leaves while it may still be stopped */
    return 0;
}

START_TEST(test_stops_change_nothing)
{
    const char *wanted = getenv("TEST_STORM_SECONDS");
    scene *scene = shared_page(sizeof *scene);
    static const int sizes[] = { 2, 3, 8 };

    for (int i = 0; i < 3; i++) {
        scene->seed = 42 + (uint64_t)i;
        scene->seconds = (wanted ? atof(wanted) : 4) / 3;
        scene->arena = i % 2;
        run_ranks(sizes[i], RANKS_AS_PROCESSES, work_in_a_storm, scene);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    bool soak = getenv("TEST_KILLS") || getenv("TEST_STORM_SECONDS");
    Suite *suite = suite_create("kills");
    TCase *tests = tcase_create("kills");

    tcase_set_timeout(tests, soak ? 100000 : TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_random_kills, 0,
                            (kills_wanted() + KILLS_AT_A_TIME - 1) / KILLS_AT_A_TIME);
        tcase_add_test(tests, test_stops_change_nothing);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
