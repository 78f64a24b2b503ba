/*
 * Ends that are hard to tell right: two that are found at one look, of which the later one is a consequence;
 * and a killed process that is slow to end. Ranks meet by name, so that nobody but they look at each other,
 * on each detection method.
 */
#define _GNU_SOURCE /* ptrace */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

static const char *const detections[] = { "futex", "tick", "pidfd" };
#define DETECTIONS 3

typedef struct scene {
    char name[64];
    int size;
    const char *detection;
    bool asks; /* muster_group_status, and nothing else */
    _Atomic int attached;
    _Atomic bool exits, all_ended;
    char said[200]; /* to rank 0 */
} scene;

static void set_scene(scene *scene, int size, int detection)
{
    *scene = (struct scene){ .size = size, .detection = detections[detection] };
    name_of_test(scene->name, sizeof scene->name, "ends");
}

/* Rank 0 learns of the others, once they have ended, in a barrier or by asking; the last one waits to be
 * killed. */
static int be_rank(scene *scene, int rank)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.arena = scene->name;
    config.rank = rank;
    config.size = scene->size;
    config.liveness = scene->detection;
    if (muster_attach(&config, &world) != MUSTER_OK)
        return 1;
    scene->attached++;
    if (rank > 0) {
        AWAIT(rank < scene->size - 1 && scene->exits);
        return 0;
    }
    AWAIT(scene->all_ended);
    AWAIT(!scene->asks || muster_group_status(world) != MUSTER_OK);
    muster_status status = scene->asks ? muster_group_status(world) : muster_barrier(world);
    snprintf(scene->said, sizeof scene->said, "%s", muster_error_detail());
    muster_group_free(world);
    return status != MUSTER_ERR_PEER_DIED;
}

static void start(scene *scene, pid_t *pids)
{
    for (int rank = 0; rank < scene->size; rank++) {
        pids[rank] = fork();
        if (pids[rank] == 0)
            _exit(be_rank(scene, rank));
    }
    AWAIT(scene->attached == scene->size);
}

/* They stay zombies meanwhile, so that rank 0 can see how they ended. */
static void await_end(pid_t pid)
{
    siginfo_t info;

    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void expect_told(const scene *scene, const pid_t *pids, const char *sentence)
{
    int status;

    for (int rank = 0; rank < scene->size; rank++) {
        ck_assert_int_eq(waitpid(pids[rank], &status, 0), pids[rank]);
        ck_assert(rank > 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    }
    ck_assert_msg(strstr(scene->said, sentence), "%s: rank 0 was told: %s", scene->detection, scene->said);
}

/* Rank 2 is killed, and rank 1 exits because of it, which it knows from elsewhere. */
START_TEST(test_who_was_killed_is_named_and_not_who_exited_because_of_it)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t pids[3];

    set_scene(scene, 3, _i);
    start(scene, pids);
    kill(pids[2], SIGKILL);
    await_end(pids[2]);
    scene->exits = true;
    await_end(pids[1]);
    scene->all_ended = true;
    expect_told(scene, pids, "rank 2 was killed by signal 9");
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_who_asks_for_the_status_learns_of_ends)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t pids[2];

    set_scene(scene, 2, _i);
    scene->asks = true;
    start(scene, pids);
    kill(pids[1], SIGKILL);
    await_end(pids[1]);
    scene->all_ended = true;
    expect_told(scene, pids, "rank 1 was killed by signal 9");
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* Its main thread is held on its way to the end, as one that gets no CPU time is. */
static void kill_slowly(pid_t pid)
{
    bool held = ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXIT) == 0; /* where that is allowed */
    int status;

    kill(pid, SIGKILL);
    if (!held)
        return;
    ck_assert_int_eq(waitpid(pid, &status, __WALL), pid);
    ck_assert_int_eq(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
    pass_time_ms(500);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
}

START_TEST(test_a_death_that_takes_long_is_told_as_it_was)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t pids[2];

    set_scene(scene, 2, _i);
    start(scene, pids);
    scene->all_ended = true; /* will have, before the barrier returns */
    kill_slowly(pids[1]);
    await_end(pids[1]);
    expect_told(scene, pids, "rank 1 was killed by signal 9");
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ends");
    TCase *tests = tcase_create("ends");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_who_was_killed_is_named_and_not_who_exited_because_of_it, 0, DETECTIONS);
    tcase_add_loop_test(tests, test_who_asks_for_the_status_learns_of_ends, 0, DETECTIONS);
    tcase_add_loop_test(tests, test_a_death_that_takes_long_is_told_as_it_was, 0, DETECTIONS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
