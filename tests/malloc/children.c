/* Children of a rank, and ranks that die, while arrays of the program are in the arena. */
#define _GNU_SOURCE
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/malloc/client.h"

enum { DESCRIPTORS = 4096 };

int waits_for(pid_t child)
{
    int status;

    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

long arena_blocks(void)
{
    for (int fd = 3; fd < DESCRIPTORS; fd++) {
        char path[40], link[100] = "";
        struct stat st;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, link, sizeof link - 1) > 0 && strstr(link, "muster") && fstat(fd, &st) == 0 &&
            st.st_size > 1 << 20)
            return st.st_blocks;
    }
    FAIL("no descriptor of the arena");
}

static bool has(const unsigned char *block, size_t bytes, unsigned char value)
{
    for (size_t i = 0; i < bytes; i++)
        if (block[i] != value)
            return false;
    return true;
}

/* ---- forks ---- */

enum { BYTES = 3 << 20 };

static int be_child(unsigned char *block, unsigned char *sparse, size_t middle, int go)
{
    char byte;

    if (read(go, &byte, 1) != 1) /* the parent has written meanwhile */
        return 2;
    if (!has(block, BYTES, 1) || sparse[middle] != 8 || sparse[0] != 0)
        return 3;
    memset(block, 99, BYTES);
    pid_t grandchild = fork();
    if (grandchild == 0)
        _exit(has(block, BYTES, 99) ? 0 : 1);
    if (waits_for(grandchild) != 0)
        return 4;
    unsigned char *fresh = malloc(1 << 20), *more = realloc(block, 2 * BYTES);
    if (in_arena(fresh) || in_arena(more) || !has(more, BYTES, 99))
        return 5;
    free(more);
    free(fresh);
    free(sparse);
    return muster_barrier(world) == MUSTER_ERR_FORKED ? 0 : 6;
}

/* The child has what was there when it was forked, and what it writes nobody else sees: neither its parent
 * nor the other ranks. What has no memory gets none by a fork. Once more with an arena whose descriptor the
 * program has closed. */
void forks(void)
{
    for (int closed = 0; closed < 2; closed++) {
        size_t middle =
            closed ? 4 << 20 : 1 << 29; /* without the descriptor, what has no memory is copied, too */
        unsigned char *block = malloc(BYTES), *sparse = calloc(2, middle);
        int go[2];

        CHECK(pipe(go) == 0);
        if (closed)
            for (int fd = 3; fd < DESCRIPTORS; fd++)
                if (fd != go[0] && fd != go[1])
                    close(fd);
        sparse[middle] = 8;
        memset(block, 1, BYTES);
        CHECK(in_arena(block) && in_arena(sparse));
        long before = closed ? 0 : arena_blocks();
        pid_t child = fork();
        if (child == 0)
            _exit(be_child(block, sparse, middle, go[0]));
        CHECK(closed || arena_blocks() - before < 64 << 11); /* of 1 GiB; a peer may have touched its own */
        memset(block, 2, BYTES);
        CHECK(write(go[1], "", 1) == 1);
        int status = waits_for(child);
        if (status != 0)
            fprintf(stderr, "the child's status is %#x\n", (unsigned)status);
        CHECK(status == 0 && has(block, BYTES, 2));
        int32_t *sums = malloc(1 << 20);
        for (int i = 0; i < 1 << 18; i++)
            sums[i] = i;
        CHECK(in_arena(sums) &&
              muster_all_sum(sums, sums, 1 << 18, MUSTER_INT32, world) == MUSTER_OK); /* as before */
        CHECK(sums[1000] == 1000 * muster_group_size(world));
        free(sums);
        free(block);
        free(sparse);
        close(go[0]);
        close(go[1]);
    }
}

/* A child that maps more than there is beside the arena's range, which it does not have: so what libc maps
 * for it lies there. The blocks are libc's for it, whether it has a copy of its parent's or not. */
static int fill(void)
{
    enum { BLOCKS = 60, LARGE = 8 << 20 };
    unsigned char *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(LARGE);
        if (!blocks[i] || malloc_usable_size(blocks[i]) < LARGE)
            return 2;
        blocks[i][0] = (unsigned char)i;
    }
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = realloc(blocks[i], 2 * LARGE);
        if (!blocks[i] || blocks[i][0] != i)
            return 3;
    }
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return 0;
}

void fills(void)
{
    for (int with = 0; with < 2; with++) {
        unsigned char *block = with ? malloc(BYTES) : NULL;

        if (with)
            memset(block, 1, BYTES);
        pid_t child = fork();
        if (child == 0)
            _exit(fill() || (with && !has(block, BYTES, 1)) ? 1 : 0);
        int status = waits_for(child);
        if (status != 0)
            fprintf(stderr, "rank %d: the child's status is %#x\n", rank, (unsigned)status);
        CHECK(status == 0);
        free(block);
    }
}

/* A program that locks what it maps in memory: a copy for a child has no more than the array has. */
void locks(void)
{
    enum { SPARSE = 256 << 20 };
    unsigned char *sparse = calloc(SPARSE, 1);
    struct rusage before, after;

    sparse[SPARSE / 2] = 8;
    CHECK(in_arena(sparse) && getrusage(RUSAGE_SELF, &before) == 0);
    bool may = mlockall(MCL_FUTURE) == 0;
    void *room = mmap(NULL, 2 * SPARSE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool has_room = room != MAP_FAILED && munmap(room, 2 * SPARSE) == 0;
    if (may && has_room) { /* within the user's limit */
        pid_t child = fork();
        if (child == 0)
            _exit(sparse[SPARSE / 2] == 8 && sparse[0] == 0 ? 0 : 1);
        CHECK(waits_for(child) == 0 && getrusage(RUSAGE_SELF, &after) == 0);
        CHECK(after.ru_maxrss - before.ru_maxrss < SPARSE >> 11); /* half of it, in KiB */
    }
    munlockall();
    free(sparse);
}

/* A child that no fork handler has seen does not have the memory: it may crash, and never writes to ours. */
void clones(void)
{
    unsigned char *block = malloc(BYTES);

    memset(block, 1, BYTES);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        memset(block, 2, BYTES);
        _exit(0);
    }
    CHECK(waits_for(child) != 0 && has(block, BYTES, 1));
    free(block);
}

/* Programs that are started, which never see our memory. */
void starts(void)
{
    char *words[] = { "sh", "-c", "exit 7", NULL };
    unsigned char *block = malloc(BYTES);
    pid_t child;

    memset(block, 1, BYTES);
    CHECK(system("exit 3") == 3 << 8);
    CHECK(posix_spawnp(&child, "sh", NULL, NULL, words, environ) == 0 && waits_for(child) == 7 << 8);
    child = vfork();
    if (child == 0) {
        execvp("sh", words);
        _exit(9);
    }
    CHECK(waits_for(child) == 7 << 8 && has(block, BYTES, 1));
    free(block);
}

/* ---- deaths ---- */

/* Of three ranks, 1 dies with 64 MiB of blocks, which are the system's again when nobody is in a group with
 * it. */
void death(void)
{
    unsigned char *block = malloc(64 << 20);
    muster_group *rest;

    memset(block, rank, 64 << 20);
    CHECK(in_arena(block) && muster_barrier(world) == MUSTER_OK);
    long before = arena_blocks();
    if (rank == 1)
        raise(SIGKILL);
    CHECK(muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    CHECK(muster_group_shrink(world, &rest) == MUSTER_OK && muster_group_free(world) == MUSTER_OK);
    int32_t back = 0;
    while (!back) { /* the kernel confirms it first */
        muster_group *again;
        int32_t found = before - arena_blocks() >= 48 << 11; /* the groups take some */

        CHECK(muster_group_dup(rest, &again) == MUSTER_OK && muster_group_free(again) == MUSTER_OK);
        CHECK(muster_all_min(&found, &back, 1, MUSTER_INT32, rest) == MUSTER_OK);
    }
    CHECK(has(block, 64 << 20, (unsigned char)rank));
    free(block);
    CHECK(muster_group_free(rest) == MUSTER_OK);
}

/* In a broken group peers may still write to an output: what is freed then is not used again before they
 * cannot. */
void broken(void)
{
    enum { LARGE = 5 << 20 };
    float *x = malloc(LARGE), *again;
    muster_group *rest;

    CHECK(in_arena(x) && muster_barrier(world) == MUSTER_OK);
    if (rank == 1)
        raise(SIGKILL);
    memset(x, 0, LARGE);
    CHECK(muster_all_sum(x, x, LARGE / 4, MUSTER_FLOAT32, world) == MUSTER_ERR_PEER_DIED);
    free(x);
    again = malloc(LARGE);
    CHECK(in_arena(again) && again != x);
    CHECK(muster_group_shrink(world, &rest) == MUSTER_OK && muster_group_free(world) == MUSTER_OK);
    int32_t back = 0;
    while (!back) { /* when all have left the group, and the dead writes no more, as a call of muster finds */
        float *taken = malloc(LARGE);
        int32_t found = taken == x;

        free(taken);
        CHECK(muster_all_min(&found, &back, 1, MUSTER_INT32, rest) == MUSTER_OK);
    }
    free(again);
    CHECK(muster_group_free(rest) == MUSTER_OK);
}

/* A program that goes on with another group and never frees the broken one: what it frees cannot be used
 * again, so the arena's part of it has a limit, and what it had before gives its memory back. */
void unfreed(void)
{
    enum { LARGE = 8 << 20, TIMES = 40, HELD = 24 };
    unsigned char *held[HELD];
    muster_group *part;

    for (int i = 0; i < HELD; i++)
        memset(held[i] = malloc(LARGE), i + 1, LARGE);
    CHECK(muster_group_dup(world, &part) == MUSTER_OK && muster_barrier(part) == MUSTER_OK);
    if (rank == 0)
        CHECK(muster_group_abort(part, "for the test") == MUSTER_OK);
    while (muster_barrier(part) == MUSTER_OK)
        continue;
    CHECK(muster_barrier(world) == MUSTER_OK);
    long before = arena_blocks();
    CHECK(muster_barrier(world) == MUSTER_OK);
    for (int i = 0; i < HELD; i++)
        free(held[i]);
    CHECK(muster_barrier(world) == MUSTER_OK && before - arena_blocks() >= 2 * 64 << 11);
    CHECK(muster_barrier(world) == MUSTER_OK);
    for (int i = 0; i < TIMES; i++) {
        unsigned char *block = malloc(LARGE);

        memset(block, i + 1, LARGE);
        free(block);
    }
    CHECK(muster_barrier(world) == MUSTER_OK && arena_blocks() - before < 2 * 96 << 11);
    CHECK(muster_barrier(world) == MUSTER_OK && muster_group_free(part) == MUSTER_OK);
    int32_t again = 0;
    while (!again) { /* when all have left it, the arena serves as before */
        unsigned char *block = calloc(2, LARGE / 2);
        int32_t found = in_arena(block);

        CHECK(has(block, LARGE, 0));
        free(block);
        CHECK(muster_all_min(&found, &again, 1, MUSTER_INT32, world) == MUSTER_OK);
    }
}
