/*
 * Ranks that may have less address space than whoever made the arena: under ulimit -v in a wrapper, or a
 * tool. They map the beginning of each heap, all ranks use no more than that, and everything works as ever,
 * down to what a world needs; below it is an error in words.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/arena/arena.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

#define MIB ((uint64_t)1 << 20)
#define COUNT 100000

enum { SIZE = 3 };

typedef struct scene {
    uint64_t limits[SIZE]; /* of address space; 0: none */
    uint64_t blocks[SIZE]; /* of 1 MiB that each could have */
    char said[SIZE][400];
} scene;

/* ---- what ranks do with arena memory ---- */

static int reduce_in_place(muster_group *group)
{
    int32_t *x;

    RANK_OK(group, muster_alloc(group, COUNT * sizeof *x, (void **)&x));
    for (int i = 0; i < COUNT; i++)
        x[i] = i;
    RANK_OK(group, muster_all_sum(x, x, COUNT, MUSTER_INT32, group));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(group, x[i] == i * muster_group_size(group));
    RANK_OK(group, muster_broadcast(x, x, COUNT, MUSTER_INT32, muster_group_size(group) - 1, group));
    RANK_CHECK(group, x[COUNT - 1] == (COUNT - 1) * muster_group_size(group));
    RANK_OK(group, muster_free(group, x));
    return 0;
}

static int exchange(muster_group *group)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);
    int32_t *from, *to;

    RANK_OK(group, muster_alloc(group, COUNT * sizeof *from, (void **)&from));
    RANK_OK(group, muster_alloc(group, COUNT * sizeof *to, (void **)&to));
    for (int i = 0; i < COUNT; i++)
        from[i] = rank * COUNT + i;
    RANK_OK(group, muster_sendrecv(from, COUNT, (rank + 1) % size, 0, to, COUNT, (rank + size - 1) % size, 0,
                                   MUSTER_INT32, group, NULL));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(group, to[i] == (rank + size - 1) % size * COUNT + i);
    int32_t *all;
    RANK_OK(group, muster_alloc(group, (size_t)size * COUNT * sizeof *all, (void **)&all));
    RANK_OK(group, muster_all_gather(from, all, COUNT, MUSTER_INT32, group));
    for (int i = 0; i < size * COUNT; i++)
        RANK_CHECK(group, all[i] == i);
    RANK_OK(group, muster_free(group, all));
    RANK_OK(group, muster_free(group, to));
    return muster_free(group, from) != MUSTER_OK;
}

static int start_and_finish(muster_group *group)
{
    static float x[COUNT], y[COUNT];
    muster_request request;

    for (int i = 0; i < COUNT; i++)
        x[i] = 1;
    RANK_OK(group, muster_all_reduce_start(x, y, COUNT, MUSTER_FLOAT32, MUSTER_SUM, group, &request));
    RANK_OK(group, muster_wait(&request, 0));
    RANK_CHECK(group, y[0] == (float)muster_group_size(group) && y[COUNT - 1] == y[0]);
    return 0;
}

static int use(muster_group *world)
{
    muster_group *pair;

    for (int i = 0; i < 3; i++) {
        RANK_CHECK(world, reduce_in_place(world) == 0);
        RANK_CHECK(world, exchange(world) == 0);
        RANK_CHECK(world, start_and_finish(world) == 0);
        RANK_OK(world, muster_group_split(world, muster_group_rank(world) == 0, 0, &pair));
        RANK_CHECK(pair, reduce_in_place(pair) == 0 && exchange(pair) == 0);
        RANK_OK(pair, muster_group_free(pair));
    }
    return 0;
}

/* Takes all there is, so that every address of every heap is written by one and read by another rank. */
static int fill(muster_group *world, uint64_t *count)
{
    enum { MOST = 1000 };
    static unsigned char *blocks[MOST];
    int size = muster_group_size(world);
    uint64_t least;

    for (*count = 0; *count < MOST; ++*count)
        if (muster_alloc(world, MIB, (void **)&blocks[*count]) != MUSTER_OK)
            break;
    RANK_CHECK(world, strstr(muster_error_detail(), "one of the ranks can map no more") != NULL);
    uint64_t most = *count;
    RANK_OK(world, muster_all_min(&most, &least, 1, MUSTER_UINT64, world));
    for (uint64_t i = 0; i < least; i++) {
        memset(blocks[i], muster_group_rank(world) + 1, MIB);
        RANK_OK(world, muster_all_max(blocks[i], blocks[i], MIB, MUSTER_UINT8, world));
        RANK_CHECK(world, blocks[i][0] == size && blocks[i][MIB - 1] == size);
    }
    for (uint64_t i = 0; i < *count; i++)
        RANK_OK(world, muster_free(world, blocks[i]));
    return 0;
}

static int work(scene *scene, muster_group *world)
{
    int rank = muster_group_rank(world);
    muster_group *rest;

    RANK_CHECK(world, use(world) == 0);
    RANK_CHECK(world, fill(world, &scene->blocks[rank]) == 0);
    RANK_OK(world, muster_barrier(world));
    if (rank == SIZE - 1)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_shrink(world, &rest));
    RANK_OK(world, muster_group_free(world));
    RANK_CHECK(rest, use(rest) == 0);
    return muster_group_free(rest) != MUSTER_OK;
}

/* ---- starting them ---- */

static muster_status attach(const scene *scene, int fd, int rank, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;
    struct rlimit limit = { scene->limits[rank], scene->limits[rank] };
    char arena[24];

    if (limit.rlim_cur && setrlimit(RLIMIT_AS, &limit) < 0)
        return MUSTER_ERR_SYSTEM;
    snprintf(arena, sizeof arena, "fd:%d", fd);
    config.arena = arena;
    config.rank = rank;
    config.size = SIZE;
    return muster_attach(&config, world);
}

/* In an arena of 256 GiB that somebody without limits has made. */
static void run(scene *scene, int (*body)(struct scene *scene, int fd, int rank), const int wanted[SIZE])
{
    mst_arena_plan plan = { .size = SIZE };
    pid_t ranks[SIZE];
    mst_arena *arena;

    ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_OK);
    ck_assert_uint_eq(arena->geometry.unmapped_bytes, 0);
    for (int rank = 0; rank < SIZE; rank++) {
        ranks[rank] = fork();
        if (ranks[rank] == 0)
            _exit(body(scene, arena->held.fd, rank));
    }
    for (int rank = 0; rank < SIZE; rank++) {
        int status;

        ck_assert_int_eq(waitpid(ranks[rank], &status, 0), ranks[rank]);
        ck_assert_msg(status == wanted[rank], "rank %d ended with %#x: %s", rank, (unsigned)status,
                      scene->said[rank]);
    }
    mst_arena_close(arena);
}

static int attach_and_work(scene *scene, int fd, int rank)
{
    muster_group *world = NULL;

    muster_status status = attach(scene, fd, rank, &world);
    snprintf(scene->said[rank], sizeof scene->said[rank], "%s", muster_error_detail());
    return status == MUSTER_OK ? work(scene, world) : 100;
}

static const uint64_t tight[][SIZE] = {
    { 0, 600 * MIB, 0 },
    { 500 * MIB, 0, 700 * MIB },
    { 560 * MIB, 560 * MIB, 560 * MIB },
};

START_TEST(test_less_for_some)
{
    static const int wanted[SIZE] = { 0, 0, SIGKILL };
    scene *scene = shared_page(sizeof *scene);

    memcpy(scene->limits, tight[_i], sizeof scene->limits);
    run(scene, attach_and_work, wanted);
    for (int rank = 0; rank < SIZE; rank++)
        ck_assert_msg(scene->blocks[rank] >= 10 && scene->blocks[rank] < 200, "rank %d has %llu MiB", rank,
                      (unsigned long long)scene->blocks[rank]);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* Too little for a world: who has it says so, and the others do not wait for ever. */
static int attach_in_vain(scene *scene, int fd, int rank)
{
    muster_group *world = NULL;

    muster_status status = attach(scene, fd, rank, &world);
    snprintf(scene->said[rank], sizeof scene->said[rank], "%s", muster_error_detail());
    return (int)status;
}

START_TEST(test_too_little)
{
    static const int wanted[SIZE] = { 0, MUSTER_ERR_NO_SPACE << 8, 0 };
    mst_arena_plan plan = { .size = SIZE };
    scene *scene = shared_page(sizeof *scene);
    mst_arena *arena;
    int status;

    scene->limits[1] = 200 * MIB;
    ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_OK);
    pid_t rank = fork();
    if (rank == 0)
        _exit(attach_in_vain(scene, arena->held.fd, 1));
    ck_assert_int_eq(waitpid(rank, &status, 0), rank);
    ck_assert_msg(status == wanted[1] && strstr(scene->said[1], "MiB of address space") &&
                      strstr(scene->said[1], "raise the limit that ulimit -v shows"),
                  "%#x: %s", (unsigned)status, scene->said[1]);
    mst_arena_close(arena);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- memory that is locked ---- */

/* What this process has of shared memory, in KiB. */
static long shared_resident(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[200];
    long found = 0;

    while (file && fgets(line, sizeof line, file))
        sscanf(line, "RssShmem: %ld", &found);
    if (file)
        fclose(file);
    return found;
}

static int attach_locked(void)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *group;

    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        return 0; /* not for this user */
    config.arena_bytes = 512 * MIB;
    long before = shared_resident();
    RANK_OK(NULL, muster_attach(&config, &group));
    RANK_CHECK(group, shared_resident() - before < 64 * 1024);
    RANK_CHECK(group, reduce_in_place(group) == 0);
    return muster_group_free(group) != MUSTER_OK;
}

/* An arena is address space. A program that locks all that it maps must not lock that in memory. */
START_TEST(test_an_arena_of_a_program_that_locks_its_memory)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(attach_locked());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address space");
    TCase *tests = tcase_create("address space");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_address_sanitizer() && !under_thread_sanitizer()) { /* they need terabytes of it */
        tcase_add_loop_test(tests, test_less_for_some, 0, sizeof tight / sizeof tight[0]);
        tcase_add_test(tests, test_too_little);
        tcase_add_test(tests, test_an_arena_of_a_program_that_locks_its_memory);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
