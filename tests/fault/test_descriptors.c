/*
 * A program closes all descriptors that it does not know, as daemons and closefrom do, and its own files,
 * pipes, sockets and watches take the numbers: they are left alone, bit for bit, and nothing else changes.
 * Collectives, messages, memory and groups work on, deaths are found, and the same holds for the process that
 * has called muster_launch.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/belongings.h"
#include "tests/harness/ranks.h"

enum { BLOCK_BYTES = 3 << 20 };

/* ---- ranks ---- */

typedef struct scene {
    const char *arena; /* a name, of ranks that start on their own; NULL: launched */
    uint64_t seed;
    bool fails; /* the last rank is killed */
    char said[8][200];
} scene;

#define OWN_ALONE(world, all)                                                                                \
    do {                                                                                                     \
        const char *changed = belongings_changed(all);                                                       \
                                                                                                             \
        if (changed)                                                                                         \
            return rank_failed(__FILE__, __LINE__, world, changed);                                          \
    } while (0)

static int use_memory(muster_group *world)
{
    unsigned char *small, *large;

    RANK_OK(world, muster_alloc(world, 4000, (void **)&small));
    RANK_OK(world, muster_alloc(world, BLOCK_BYTES, (void **)&large));
    memset(large, muster_group_rank(world), BLOCK_BYTES);
    RANK_OK(world, muster_all_max(large, large, BLOCK_BYTES, MUSTER_UINT8, world));
    RANK_CHECK(world, large[0] == muster_group_size(world) - 1 && large[BLOCK_BYTES - 1] == large[0]);
    RANK_OK(world, muster_free(world, large));
    return muster_free(world, small) != MUSTER_OK;
}

static int use_all(muster_group *world)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    static float x[100000], y[100000];
    muster_group *half;

    for (int i = 0; i < 100000; i++)
        x[i] = 1;
    RANK_OK(world, muster_all_sum(x, y, 100000, MUSTER_FLOAT32, world));
    RANK_CHECK(world, y[0] == (float)size && y[99999] == (float)size);
    RANK_OK(world, muster_sendrecv(x, 100000, (rank + 1) % size, 0, y, 100000, (rank + size - 1) % size, 0,
                                   MUSTER_FLOAT32, world, NULL));
    RANK_CHECK(world, y[99999] == 1);
    RANK_OK(world, muster_group_split(world, rank % 2, rank, &half));
    RANK_CHECK(world, use_memory(half) == 0);
    RANK_OK(half, muster_group_free(half));
    return use_memory(world);
}

static int go_on_without_the_last(muster_group *world, scene *scene)
{
    int rank = muster_group_rank(world);
    muster_group *rest;

    if (rank == muster_group_size(world) - 1)
        raise(SIGKILL);
    muster_status status = muster_barrier(world);
    snprintf(scene->said[rank], sizeof scene->said[rank], "%s", muster_error_detail());
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_shrink(world, &rest));
    RANK_OK(world, muster_group_free(world));
    RANK_CHECK(rest, use_all(rest) == 0);
    RANK_OK(rest, muster_group_free(rest));
    return 0;
}

static int work(muster_group *world, void *arg)
{
    scene *scene = arg;
    static belongings all;

    RANK_CHECK(world, belongings_take(&all, scene->seed + (uint64_t)muster_group_rank(world)));
    for (int i = 0; i < 3; i++)
        RANK_CHECK(world, use_all(world) == 0);
    OWN_ALONE(world, &all);
    if (scene->fails)
        RANK_CHECK(world, go_on_without_the_last(world, scene) == 0);
    else
        RANK_OK(world, muster_group_free(world));
    OWN_ALONE(NULL, &all);
    return 0;
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("TEST_SEED");

    return text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 1000;
}

static const char *const detections[] = { "futex", "tick", "pidfd", "launcher" };

START_TEST(test_ranks_that_were_launched)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[4];

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int run = 0; run < 4; run++) {
        *scene = (struct scene){ .seed = seed_of_run() + (uint64_t)run, .fails = run % 2 };
        report.terminations = terminations;
        run_failing_ranks((rank_options){ .size = 4 }, work, scene, &report);
        for (int rank = 0; rank < 4; rank++) {
            bool killed = scene->fails && rank == 3;

            ck_assert_msg(terminations[rank].kind ==
                                  (killed ? MUSTER_TERMINATION_SIGNALED : MUSTER_TERMINATION_EXITED) &&
                              terminations[rank].code == (killed ? SIGKILL : 0),
                          "TEST_SEED=%llu, %s: rank %d ended %d, %d; told: %s",
                          (unsigned long long)scene->seed, detections[_i], rank, terminations[rank].kind,
                          terminations[rank].code, scene->said[rank]);
            ck_assert_msg(!scene->fails || rank == 3 || strstr(scene->said[rank], "rank 3 was killed"),
                          "%s: rank %d was told: %s", detections[_i], rank, scene->said[rank]);
        }
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- none left ---- */

typedef struct shortage {
    _Atomic int looks, done;
} shortage;

static bool count_look(void *arg)
{
    ((shortage *)arg)->looks++;
    return false;
}

/* So that of two files that are opened one after the other one can be opened, and the other not. */
static void *open_and_close(void *arg)
{
    const shortage *shortage = arg;

    while (!shortage->done)
        for (int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0; fd = -1)
            close(fd);
    return NULL;
}

static void come_after(const shortage *shortage, int looks)
{
    AWAIT(shortage->looks >= looks);
}

/* Watches are closed, and to be opened anew while there is no descriptor left, then there are some now and
 * then: nobody is taken for dead, nor is the launcher. */
static int run_short(muster_group *world, void *arg)
{
    struct rlimit few = { 40, 40 };
    shortage *shortage = arg;
    pthread_t threads[2];
    int fds[40], opened = 0;

    if (muster_group_rank(world) > 0) {
        come_after(shortage, 3);
        RANK_OK(world, muster_barrier(world));
        come_after(shortage, 100);
        shortage->done = 1;
        RANK_OK(world, muster_barrier(world));
        return 0;
    }
    RANK_CHECK(world, setrlimit(RLIMIT_NOFILE, &few) == 0);
    RANK_OK(world, muster_group_set_interrupt(world, count_look, shortage));
    for (int fd = 3; fd < 40; fd++)
        close(fd);
    while ((fds[opened] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        opened++;
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < 2; i++)
        close(fds[--opened]);
    for (int i = 0; i < 2; i++)
        RANK_CHECK(world, pthread_create(&threads[i], NULL, open_and_close, shortage) == 0);
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    while (opened > 0)
        close(fds[--opened]);
    return 0;
}

START_TEST(test_ranks_that_have_no_descriptor_left)
{
    shortage *shortage = shared_page(sizeof *shortage);

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    run_ranks(2, RANKS_AS_PROCESSES, run_short, shortage);
    shared_page_free(shortage, sizeof *shortage);
}
END_TEST

/* ---- without a launcher ---- */

/* By a name, which has to go, whatever was closed; nobody but the ranks themselves looks for deaths. */
static int be_rank(scene *scene, int rank, int size)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.arena = scene->arena;
    config.rank = rank;
    config.size = size;
    config.liveness = getenv("MUSTER_LIVENESS");
    RANK_OK(NULL, muster_attach(&config, &world));
    return work(world, scene);
}

START_TEST(test_ranks_that_meet_by_name)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t ranks[3];
    char name[64];

    name_of_test(name, sizeof name, "descriptors");
    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int run = 0; run < 2; run++) {
        *scene = (struct scene){ .arena = name, .seed = seed_of_run() + (uint64_t)run, .fails = run % 2 };
        for (int rank = 0; rank < 3; rank++) {
            ranks[rank] = fork();
            if (ranks[rank] == 0)
                _exit(be_rank(scene, rank, 3));
        }
        for (int rank = 0; rank < 3; rank++) {
            int status, wanted = scene->fails && rank == 2 ? SIGKILL : 0;

            ck_assert_int_eq(waitpid(ranks[rank], &status, 0), ranks[rank]);
            ck_assert_msg(status == wanted, "TEST_SEED=%llu, %s: rank %d ended with %#x; told: %s",
                          (unsigned long long)scene->seed, detections[_i], rank, (unsigned)status,
                          scene->said[rank]);
        }
        ck_assert_int_lt(shm_open(name, O_RDWR, 0), 0);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* A group of one, which nobody else has a descriptor of. */
static int work_alone(void)
{
    muster_config config = MUSTER_CONFIG_INIT;
    static belongings all;
    muster_group *world;

    RANK_OK(NULL, muster_attach(&config, &world));
    RANK_CHECK(world, belongings_take(&all, seed_of_run()));
    RANK_CHECK(world, use_memory(world) == 0);
    RANK_OK(world, muster_group_free(world));
    OWN_ALONE(NULL, &all);
    return 0;
}

START_TEST(test_a_group_of_one)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(work_alone());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- the process that launches ---- */

static belongings launchers;
static int lines_seen;

/* Called while ranks run: what a thread of a server might do at that time. */
static void close_at_first_line(int rank, int fd, const char *line, size_t bytes, void *arg)
{
    (void)rank, (void)fd, (void)line, (void)bytes, (void)arg;
    if (lines_seen++ == 0 && !belongings_take(&launchers, seed_of_run()))
        _exit(99);
}

/* Rank 1 is killed once the launcher has closed what it had. */
static int speak_and_fail(muster_group *world, void *arg)
{
    static char text[200000];

    (void)arg;
    if (muster_group_rank(world) == 0) {
        memset(text, 'x', sizeof text - 1);
        puts("first");
        fflush(stdout);
        signal(SIGPIPE, SIG_IGN);
        puts(text); /* more than a pipe holds: somebody reads, or has gone */
        fflush(stdout);
    }
    RANK_OK(world, muster_barrier(world));
    if (muster_group_rank(world) == 1)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    return 0;
}

static int launch_and_close(muster_on_failure on_failure)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    signal(SIGTERM, SIG_DFL); /* Check's handler, in a rank, would kill the test */
    config.size = 3;
    config.output = close_at_first_line;
    config.on_failure = on_failure;
    config.restarts = on_failure == MUSTER_ON_FAILURE_RESPAWN ? 2 : 0;
    config.restart_delay_ns = 1000 * 1000;
    RANK_CHECK(NULL, muster_launch(&config, speak_and_fail, NULL, &report) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(NULL, strstr(report.summary, "rank 1 ") != NULL);
    RANK_CHECK(NULL, report.first_failed == 1 && lines_seen > 0);
    OWN_ALONE(NULL, &launchers);
    return 0;
}

START_TEST(test_the_one_that_launches)
{
    static const muster_on_failure ways[] = { MUSTER_ON_FAILURE_KILL, MUSTER_ON_FAILURE_CONTINUE,
                                              MUSTER_ON_FAILURE_RESPAWN };
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(launch_and_close(ways[_i]));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "it ended with %#x", (unsigned)status);
}
END_TEST

static char told[64]; /* a file that is there once the launcher has closed what it had */

static void close_and_tell(int rank, int fd, const char *line, size_t bytes, void *arg)
{
    close_at_first_line(rank, fd, line, bytes, arg);
    close(open(told, O_CREAT | O_WRONLY, 0600));
}

/* Commands, which have a guard: it must not take closed descriptors for the launcher's end. */
static int launch_commands_and_close(void)
{
    static char script[200];
    const char *const command[] = { "sh", "-c", script, NULL };
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    snprintf(told, sizeof told, "/tmp/muster-test-%d-told", (int)getpid());
    snprintf(
        script, sizeof script,
        "[ $MUSTER_RANK = 1 ] || echo; while [ ! -e %s ]; do :; done; for i in 1 2 3 4 5; do sh -c :; done",
        told);
    config.size = 2;
    config.command = command;
    config.output = close_and_tell;
    muster_status status = muster_launch(&config, NULL, NULL, &report);
    unlink(told);
    RANK_OK(NULL, status);
    OWN_ALONE(NULL, &launchers);
    return 0;
}

START_TEST(test_the_one_that_launches_commands)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(launch_commands_and_close());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "it ended with %#x", (unsigned)status);
}
END_TEST

/* ---- none left ---- */

typedef struct loss {
    int open_files;
    bool launcher_stops; /* when it happens, for longer than one that has nothing to say is waited for */
} loss;

static int lose_one_without_descriptors(muster_group *world, void *arg)
{
    const loss *loss = arg;
    int rank = muster_group_rank(world);
    struct rlimit few;

    RANK_OK(world, muster_barrier(world));
    if (rank == 2 && loss->launcher_stops)
        kill(getppid(), SIGSTOP);
    if (rank == 0 && loss->launcher_stops)
        AWAIT(is_stopped(getppid())); /* to look takes a descriptor */
    RANK_CHECK(world, getrlimit(RLIMIT_NOFILE, &few) == 0);
    few.rlim_cur = (rlim_t)loss->open_files;
    RANK_CHECK(world, setrlimit(RLIMIT_NOFILE, &few) == 0);
    if (rank == 2)
        kill(getpid(), SIGKILL);
    if (rank == 0 && loss->launcher_stops) {
        pass_time_ms(500);
        kill(getppid(), SIGCONT);
    }
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 was killed by signal 9") != NULL);
    return 0;
}

static void lose_one(loss loss)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_termination terminations[3];
    muster_report report = MUSTER_REPORT_INIT;

    config.size = 3;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    report.terminations = terminations;
    ck_assert_int_eq(muster_launch(&config, lose_one_without_descriptors, &loss, &report),
                     MUSTER_ERR_PEER_DIED);
    for (int rank = 0; rank < 2; rank++)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "%d descriptors: rank %d", loss.open_files, rank);
}

/* Who cannot look how another ended, as there is no descriptor left, waits for the launcher's word. */
START_TEST(test_how_a_rank_ended_without_descriptors)
{
    static const char *const detections[] = { "futex", "tick", "pidfd", "launcher" };

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int open_files = 0; open_files < 8; open_files++)
        lose_one((loss){ .open_files = open_files });
    lose_one((loss){ .launcher_stops = true });
    unsetenv("MUSTER_LIVENESS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tests = tcase_create("descriptors");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* which has descriptors of its own, and does not follow forks */
        tcase_add_loop_test(tests, test_ranks_that_were_launched, 0, 4);
        tcase_add_loop_test(tests, test_ranks_that_have_no_descriptor_left, 0, 4);
        tcase_add_loop_test(tests, test_ranks_that_meet_by_name, 0, 3);
        tcase_add_loop_test(tests, test_how_a_rank_ended_without_descriptors, 0, 4);
        tcase_add_test(tests, test_a_group_of_one);
        tcase_add_loop_test(tests, test_the_one_that_launches, 0, 3);
        tcase_add_loop_test(tests, test_the_one_that_launches_commands, 0, 5);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
