/*
 * Control groups, as containers have them: of what their memory and their share of a CPU allow, each job gets
 * a working world or an error in words. And ranks of which one has priority over the others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

#define LIMIT_BYTES ((size_t)192 << 20)

typedef struct limit {
    const char *mount, *file, *value;
} limit;

static bool write_text(const char *directory, const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    return file && fclose(file) == 0 && written;
}

/* A control group of ours with one of two limits, as the system has it; false: neither is to be had. */
static bool make_group(const limit limits[2], char *directory, size_t bytes)
{
    for (int i = 0; i < 2; i++) {
        snprintf(directory, bytes, "%s/muster-test-%d", limits[i].mount, (int)getpid());
        if (mkdir(directory, 0700) < 0)
            continue;
        if (write_text(directory, limits[i].file, limits[i].value))
            return true;
        rmdir(directory);
    }
    return false;
}

/* Runs something in a process of such a group, if there can be one; as root, usually. */
static void run_in_group(const limit limits[2], int (*run)(void))
{
    char directory[200], self[24];
    int status;

    if (!make_group(limits, directory, sizeof directory)) {
        printf("skipped: no control group can be made here, below %s or %s\n", limits[0].mount,
               limits[1].mount);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        snprintf(self, sizeof self, "%d", (int)getpid());
        _exit(write_text(directory, "cgroup.procs", self) ? run() : 2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    AWAIT(rmdir(directory) == 0); /* when the kernel is done with it */
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the process ended with %#x", status);
}

static int allocate_up_to_the_limit(void)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *group;
    void *some, *more;

    RANK_OK(NULL, muster_attach(&config, &group));
    RANK_OK(group, muster_alloc(group, LIMIT_BYTES / 2, &some));
    memset(some, 1, LIMIT_BYTES / 2);
    RANK_CHECK(group, muster_alloc(group, LIMIT_BYTES, &more) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(group, strstr(muster_error_detail(), "control group") != NULL);
    RANK_OK(group, muster_free(group, some));
    RANK_OK(group, muster_alloc(group, LIMIT_BYTES / 2, &some));
    return muster_group_free(group) != MUSTER_OK;
}

/* Every rank takes what it can get, in blocks of many sizes, while the others do. */
static int take_all(muster_group *world, uint64_t seed)
{
    enum { BLOCKS = 4000 };
    static void *blocks[BLOCKS];
    int count = 0;

    while (count < BLOCKS) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t bytes = (size_t)1 << (12 + (seed >> 33) % 13);
        muster_status status = muster_alloc(world, bytes, &blocks[count]);

        if (status == MUSTER_ERR_NO_SPACE && bytes < 100000)
            break;
        RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_NO_SPACE);
        if (status == MUSTER_OK)
            memset(blocks[count++], 1, bytes);
    }
    RANK_CHECK(world, strstr(muster_error_detail(), "memory control group") != NULL);
    while (count > 0)
        RANK_OK(world, muster_free(world, blocks[--count]));
    return 0;
}

static int take_all_together(muster_group *world, void *arg)
{
    (void)arg;
    for (uint64_t round = 0; round < 5; round++) {
        RANK_CHECK(world, take_all(world, round * 100 + (uint64_t)muster_group_rank(world)) == 0);
        RANK_OK(world, muster_barrier(world));
    }
    return 0;
}

/* All at once, the block of each of which fits alone: one gets it, or none. */
static int take_most_at_once(muster_group *world, void *arg)
{
    (void)arg;
    for (int round = 0; round < 5; round++) {
        void *block;

        RANK_OK(world, muster_barrier(world));
        muster_status status = muster_alloc(world, LIMIT_BYTES / 2 + (8 << 20), &block);
        RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_NO_SPACE);
        if (status == MUSTER_OK)
            RANK_OK(world, muster_free(world, block));
    }
    return 0;
}

static int launch_in_a_small_group(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 4;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE; /* as above */
    RANK_OK(NULL, muster_launch(&config, take_most_at_once, NULL, NULL));
    RANK_OK(NULL, muster_launch(&config, take_all_together, NULL, NULL));
    return 0;
}

/* What nobody can foresee: memory of a rank's own. The report says what the kernel counted. */
static int take_private_memory(muster_group *world, void *arg)
{
    (void)arg;
    if (muster_group_rank(world) == 1) {
        char *all = malloc(2 * LIMIT_BYTES);

        RANK_CHECK(world, all != NULL);
        memset(all, 1, 2 * LIMIT_BYTES);
        for (size_t i = 0; i < 2 * LIMIT_BYTES; i += 4096)
            RANK_CHECK(world, all[i] == 1);
    }
    return muster_barrier(world) == MUSTER_OK;
}

static int launch_and_be_killed(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    config.size = 2;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    RANK_CHECK(NULL, muster_launch(&config, take_private_memory, NULL, &report) == MUSTER_ERR_PEER_DIED);
    if (strstr(report.summary, "rank 1 was killed by signal 9") &&
        strstr(report.summary, "its memory control group was out of memory"))
        return 0;
    fprintf(stderr, "the report says: %s\n", report.summary);
    return 1;
}

/* The system would kill; it is an error in words before that. */
START_TEST(test_memory_of_a_control_group)
{
    static int (*const runs[])(void) = { allocate_up_to_the_limit, launch_in_a_small_group,
                                         launch_and_be_killed };
    char bytes[24];
    const limit limits[2] = { { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", bytes },
                              { "/sys/fs/cgroup", "memory.max", bytes } };

    snprintf(bytes, sizeof bytes, "%zu", LIMIT_BYTES);
    if (!under_address_sanitizer() && !under_thread_sanitizer()) /* their shadows would not fit */
        run_in_group(limits, runs[_i]);
}
END_TEST

static int meet_often(muster_group *world, void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++)
        RANK_OK(world, muster_barrier(world));
    return 0;
}

static int launch_three(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 3;
    return muster_launch(&config, meet_often, NULL, NULL) != MUSTER_OK;
}

/* Slow is not dead: ranks that are all stopped nine tenths of the time. */
START_TEST(test_a_tenth_of_a_cpu)
{
    static const limit limits[2] = { { "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "10000" },
                                     { "/sys/fs/cgroup", "cpu.max", "10000 100000" } };

    if (!under_address_sanitizer() && !under_thread_sanitizer()) /* which start for a minute then */
        run_in_group(limits, launch_three);
}
END_TEST

/* ---- priorities ---- */

static int first_has_priority(muster_group *world, void *arg)
{
    struct sched_param lowest = { .sched_priority = 1 };

    if (muster_group_rank(world) == 0 && sched_setscheduler(0, SCHED_FIFO, &lowest) < 0 && errno != EPERM)
        return 1; /* where nobody may have priority, the ranks are equals */
    return meet_often(world, arg);
}

/* Whoever has priority must not wait for the others in a way that keeps the one CPU from them. */
START_TEST(test_a_rank_that_has_priority)
{
    cpu_set_t before, one;
    int first = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    run_ranks(2, RANKS_AS_PROCESSES, first_has_priority, NULL);
    sched_setaffinity(0, sizeof before, &before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control groups");
    TCase *tests = tcase_create("control groups");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_memory_of_a_control_group, 0, 3);
    tcase_add_test(tests, test_a_tenth_of_a_cpu);
    tcase_add_test(tests, test_a_rank_that_has_priority);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
