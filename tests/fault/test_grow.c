/*
 * Lost ranks are replaced: the launcher starts them again, muster_group_grow takes them in, and all go on
 * with their first numbers, whoever dies when; where nobody comes, nobody waits.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "src/onehost/group/group.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 8 };

typedef struct scene {
    int size;
    uint64_t seed;
    int deaths;                      /* how many processes of each rank die */
    _Atomic int lives[RANKS_MAX];    /* processes that have been the rank, and were taken in */
    _Atomic int finished[RANKS_MAX]; /* of them, to the end */
    _Atomic int sizes[RANKS_MAX];    /* of the rank's last group */
    _Atomic int events;
    int ends[2]; /* a pipe that the other program reads */
} scene;

static int restarts_of_this(void)
{
    return atoi(getenv("MUSTER_RESTARTS"));
}

/* The group anew, until it works; *step: where the foremost is. */
static muster_status replace_the_lost(muster_group *world, muster_group **group, int32_t *step)
{
    muster_group *grown;
    muster_status status;

    do {
        int32_t mine = *step;

        status = muster_group_grow(*group, &grown);
        if (status != MUSTER_OK)
            return status;
        if (*group != world)
            muster_group_free(*group);
        *group = grown;
        status = muster_all_max(&mine, step, 1, MUSTER_INT32, grown);
    } while (status == MUSTER_ERR_PEER_DIED);
    return status;
}

static bool same_rank_as_ever(const muster_group *group, int rank)
{
    return muster_group_rank(group) == rank;
}

/* So many steps together; dies in the middle of one, as told. */
static int serve(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *group = world;
    int rank = atoi(getenv("MUSTER_RANK"));
    int32_t step = 0, mine = 0;
    muster_status status = MUSTER_OK;

    scene->lives[rank]++;
    RANK_CHECK(group, same_rank_as_ever(group, rank));
    if (restarts_of_this() > 0)
        status = muster_all_max(&mine, &step, 1, MUSTER_INT32, group);
    while (status == MUSTER_ERR_PEER_DIED || (status == MUSTER_OK && step < 40)) {
        int32_t one = 1, sum = 0;

        if (status == MUSTER_ERR_PEER_DIED) {
            status = replace_the_lost(world, &group, &step);
            continue;
        }
        if (restarts_of_this() < scene->deaths && step == 3 + 5 * rank + restarts_of_this())
            raise(SIGKILL);
        status = muster_all_sum(&one, &sum, 1, MUSTER_INT32, group);
        if (status == MUSTER_OK) {
            RANK_CHECK(group, sum == muster_group_size(group));
            step++;
        }
    }
    RANK_OK(group, status);
    RANK_CHECK(group, same_rank_as_ever(group, rank));
    scene->sizes[rank] = muster_group_size(group);
    scene->finished[rank]++;
    if (group != world)
        muster_group_free(group);
    return 0;
}

START_TEST(test_every_rank_is_replaced_in_turn)
{
    for (int size = 2; size <= RANKS_MAX; size += 3) {
        scene *scene = shared_page(sizeof *scene);
        muster_report report = MUSTER_REPORT_INIT;

        scene->deaths = 2;
        run_failing_ranks((rank_options){ .size = size, .restarts = 2 * size }, serve, scene, &report);
        ck_assert_int_eq(report.exit_status, 0);
        ck_assert_int_eq(report.first_failed, -1);
        ck_assert_int_eq(report.restarts, 2 * size);
        for (int rank = 0; rank < size; rank++) {
            ck_assert_int_eq(scene->lives[rank], 3);
            ck_assert_int_eq(scene->finished[rank], 1);
            ck_assert_int_eq(scene->sizes[rank], size);
        }
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

/* One restart for two deaths: the second rank stays lost, and the others go on without it. */
START_TEST(test_without_restarts_left_a_rank_stays_lost)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    scene->deaths = 1;
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3, .restarts = 2 }, serve, scene, &report);
    ck_assert_int_eq(report.first_failed, 2);
    ck_assert_int_eq(report.exit_status, 128 + SIGKILL);
    ck_assert_int_eq(terminations[2].kind, MUSTER_TERMINATION_SIGNALED);
    for (int rank = 0; rank < 2; rank++) {
        ck_assert_int_eq(scene->lives[rank], 2);
        ck_assert_int_eq(scene->sizes[rank], 2);
        ck_assert_int_eq(terminations[rank].kind, MUSTER_TERMINATION_EXITED);
        ck_assert_int_eq(terminations[rank].code, 0);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- at any time ---- */

static void light_fuse(void)
{
    uint64_t state = (uint64_t)getpid() * 7919;
    struct itimerval soon = { { 0, 0 }, { 0, (suseconds_t)(1 + random_next(&state) % 10000) } };

    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

/* All but rank 0 die, whatever they do at the time, and so do their replacements, but for the third; the
 * end is when all are there that will not. */
static int serve_with_a_fuse(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *group = world;
    int rank = atoi(getenv("MUSTER_RANK"));
    int32_t safe = rank == 0 || restarts_of_this() == 3, all_safe = 0, step = 0;
    muster_status status = MUSTER_OK;

    if (!safe)
        light_fuse();
    scene->lives[rank]++;
    if (restarts_of_this() > 0) /* the others ask where all are: they take this for a step, too */
        status = muster_all_max(&step, &step, 1, MUSTER_INT32, group);
    while (status == MUSTER_ERR_PEER_DIED || (status == MUSTER_OK && !all_safe)) {
        if (status == MUSTER_ERR_PEER_DIED)
            status = replace_the_lost(world, &group, &step);
        else
            status = muster_all_min(&safe, &all_safe, 1, MUSTER_INT32, group);
        all_safe = status == MUSTER_OK && all_safe;
    }
    RANK_OK(group, status);
    RANK_CHECK(group, same_rank_as_ever(group, rank) && muster_group_size(group) == scene->size);
    scene->finished[rank]++;
    if (group != world)
        muster_group_free(group);
    return 0;
}

START_TEST(test_deaths_at_any_time)
{
    const char *wanted = getenv("TEST_GROWS"); /* scripts/soak makes it thousands */
    int rounds = wanted ? atoi(wanted) : 12;

    for (int round = 0; round < rounds; round++) {
        scene *scene = shared_page(sizeof *scene);
        muster_report report = MUSTER_REPORT_INIT;

        scene->size = 2 + round % 4;
        run_failing_ranks((rank_options){ .size = scene->size, .restarts = 3 * scene->size },
                          serve_with_a_fuse, scene, &report);
        ck_assert_msg(report.exit_status == 0, "round %d: %s", round, report.summary);
        for (int rank = 0; rank < scene->size; rank++)
            ck_assert_int_eq(scene->finished[rank], 1);
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

/* ---- who is not taken in ---- */

static int go_on_without(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);

    scene->lives[rank]++;
    RANK_CHECK(world, restarts_of_this() == 0);
    if (rank == 1)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    AWAIT(state_of_seat(world, 3) == MST_RANK_WAITING); /* the replacement has come */
    return 0;
}

START_TEST(test_nobody_takes_the_replacement_in)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;

    run_failing_ranks((rank_options){ .size = 3, .restarts = 2 }, go_on_without, scene, &report);
    ck_assert_int_eq(report.first_failed, 1);
    ck_assert_int_eq(report.exit_status, 128 + SIGKILL);
    ck_assert_int_eq(scene->lives[1], 1);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

static int all_die(muster_group *world, void *arg)
{
    (void)arg;
    RANK_OK(world, muster_barrier(world));
    raise(SIGKILL);
    return 0;
}

START_TEST(test_nobody_is_left)
{
    muster_report report = MUSTER_REPORT_INIT;

    run_failing_ranks((rank_options){ .size = 3, .restarts = 10 }, all_die, NULL, &report);
    ck_assert_int_ge(report.first_failed, 0);
    ck_assert_int_eq(report.exit_status, 128 + SIGKILL);
}
END_TEST

static int grow_without_it(muster_group *world, scene *scene)
{
    muster_group *grown;

    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_grow(world, &grown));
    RANK_CHECK(grown, muster_group_size(grown) == 2);
    RANK_OK(grown, muster_barrier(grown));
    scene->events++;
    muster_group_free(grown);
    return 0;
}

/* A rank that goes on as another program has ended, though its process has not: nobody waits for that. It
 * ends when both survivors have written a line. */
static int become_another_program(muster_group *world, void *arg)
{
    scene *scene = arg;

    if (muster_group_rank(world) == 1) {
        RANK_CHECK(world, dup2(scene->ends[0], STDIN_FILENO) == STDIN_FILENO);
        execlp("sh", "sh", "-c", "read first && read second", (char *)NULL);
        return 1;
    }
    int failed = grow_without_it(world, scene);
    RANK_CHECK(world, write(scene->ends[1], "\n", 1) == 1);
    return failed;
}

START_TEST(test_another_program_is_not_waited_for)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;

    if (strcmp(mst_os_park_name(), "futex") == 0) { /* else there are no death words, which alone show it */
        ck_assert_int_eq(pipe(scene->ends), 0);
        run_failing_ranks((rank_options){ .size = 3, .restarts = 4 }, become_another_program, scene, &report);
        close(scene->ends[0]), close(scene->ends[1]);
        ck_assert_int_eq(scene->events, 2);
        ck_assert_int_eq(report.exit_status, 0);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- what grow refuses, and when it has nothing to wait for ---- */

static int grow_without_losses(muster_group *world, void *arg)
{
    muster_group *grown, *half, *none;
    int32_t one = 1, sum = 0;

    (void)arg;
    RANK_OK(world, muster_group_grow(world, &grown));
    RANK_OK(grown, muster_all_sum(&one, &sum, 1, MUSTER_INT32, grown));
    RANK_CHECK(grown, sum == muster_group_size(world));
    RANK_CHECK(grown, muster_group_rank(grown) == muster_group_rank(world));
    RANK_OK(grown, muster_group_split(grown, 0, -1, &half));
    RANK_CHECK(half, muster_group_grow(half, &none) == MUSTER_ERR_INVALID);
    RANK_OK(half, muster_barrier(half));
    RANK_CHECK(world, muster_group_grow(world, NULL) == MUSTER_ERR_INVALID);
    muster_group_free(half);
    muster_group_free(grown);
    return 0;
}

START_TEST(test_nothing_to_replace)
{
    run_ranks(3, RANKS_AS_PROCESSES, grow_without_losses, NULL);
    run_ranks(3, RANKS_AS_THREADS, grow_without_losses, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, grow_without_losses, NULL);
}
END_TEST

static int disagree(muster_group *world, void *arg)
{
    bool first = muster_group_rank(world) == 0;
    muster_group *made;

    (void)arg;
    RANK_CHECK(world, (first ? muster_group_grow : muster_group_shrink)(world, &made) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "called") != NULL);
    RANK_OK(world, muster_group_grow(world, &made));
    RANK_OK(made, muster_barrier(made));
    muster_group_free(made);
    return 0;
}

START_TEST(test_shrink_against_grow)
{
    run_ranks(4, RANKS_AS_PROCESSES, disagree, NULL);
    run_ranks(4, RANKS_AS_THREADS, disagree, NULL);
}
END_TEST

/* A replacement that is stopped where it begins: the deadline is the answer, and names no dead. A survivor
 * may give up before the other has come. */
static int wait_for_one_that_is_late(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    const char *other = rank == 0 ? "for rank 2, which lives" : "for rank 0, which lives";
    scene *scene = arg;
    muster_group *grown;

    if (rank == 1)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_set_timeout(world, 200LL * 1000 * 1000));
    do
        RANK_CHECK(world, muster_group_grow(world, &grown) == MUSTER_ERR_TIMED_OUT);
    while (strstr(muster_error_detail(), other));
    RANK_CHECK(world, strstr(muster_error_detail(), "replacement") != NULL);
    scene->events++;
    return 0;
}

START_TEST(test_a_replacement_that_is_late)
{
    scene *scene = shared_page(sizeof *scene);
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 3;
    config.on_failure = MUSTER_ON_FAILURE_RESPAWN;
    config.restart_delay_ns = 60LL * 1000 * 1000 * 1000;
    ck_assert_int_eq(muster_launch(&config, wait_for_one_that_is_late, scene, NULL), MUSTER_ERR_PEER_DIED);
    ck_assert_int_eq(scene->events, 2);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* Seat 2 is the replacement's: it waits to be taken in, and its own deadline ends that. */
static int never_take_it_in(muster_group *world, void *arg)
{
    scene *scene = arg;

    if (muster_group_rank(world) == 1)
        raise(SIGKILL);
    AWAIT(mst_termination_of(&mst_group_of_const(world)->subarena->attachment->geometry, 2).kind !=
          MUSTER_TERMINATION_NONE);
    scene->events++;
    return 0;
}

START_TEST(test_who_is_not_taken_in_gives_up)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;

    /* The first ranks attach within it, or this says nothing. */
    setenv("MUSTER_TIMEOUT", "0.5", 1);
    for (int round = 0; round < 20 && !scene->events; round++)
        run_failing_ranks((rank_options){ .size = 2, .restarts = 1 }, never_take_it_in, scene, &report);
    unsetenv("MUSTER_TIMEOUT");
    ck_assert_int_eq(scene->events, 1);
    ck_assert_int_eq(report.first_failed, 1);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

static muster_status launch_with(int size, int restarts, bool threads)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = size;
    config.restarts = restarts;
    config.threads = threads;
    config.on_failure = MUSTER_ON_FAILURE_RESPAWN;
    return muster_launch(&config, all_die, NULL, NULL);
}

START_TEST(test_what_the_launcher_refuses)
{
    ck_assert_int_eq(launch_with(2, -1, false), MUSTER_ERR_INVALID);
    ck_assert_int_eq(launch_with(1000, 25, false), MUSTER_ERR_INVALID);
    ck_assert_int_eq(launch_with(2, 1, true), MUSTER_ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grow");
    TCase *tests = tcase_create("grow");

    tcase_set_timeout(tests, getenv("TEST_GROWS") ? 100000 : TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* which sees nothing between processes, and makes them slow */
        tcase_add_test(tests, test_every_rank_is_replaced_in_turn);
        tcase_add_test(tests, test_without_restarts_left_a_rank_stays_lost);
        tcase_add_test(tests, test_deaths_at_any_time);
        tcase_add_test(tests, test_nobody_takes_the_replacement_in);
        tcase_add_test(tests, test_nobody_is_left);
        tcase_add_test(tests, test_another_program_is_not_waited_for);
        tcase_add_test(tests, test_a_replacement_that_is_late);
        tcase_add_test(tests, test_who_is_not_taken_in_gives_up);
    }
    tcase_add_test(tests, test_nothing_to_replace);
    tcase_add_test(tests, test_shrink_against_grow);
    tcase_add_test(tests, test_what_the_launcher_refuses);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
