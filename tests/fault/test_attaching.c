/*
 * Worlds that do not come about: ranks killed at random moments before, while and after they attach, launched
 * and met by name, on every way of learning of deaths. Every survivor must end, and name the same rank: the
 * one that was killed, and not one that only gave up because of it, also in the launcher's view. And words
 * about who has attached are damaged at random, the launcher is killed, or a rank never comes: every wait
 * must end in words.
 *
 * TEST_ATTACHES: how many worlds of each kind; TEST_SEED: the first seed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "shm/death/terminations.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 8 };

typedef enum part { KILLED, EXITING, ORPHANED, MISSING, PLAIN } part;

/* What is to happen, and what became of it; in memory that the ranks inherit through exec. */
typedef struct scene {
    part part;
    int victim, size;
    long dies_after_ns; /* of the victim; 0: before it does anything */
    long late_ns[RANKS_MAX];
    _Atomic int pids[RANKS_MAX];
    _Atomic int waiting[RANKS_MAX];  /* 1: about to attach */
    _Atomic int statuses[RANKS_MAX]; /* 1 + that of the call that failed */
    char sentences[RANKS_MAX][300];
} scene;

static const char *const detections[] = { "futex", "tick", "pidfd", "launcher" };

/* ---- in a rank, which has been executed anew ---- */

static void nap(long ns)
{
    pass_time_ms((double)ns / 1e6);
}

static void *die_later(void *arg)
{
    nap(*(const long *)arg);
    kill(getpid(), SIGKILL);
    return NULL;
}

static void meet_fate(const scene *scene)
{
    static long after_ns;
    pthread_t thread;

    if (scene->part == EXITING)
        _exit(5);
    if (scene->part != KILLED)
        return;
    if (scene->dies_after_ns == 0)
        kill(getpid(), SIGKILL);
    after_ns = scene->dies_after_ns;
    pthread_create(&thread, NULL, die_later, &after_ns);
}

/* Until everybody else has an answer. */
static void stay_away(const scene *scene)
{
    for (int rank = 0; rank < scene->size; rank++)
        while (rank != scene->victim && !scene->statuses[rank])
            nap(1000000);
}

static int be_a_rank(int fd)
{
    scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int rank = atoi(getenv("MUSTER_RANK"));
    muster_group *world;
    float x = 1;

    bool victim = rank == scene->victim, absent = scene->dies_after_ns == 0;

    if (scene->part == ORPHANED && !victim)
        prctl(PR_SET_PDEATHSIG, 0); /* as behind a wrapper */
    scene->pids[rank] = getpid();
    nap(scene->late_ns[rank]);
    if (victim)
        meet_fate(scene);
    if (victim && (scene->part == MISSING || (scene->part == ORPHANED && absent)))
        stay_away(scene);
    scene->waiting[rank] = 1;
    muster_status status = muster_init(true, NULL, &world);
    if (victim && scene->part == ORPHANED)
        stay_away(scene);
    for (int i = 0; status == MUSTER_OK && (i < 30 || scene->part != PLAIN); i++) {
        status = muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world);
        nap(100000);
    }
    snprintf(scene->sentences[rank], sizeof scene->sentences[rank], "%s",
             status == MUSTER_OK ? "" : muster_error_detail());
    scene->statuses[rank] = 1 + status;
    return status == MUSTER_OK ? 0 : 7;
}

/* ---- worlds ---- */

static scene *open_scene(int *fd)
{
    char number[16];

    *fd = memfd_create("scene", 0); /* inherited */
    ck_assert(*fd >= 0 && ftruncate(*fd, sizeof(scene)) == 0);
    snprintf(number, sizeof number, "%d", *fd);
    setenv("TEST_SCENE", number, 1);
    scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    ck_assert_ptr_ne(scene, MAP_FAILED);
    return scene;
}

static void close_scene(scene *scene, int fd)
{
    munmap(scene, sizeof *scene);
    close(fd);
    unsetenv("TEST_SCENE");
}

static const char *const command[] = { "/proc/self/exe", NULL };

static muster_launch_config config_of(const scene *scene)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = scene->size;
    config.command = command;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    return config;
}

/* Processes that meet by a name, without a launcher. */
static void run_by_name(const scene *scene)
{
    char name[64], number[16];
    pid_t pids[RANKS_MAX];

    name_of_test(name, sizeof name, "attaching");
    for (int rank = 0; rank < scene->size; rank++) {
        pids[rank] = fork();
        if (pids[rank] != 0)
            continue;
        setenv("MUSTER_ARENA", name, 1);
        snprintf(number, sizeof number, "%d", rank);
        setenv("MUSTER_RANK", number, 1);
        snprintf(number, sizeof number, "%d", scene->size);
        setenv("MUSTER_SIZE", number, 1);
        execv(command[0], (char *const *)(uintptr_t)command);
        _exit(126);
    }
    for (int rank = 0; rank < scene->size; rank++) { /* how it ended is to be seen until all have looked */
        siginfo_t info;

        ck_assert_int_eq(waitid(P_PID, (id_t)pids[rank], &info, WEXITED | WNOWAIT), 0);
    }
    for (int rank = 0; rank < scene->size; rank++)
        ck_assert_int_eq(waitpid(pids[rank], NULL, 0), pids[rank]);
}

static uint64_t first_seed(void)
{
    const char *seed = getenv("TEST_SEED");

    return seed ? strtoull(seed, NULL, 10) : 20261128;
}

static int worlds_wanted(int otherwise)
{
    const char *wanted = getenv("TEST_ATTACHES");

    return getenv("TEST_SEED") ? 1 : wanted ? atoi(wanted) : otherwise;
}

/* ---- the first cause, on all ---- */

static void imagine(scene *scene, uint64_t seed, part part)
{
    uint64_t state = seed;

    memset(scene, 0, sizeof *scene);
    scene->part = part;
    scene->size = 2 + (int)(random_next(&state) % (RANKS_MAX - 1));
    scene->victim = (int)(random_next(&state) % (uint64_t)scene->size);
    scene->dies_after_ns = random_next(&state) % 4 ? (long)(random_next(&state) % 3000000) : 0;
    for (int rank = 0; rank < scene->size; rank++)
        scene->late_ns[rank] = random_next(&state) % 2 ? (long)(random_next(&state) % 4000000) : 0;
    if (random_next(&state) % 3 == 0) /* the others are all waiting by then */
        scene->late_ns[scene->victim] = 8000000;
}

/* Who only gave up ended, too, most likely before the others looked. */
static void check_stories(const scene *scene, const char *cause, bool told, uint64_t seed)
{
    char story[64];

    snprintf(story, sizeof story, "rank %d %s", scene->victim, cause);
    for (int rank = 0; rank < scene->size; rank++) {
        bool timed_out = scene->statuses[rank] == 1 + MUSTER_ERR_TIMED_OUT;

        if (rank == scene->victim)
            continue;
        ck_assert_msg(scene->statuses[rank] == 1 + MUSTER_ERR_PEER_DIED || (timed_out && !told),
                      "seed %llu: rank %d: %d, %s", (unsigned long long)seed, rank, scene->statuses[rank] - 1,
                      scene->sentences[rank]);
        ck_assert_msg(strstr(scene->sentences[rank], story) || timed_out,
                      "seed %llu: no \"%s\" on rank %d: %s", (unsigned long long)seed, story, rank,
                      scene->sentences[rank]);
    }
}

START_TEST(test_the_killed_is_named_by_all)
{
    uint64_t seed = first_seed();
    int worlds = worlds_wanted(60), fd;

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int i = 0; i < worlds; i++, seed++) {
        scene *scene = open_scene(&fd);
        muster_report report = MUSTER_REPORT_INIT;

        imagine(scene, seed, i % 5 == 4 ? EXITING : KILLED);
        muster_launch_config config = config_of(scene);
        muster_launch(&config, NULL, NULL, &report);
        check_stories(scene, scene->part == EXITING ? "exited with status 5" : "was killed by signal 9", true,
                      seed);
        ck_assert_msg(report.first_failed == scene->victim, "seed %llu: the launcher names rank %d: %s",
                      (unsigned long long)seed, report.first_failed, report.summary);
        close_scene(scene, fd);
    }
}
END_TEST

/* Nobody tells how a rank ended that has not said yet who it is; who has is known. */
START_TEST(test_the_killed_is_named_by_who_meet_by_name)
{
    uint64_t seed = first_seed();
    int worlds = worlds_wanted(15), fd;

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    setenv("MUSTER_ATTACH_TIMEOUT", "0.3", 1);
    for (int i = 0; i < worlds; i++, seed++) {
        scene *scene = open_scene(&fd);

        imagine(scene, seed, KILLED);
        run_by_name(scene);
        check_stories(scene, "was killed by signal 9", false, seed);
        close_scene(scene, fd);
    }
}
END_TEST

/* ---- words about who has attached, damaged ---- */

typedef struct wild {
    unsigned char *base;
    int size;
    uint64_t seed;
    pthread_t thread;
} wild;

#define WILD_BYTES (MST_ENTRIES_OFFSET + RANKS_MAX * sizeof(mst_rank_entry))

/* The attach state of the header, and what each rank says of itself. */
static void pick_range(uint64_t *state, int size, size_t *at, size_t *bytes)
{
    size_t words = offsetof(mst_header, arrivals), rank = random_next(state) % (uint64_t)size;

    if (random_next(state) % 2) {
        *at = words;
        *bytes = sizeof(mst_header) - words;
    } else {
        *at = MST_ENTRIES_OFFSET + rank * sizeof(mst_rank_entry);
        *bytes = sizeof(mst_rank_entry);
    }
    if (random_next(state) % 2) { /* one word */
        *at += random_next(state) % (*bytes / 4) * 4;
        *bytes = 4;
    }
}

static void *go_wild(void *arg)
{
    wild *wild = arg;
    uint64_t state = wild->seed;
    size_t at, bytes;

    for (uint64_t times = 1 + random_next(&state) % 4; times; times--) {
        uint64_t how = random_next(&state) % 4;

        nap((long)(random_next(&state) % 2500000));
        pick_range(&state, wild->size, &at, &bytes);
        for (size_t i = 0; i < bytes; i++) {
            unsigned char value = (unsigned char)random_next(&state);

            if (how == 0)
                value = 0;
            else if (how == 1)
                value = 0xff;
            else if (how == 2) /* few bits: most words stay likely ones */
                value = (unsigned char)(wild->base[at + i] ^ (random_next(&state) % 8 ? 0 : 1 << value % 3));
            __atomic_store_n(&wild->base[at + i], value, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static bool let_loose(int fd, void *arg)
{
    wild *wild = arg;

    wild->base = mmap(NULL, WILD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return wild->base != MAP_FAILED && pthread_create(&wild->thread, NULL, go_wild, wild) == 0;
}

START_TEST(test_damage_ends_in_words)
{
    uint64_t seed = first_seed();
    int worlds = worlds_wanted(60), fd;

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int i = 0; i < worlds; i++, seed++) {
        scene *scene = open_scene(&fd);
        muster_report report = MUSTER_REPORT_INIT;

        imagine(scene, seed, PLAIN);
        scene->victim = -1;
        wild wild = { .size = scene->size, .seed = seed };
        muster_launch_config config = config_of(scene);
        config.arena = let_loose;
        config.arena_arg = &wild;
        muster_launch(&config, NULL, NULL, &report);
        pthread_join(wild.thread, NULL);
        munmap(wild.base, WILD_BYTES);
        for (int rank = 0; rank < scene->size; rank++)
            ck_assert_msg(scene->statuses[rank] == 1 + MUSTER_OK || scene->sentences[rank][0],
                          "seed %llu: rank %d said nothing", (unsigned long long)seed, rank);
        close_scene(scene, fd);
    }
}
END_TEST

/* No end can be recorded over a word that is not 0: it must not read as that of a rank that lives. */
START_TEST(test_a_damaged_termination_is_one)
{
    ck_assert_int_eq(mst_termination_unpack(0).kind, MUSTER_TERMINATION_NONE);
    for (int bit = 0; bit < 64; bit++)
        ck_assert_int_ne(mst_termination_unpack(1ULL << bit).kind, MUSTER_TERMINATION_NONE);
}
END_TEST

/* ---- nobody will ever come, or tell ---- */

static bool has_ended(pid_t pid)
{
    char path[32], text[300];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return true;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    char *end = read ? strrchr(text, ')') : NULL;
    return !end || end[2] == 'Z' || end[2] == 'X';
}

static void await_flags(const _Atomic int *flags, const scene *scene)
{
    for (int rank = 0; rank < scene->size; rank++)
        while (rank != scene->victim && !flags[rank])
            nap(1000000);
}

/* In attaching, and in a collective; the launcher's word is all that the last way of learning has. */
START_TEST(test_the_launcher_is_killed)
{
    uint64_t seed = first_seed();
    int fd;

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    for (int i = 0; i < 8; i++, seed++) {
        scene *scene = open_scene(&fd);

        imagine(scene, seed, ORPHANED);
        scene->dies_after_ns = i % 2;
        muster_launch_config config = config_of(scene);
        pid_t launcher = fork();
        if (launcher == 0)
            _exit(muster_launch(&config, NULL, NULL, NULL) != MUSTER_OK);
        await_flags(scene->waiting, scene);
        kill(launcher, SIGKILL);
        waitpid(launcher, NULL, 0);
        for (int rank = 0; rank < scene->size; rank++) {
            while (!has_ended(scene->pids[rank]))
                nap(1000000);
            if (rank != scene->victim && scene->statuses[rank]) /* who was not killed with it */
                ck_assert_msg(strstr(scene->sentences[rank], "launcher") ||
                                  strstr(scene->sentences[rank], "killed by signal"),
                              "seed %llu: rank %d: %s", (unsigned long long)seed, rank,
                              scene->sentences[rank]);
        }
        close_scene(scene, fd);
    }
}
END_TEST

/* Attaching is an operation: MUSTER_TIMEOUT bounds it where MUSTER_ATTACH_TIMEOUT does not. */
START_TEST(test_the_deadline_of_operations_bounds_attaching)
{
    uint64_t seed = first_seed();
    char missing[32];
    int fd;

    unsetenv("MUSTER_LIVENESS");
    setenv(_i ? "MUSTER_ATTACH_TIMEOUT" : "MUSTER_TIMEOUT", "0.2", 1);
    if (_i)
        setenv("MUSTER_TIMEOUT", "10000", 1);
    for (int i = 0; i < 4; i++, seed++) {
        scene *scene = open_scene(&fd);
        muster_report report = MUSTER_REPORT_INIT;

        imagine(scene, seed, MISSING);
        muster_launch_config config = config_of(scene);
        if (i % 2)
            run_by_name(scene);
        else
            muster_launch(&config, NULL, NULL, &report);
        snprintf(missing, sizeof missing, "rank %d ", scene->victim);
        for (int rank = 0; rank < scene->size; rank++)
            ck_assert_msg(scene->statuses[rank] == 1 + MUSTER_ERR_TIMED_OUT &&
                              (strstr(scene->sentences[rank], missing) || scene->size > 2),
                          "seed %llu: rank %d: %d, %s", (unsigned long long)seed, rank,
                          scene->statuses[rank] - 1, scene->sentences[rank]);
        close_scene(scene, fd);
    }
}
END_TEST

int main(void)
{
    const char *role = getenv("TEST_SCENE");

    if (role) /* without anything of Check's, which would be a leak of each rank */
        return be_a_rank(atoi(role));
    Suite *suite = suite_create("attaching");
    TCase *tests = tcase_create("attaching");
    tcase_set_timeout(tests, getenv("TEST_ATTACHES") ? 100000 : TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_damaged_termination_is_one);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_the_killed_is_named_by_all, 0, 4);
        tcase_add_loop_test(tests, test_the_killed_is_named_by_who_meet_by_name, 0, 4);
        tcase_add_loop_test(tests, test_damage_ends_in_words, 0, 4);
        tcase_add_loop_test(tests, test_the_launcher_is_killed, 0, 4);
        tcase_add_loop_test(tests, test_the_deadline_of_operations_bounds_attaching, 0, 2);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
