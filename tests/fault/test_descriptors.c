/*
 * A program closes all descriptors that it does not know, as daemons and closefrom do, and its own files,
 * pipes, sockets and watches take the numbers: they are left alone, bit for bit, and nothing else changes.
 * Collectives, messages, memory and groups work on, deaths are found, and the same holds for the process that
 * has called muster_launch.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { FIRST = 3, COUNT = 60, FILE_BYTES = 8192, BLOCK_BYTES = 3 << 20 };

/* ---- what the program has in place of what it closed ---- */

typedef struct own {
    struct stat before;
    int flags;
} own;

typedef struct belongings {
    own own[COUNT];
    int queued[COUNT]; /* bytes that can be read; -1: of a file */
    int count;
} belongings;

/* As the numbers come: the lowest that is free is the next. */
static int open_one(uint64_t kind)
{
    static char filling[FILE_BYTES];
    int pair[2], fd;

    switch (kind % 6) {
    case 0: /* readable, as is a watch that has fired */
        return eventfd(1, 0);
    case 1:
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || write(pair[1], "news", 4) != 4)
            return -1;
        return pair[0];
    case 2:
        if (pipe(pair) < 0 || write(pair[1], "news", 4) != 4)
            return -1;
        return pair[0];
    case 3: /* its own watch, of a process that lives */
        fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
        return fd < 0 ? eventfd(1, 0) : fd;
    default: { /* on disk, as an arena is not; or in memory, as it is */
        char name[] = "/tmp/muster-test-XXXXXX";

        fd = kind % 6 == 4 ? mkstemp(name) : memfd_create("muster", 0);
        if (kind % 6 == 4)
            unlink(name);
        memset(filling, 'U', sizeof filling);
        return write(fd, filling, sizeof filling) == sizeof filling ? fd : -1;
    }
    }
}

static bool note(belongings *all, int number)
{
    int fd = FIRST + number, queued;

    if (fstat(fd, &all->own[number].before) < 0)
        return false;
    all->own[number].flags = fcntl(fd, F_GETFL);
    all->queued[number] =
        !S_ISREG(all->own[number].before.st_mode) && ioctl(fd, FIONREAD, &queued) == 0 ? queued : -1;
    return true;
}

static bool close_all_and_open_own(belongings *all, uint64_t seed)
{
    for (int fd = FIRST; fd < 1024; fd++)
        close(fd);
    for (int fd = 0; fd < FIRST + COUNT;) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        fd = open_one(seed >> 33);
        if (fd < 0)
            return false;
    }
    for (int number = 0; number < COUNT; number++)
        if (!note(all, number))
            return false;
    return true;
}

/* NULL: all is as it was. */
static const char *what_changed(const belongings *all)
{
    static char bytes[FILE_BYTES + 1];
    struct stat now;
    int queued;

    for (int number = 0; number < COUNT; number++) {
        const struct stat *before = &all->own[number].before;
        int fd = FIRST + number;

        if (fstat(fd, &now) < 0)
            return "a descriptor was closed";
        if (now.st_dev != before->st_dev || now.st_ino != before->st_ino || now.st_mode != before->st_mode)
            return "a descriptor is of something else";
        if (fcntl(fd, F_GETFL) != all->own[number].flags)
            return "a descriptor has other flags";
        if (now.st_size != before->st_size || now.st_blocks != before->st_blocks)
            return "a file has another size";
        if (all->queued[number] >= 0 && (ioctl(fd, FIONREAD, &queued) < 0 || queued != all->queued[number]))
            return "somebody has read what was the program's";
        if (!S_ISREG(now.st_mode))
            continue;
        if (pread(fd, bytes, sizeof bytes, 0) != FILE_BYTES)
            return "a file cannot be read";
        for (int i = 0; i < FILE_BYTES; i++)
            if (bytes[i] != 'U')
                return "a file's bytes are damaged";
    }
    return NULL;
}

/* ---- ranks ---- */

typedef struct scene {
    const char *arena; /* a name, of ranks that start on their own; NULL: launched */
    uint64_t seed;
    bool fails; /* the last rank is killed */
    char said[8][200];
} scene;

#define OWN_ALONE(world, all)                                                                                \
    do {                                                                                                     \
        const char *changed = what_changed(all);                                                             \
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
    RANK_OK(world, muster_sendrecv(x, 100000, (rank + 1) % size, y, 100000, (rank + size - 1) % size,
                                   MUSTER_FLOAT32, world));
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

    RANK_CHECK(world, close_all_and_open_own(&all, scene->seed + (uint64_t)muster_group_rank(world)));
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

static const char *const rungs[] = { "beacon", "tick", "pidfd", "launcher" };

START_TEST(test_ranks_that_were_launched)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_ending endings[4];

    setenv("MUSTER_LIVENESS", rungs[_i], 1);
    for (int run = 0; run < 4; run++) {
        *scene = (struct scene){ .seed = seed_of_run() + (uint64_t)run, .fails = run % 2 };
        report.endings = endings;
        run_failing_ranks((rank_options){ .size = 4 }, work, scene, &report);
        for (int rank = 0; rank < 4; rank++) {
            bool killed = scene->fails && rank == 3;

            ck_assert_msg(endings[rank].kind == (killed ? MUSTER_ENDED_SIGNALED : MUSTER_ENDED_EXITED) &&
                              endings[rank].code == (killed ? SIGKILL : 0),
                          "TEST_SEED=%llu, %s: rank %d ended %d, %d; told: %s",
                          (unsigned long long)scene->seed, rungs[_i], rank, endings[rank].kind,
                          endings[rank].code, scene->said[rank]);
            ck_assert_msg(!scene->fails || rank == 3 || strstr(scene->said[rank], "rank 3 was killed"),
                          "%s: rank %d was told: %s", rungs[_i], rank, scene->said[rank]);
        }
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

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
    setenv("MUSTER_LIVENESS", rungs[_i], 1);
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
                          (unsigned long long)scene->seed, rungs[_i], rank, (unsigned)status,
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
    RANK_CHECK(world, close_all_and_open_own(&all, seed_of_run()));
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
    if (lines_seen++ == 0 && !close_all_and_open_own(&launchers, seed_of_run()))
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

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tests = tcase_create("descriptors");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* which has descriptors of its own, and does not follow forks */
        tcase_add_loop_test(tests, test_ranks_that_were_launched, 0, 4);
        tcase_add_loop_test(tests, test_ranks_that_meet_by_name, 0, 3);
        tcase_add_test(tests, test_a_group_of_one);
        tcase_add_loop_test(tests, test_the_one_that_launches, 0, 3);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
