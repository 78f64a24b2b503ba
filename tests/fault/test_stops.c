/*
 * Jobs that are stopped and continued under a deadline, as by Ctrl-Z, a batch system or a frozen container:
 * the time does not count, in a collective, in attaching, and for the launcher's limit; and who is waited for
 * may be continued later than who waits. A rank that is stopped alone is late.
 *
 * Moments are chosen by the clock, as time itself is what is tested. On a machine so busy that the test was
 * late for one of them by too much, that round says nothing and is played again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

enum { SIZE = 3, ROUNDS_MAX = 30 };

#define LIMIT_NS MST_NS_PER_S
#define PART_NS (LIMIT_NS * 6 / 10) /* twice this is more than the limit */
#define TOO_LATE_NS (LIMIT_NS * 9 / 10)

typedef enum wait_kind { IN_A_COLLECTIVE, IN_ATTACHING } wait_kind;

typedef struct scene {
    wait_kind kind;
    char name[64];
    pid_t pids[SIZE + 1]; /* of the ranks, and of the launcher, if there is one */
    int processes;
    _Atomic int waiting; /* ranks that are about to wait for rank 0 */
    _Atomic int go;      /* rank 0 may come */
    _Atomic int statuses[SIZE];
    _Atomic int timed_out; /* the run */
    char sentences[SIZE][300];
} scene;

static void await_flag(const _Atomic int *flag, int least)
{
    AWAIT(*flag >= least);
}

/* ---- ranks ---- */

static muster_status take_part(scene *scene, muster_group *world)
{
    float x = 1;

    if (muster_group_rank(world) == 0)
        await_flag(&scene->go, 1);
    else
        scene->waiting++;
    return muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world);
}

static void run_rank(scene *scene, int rank)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world = NULL;

    config.arena = scene->name;
    config.rank = rank;
    config.size = SIZE;
    config.timeout_ns = LIMIT_NS;
    if (scene->kind == IN_A_COLLECTIVE)
        config.attach_timeout_ns = -1;
    else if (rank == 0)
        await_flag(&scene->go, 1);
    else
        scene->waiting++;
    muster_status status = muster_attach(&config, &world);
    if (status == MUSTER_OK && scene->kind == IN_A_COLLECTIVE)
        status = take_part(scene, world);
    snprintf(scene->sentences[rank], sizeof scene->sentences[rank], "%s", muster_error_detail());
    scene->statuses[rank] = 1 + status;
    muster_group_free(world);
}

static scene *begin(wait_kind kind)
{
    scene *scene = shared_page(sizeof *scene);

    scene->kind = kind;
    name_of_test(scene->name, sizeof scene->name, "stops");
    for (int rank = 0; rank < SIZE; rank++) {
        pid_t pid = fork();

        if (pid == 0) {
            run_rank(scene, rank);
            _exit(0);
        }
        scene->pids[rank] = pid;
    }
    scene->processes = SIZE;
    await_flag(&scene->waiting, SIZE - 1);
    return scene;
}

static int launched_rank(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);

    scene->pids[rank] = getpid();
    scene->statuses[rank] = 1 + take_part(scene, world);
    return 0;
}

/* Ranks under a launcher whose run is limited. */
static scene *begin_launched(void)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t launcher = fork();

    if (launcher == 0) {
        muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
        muster_report report = MUSTER_REPORT_INIT;

        config.size = SIZE;
        config.timeout_ns = LIMIT_NS;
        muster_launch(&config, launched_rank, scene, &report);
        scene->timed_out = report.timed_out;
        _exit(0);
    }
    scene->pids[SIZE] = launcher;
    scene->processes = SIZE + 1;
    await_flag(&scene->waiting, SIZE - 1);
    return scene;
}

static void end(scene *scene)
{
    scene->go = 1;
    for (int i = scene->processes == SIZE ? 0 : SIZE; i < scene->processes; i++)
        waitpid(scene->pids[i], NULL, 0);
}

/* ---- stops ---- */

static void stop(pid_t pid)
{
    kill(pid, SIGSTOP);
    AWAIT(is_stopped(pid));
}

static int64_t let_pass(int64_t from_ns, int64_t ns)
{
    AWAIT(mst_os_now_ns() >= from_ns + ns);
    return mst_os_now_ns() - from_ns;
}

/* Lets the waiters wait, stops everything for longer than the limit, and continues rank 0 and the launcher
 * last. False: the test was late itself. */
static bool stop_all_for_a_while(scene *scene, int64_t after_ns)
{
    int64_t before_ns = let_pass(mst_os_now_ns(), PART_NS);

    for (int i = scene->processes - 1; i >= 0; i--)
        stop(scene->pids[i]);
    let_pass(mst_os_now_ns(), LIMIT_NS * 3 / 2);
    int64_t continued_ns = mst_os_now_ns();
    for (int i = 1; i < scene->processes; i++)
        kill(scene->pids[i], SIGCONT);
    int64_t later_ns = let_pass(continued_ns, after_ns);
    kill(scene->pids[0], SIGCONT);
    scene->go = 1;
    return before_ns < TOO_LATE_NS && later_ns < TOO_LATE_NS;
}

START_TEST(test_a_job_that_is_stopped_is_not_late)
{
    bool said = false;

    for (int round = 0; round < ROUNDS_MAX && !said; round++) {
        scene *scene = begin((wait_kind)_i);

        said = stop_all_for_a_while(scene, PART_NS);
        end(scene);
        for (int rank = 0; said && rank < SIZE; rank++)
            ck_assert_msg(scene->statuses[rank] == 1 + MUSTER_OK, "rank %d: %s", rank,
                          scene->sentences[rank]);
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

START_TEST(test_a_rank_that_is_stopped_alone_is_late)
{
    scene *scene = begin((wait_kind)_i);

    stop(scene->pids[0]);
    for (int rank = 1; rank < SIZE; rank++)
        await_flag(&scene->statuses[rank], 1);
    kill(scene->pids[0], SIGCONT);
    end(scene);
    for (int rank = 0; rank < SIZE; rank++) {
        ck_assert_msg(scene->statuses[rank] == 1 + MUSTER_ERR_TIMED_OUT, "rank %d: %d, %s", rank,
                      scene->statuses[rank] - 1, scene->sentences[rank]);
        /* On a busy machine another one may not have come either. */
        ck_assert_msg(strstr(scene->sentences[rank], "rank 0") || strstr(scene->sentences[rank], "ranks 0 "),
                      "rank %d: %s", rank, scene->sentences[rank]);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_the_time_of_a_run_does_not_count_stops)
{
    bool said = false;

    for (int round = 0; round < ROUNDS_MAX && !said; round++) {
        scene *scene = begin_launched();
        int64_t began_ns = mst_os_now_ns();

        said = stop_all_for_a_while(scene, 0) && mst_os_now_ns() - began_ns < LIMIT_NS * 5 / 2;
        end(scene);
        ck_assert_msg(!said || !scene->timed_out, "the run was taken to have lasted too long");
        for (int rank = 0; said && rank < SIZE; rank++)
            ck_assert_int_eq(scene->statuses[rank], 1 + MUSTER_OK);
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stops");
    TCase *tests = tcase_create("stops");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_a_job_that_is_stopped_is_not_late, 0, 2);
        tcase_add_loop_test(tests, test_a_rank_that_is_stopped_alone_is_late, 0, 2);
        tcase_add_test(tests, test_the_time_of_a_run_does_not_count_stops);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
