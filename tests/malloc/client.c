/*
 * A program that knows nothing of arenas and is run by muster run --arena-malloc: `client CASE`. Each case
 * prints "CASE: done" when all is as it would be with libc's malloc, and the arrays are in the arena.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tests/malloc/client.h"

muster_group *world;
int rank;

void fail_at(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: rank %d: %s (%s)\n", file, line, rank, what, muster_error_detail());
    fflush(stderr);
    _exit(1);
}

/* What the system says of the mapping that the address is in. */
bool in_arena(const void *at)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    bool found = false;

    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end;

        if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && (uintptr_t)at >= begin && (uintptr_t)at < end)
            found = strstr(line, "muster") != NULL;
    }
    if (maps)
        fclose(maps);
    return found;
}

/* ---- what malloc promises ---- */

static bool is_zero(const unsigned char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i])
            return false;
    return true;
}

static void family(void)
{
    unsigned char *small = malloc(65535), *large = malloc(65536), *odd = malloc(100001);
    void *aligned = NULL;

    CHECK(!in_arena(small) && in_arena(large) && in_arena(odd));
    CHECK(malloc_usable_size(odd) >= 100001 && malloc_usable_size(small) >= 65535);
    memset(odd, 7, malloc_usable_size(odd));
    memset(large, 9, 65536);
    for (int round = 0; round < 3; round++) { /* the second time it has been used before */
        unsigned char *zeros = calloc(100001, 3);
        CHECK(in_arena(zeros) && is_zero(zeros, 300003));
        memset(zeros, 0xff, 300003);
        free(zeros);
    }
    CHECK(posix_memalign(&aligned, 4096, 1 << 20) == 0 && in_arena(aligned) &&
          (uintptr_t)aligned % 4096 == 0);
    free(aligned);
    CHECK(posix_memalign(&aligned, 65536, 1 << 20) == 0 && in_arena(aligned) &&
          (uintptr_t)aligned % 65536 == 0);
    free(aligned);
    CHECK(posix_memalign(&aligned, 1 << 21, 1 << 20) == 0 && (uintptr_t)aligned % (1 << 21) == 0);
    free(aligned);
    volatile size_t three = 3;
    CHECK(posix_memalign(&aligned, three, 1 << 20) == EINVAL);
    aligned = aligned_alloc(64, 1 << 20);
    CHECK(in_arena(aligned) && (uintptr_t)aligned % 64 == 0);
    free(aligned);
    aligned = memalign(256, 200000);
    CHECK(in_arena(aligned) && (uintptr_t)aligned % 256 == 0);
    free(aligned);
    odd = realloc(odd, 120000);
    CHECK(in_arena(odd) && odd[0] == 7 && odd[100000] == 7);
    odd = reallocarray(odd, 1000, 5000);
    CHECK(in_arena(odd) && odd[0] == 7 && odd[100000] == 7);
    odd[4999999] = 1;
    odd = realloc(odd, 100);
    CHECK(!in_arena(odd) && odd[0] == 7 && odd[99] == 7);
    odd = realloc(odd, 1 << 20); /* libc's block remains libc's */
    CHECK(odd[99] == 7);
    volatile size_t most = SIZE_MAX;
    errno = 0;
    CHECK(!reallocarray(NULL, most, 2) && errno == ENOMEM && !calloc(most, 2) && !malloc(most - 4096));
    CHECK(large[0] == 9 && large[65535] == 9);
    errno = 77;
    free(large);
    CHECK(errno == 77);
    free(realloc(NULL, 1 << 20));
    free(small);
    free(odd);
    free(NULL);
    CHECK(malloc_usable_size(NULL) == 0);
}

/* Memory is the system's until it is touched, and again when it is freed. */
static void check_resident(long before, long most)
{
    CHECK(muster_barrier(world) == MUSTER_OK);
    long now = arena_blocks();
    CHECK(muster_barrier(world) == MUSTER_OK && now - before <= most * muster_group_size(world));
}

static void resident(void)
{
    size_t bytes = 1ULL << 30;
    long before = arena_blocks(), mebibyte = 1 << 11; /* units of 512 bytes */

    CHECK(muster_barrier(world) == MUSTER_OK);
    unsigned char *sparse = malloc(bytes);
    CHECK(in_arena(sparse));
    sparse[0] = sparse[bytes - 1] = 1;
    check_resident(before, 8 * mebibyte);
    free(sparse);
    for (int i = 0; i < 4; i++) { /* a large block at a time */
        unsigned char *block = malloc(96 << 20);
        memset(block, i, 96 << 20);
        free(block);
    }
    check_resident(before, 64 * mebibyte);
    unsigned char *blocks[100];
    for (int i = 0; i < 100; i++) /* many small ones */
        memset(blocks[i] = malloc(1 << 20), i, 1 << 20);
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    check_resident(before, 72 * mebibyte);
    unsigned char *cut = malloc(200 << 20);
    memset(cut, 7, 200 << 20);
    cut = realloc(cut, 60 << 20); /* in place: it keeps its address, and not its memory */
    CHECK(in_arena(cut) && cut[0] == 7 && cut[(60 << 20) - 1] == 7);
    check_resident(before, (72 + 64) * mebibyte);
    cut = realloc(cut, 100 << 20);
    memset(cut + (60 << 20), 8, 40 << 20);
    CHECK(cut[(60 << 20) - 1] == 7);
    free(cut);
}

/* What the machine cannot hold is for the system to refuse. */
static void oversized(void)
{
    struct sysinfo info;

    CHECK(sysinfo(&info) == 0);
    uint64_t bytes = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
    void *volatile block = malloc(bytes + (1 << 20));
    CHECK(!block || !in_arena(block));
    free(block);
}

/* ---- many threads ---- */

enum { THREADS = 4, HELD = 24, ROUNDS = 3000 };

static _Atomic(unsigned char *) shelf[HELD]; /* blocks that any thread takes, looks at, and frees */

static void look_at_block(const unsigned char *block)
{
    size_t bytes;

    memcpy(&bytes, block, sizeof bytes);
    CHECK(block[sizeof bytes] == block[bytes - 1] && block[bytes / 2] == block[bytes - 1]);
}

static unsigned char *make_block(unsigned *seed)
{
    size_t bytes = 1000 + rand_r(seed) % 400000;
    unsigned char *block = rand_r(seed) % 2 ? malloc(bytes) : calloc(1, bytes),
                  mark = (unsigned char)rand_r(seed);

    CHECK(block);
    memcpy(block, &bytes, sizeof bytes);
    block[sizeof bytes] = block[bytes / 2] = block[bytes - 1] = mark;
    return block;
}

static unsigned char *resize_block(unsigned char *block, unsigned *seed)
{
    size_t bytes, more = 1000 + rand_r(seed) % 400000;

    memcpy(&bytes, block, sizeof bytes);
    unsigned char mark = block[bytes - 1];
    block = realloc(block, more);
    CHECK(block && block[sizeof bytes] == mark);
    memcpy(block, &more, sizeof more);
    block[more / 2] = block[more - 1] = mark;
    return block;
}

static void *trade(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (int round = 0; round < ROUNDS; round++) {
        unsigned char *mine = make_block(&seed);
        if (rand_r(&seed) % 4 == 0)
            mine = resize_block(mine, &seed);
        unsigned char *other = atomic_exchange(&shelf[rand_r(&seed) % HELD], mine);
        if (other)
            look_at_block(other);
        free(other);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, trade, (void *)(i + 1));
    for (int i = 0; i < 20; i++) { /* forks meanwhile: each child finds the lock free, and all blocks whole */
        pid_t child = fork();
        if (child == 0) {
            free(malloc(1 << 20));
            _exit(0);
        }
        CHECK(waits_for(child) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < HELD; i++)
        free(shelf[i]);
}

/* ---- collectives and messages on such arrays ---- */

static void results(void)
{
    for (size_t count = 16384; count <= 1 << 21; count = count * 5 / 2) {
        float *x = malloc(count * sizeof *x), *y = malloc(count * sizeof *y);
        int size = muster_group_size(world);

        CHECK(in_arena(x) && in_arena(y));
        for (size_t i = 0; i < count; i++)
            x[i] = (float)(i % 100 + rank);
        CHECK(muster_all_sum(x, y, count, MUSTER_FLOAT32, world) == MUSTER_OK);
        for (size_t i = 0; i < count; i++)
            CHECK(y[i] == (float)(i % 100 * size + size * (size - 1) / 2));
        CHECK(muster_all_sum(x, x, count, MUSTER_FLOAT32, world) == MUSTER_OK &&
              memcmp(x, y, count * 4) == 0);
        memset(y, 0, count * 4);
        CHECK(muster_sendrecv(x, count, (rank + 1) % size, 0, y, count, (rank + size - 1) % size, 0,
                              MUSTER_FLOAT32, world, NULL) == MUSTER_OK);
        CHECK(memcmp(x, y, count * 4) == 0);
        free(x);
        free(y);
    }
}

/* ---- the end ---- */

static unsigned char *last;

/* Runs after muster has left, and frees as a destructor of a program would. */
static void __attribute__((destructor)) free_last(void)
{
    if (!last)
        return;
    CHECK(last[0] == 5 && last[(1 << 20) - 1] == 5);
    free(last);
    free(malloc(1 << 20));
    printf("ends: done\n");
    fflush(stdout);
}

static void free_at_exit(void)
{
    CHECK(last[1] == 5);
}

static void ends(void)
{
    unsigned char *block = malloc(1 << 20);

    last = malloc(1 << 20);
    CHECK(in_arena(last) && in_arena(block));
    memset(last, 5, 1 << 20);
    memset(block, 6, 1 << 20);
    atexit(free_at_exit);
    CHECK(muster_group_free(world) == MUSTER_OK);
    CHECK(block[77] == 6);
    free(block);
    block = malloc(1 << 20); /* also without a group */
    memset(block, 1, 1 << 20);
    free(block);
}

/* ---- without memory in the arena: MUSTER_ARENA_BYTES is small ---- */

static void exhausted(void)
{
    enum { BLOCKS = 40 };
    unsigned char *blocks[BLOCKS];
    int inside = 0;

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(8 << 20);
        CHECK(blocks[i]);
        blocks[i][0] = blocks[i][(8 << 20) - 1] = (unsigned char)i;
        inside += in_arena(blocks[i]);
    }
    CHECK(inside > 0 && inside < BLOCKS);
    void *buffer;
    CHECK(muster_alloc(world, 200 << 20, &buffer) == MUSTER_ERR_NO_SPACE);
    CHECK(strstr(muster_error_detail(), "of which malloc has "));
    for (int i = 0; i < BLOCKS; i++) {
        CHECK(blocks[i][0] == i);
        free(blocks[i]);
    }
}

/* Nothing is served: no rank, or MUSTER_ARENA_MALLOC is not set. */
static void aside(void)
{
    void *block = malloc(1 << 20);

    CHECK(block && !in_arena(block));
    free(block);
}

static int look_aside(muster_group *team, void *arg)
{
    (void)arg;
    aside();
    return muster_barrier(team) == MUSTER_OK ? 0 : 1;
}

/* Ranks that are threads, whose arrays would all lie in the part of one. */
static void team(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 2;
    config.threads = true;
    CHECK(muster_launch(&config, look_aside, NULL, NULL) == MUSTER_OK);
}

static void invalid(void)
{
    unsigned char *block = malloc(1 << 20);

    CHECK(in_arena(block));
    free(block);
    free(block); /* ends the process, as with libc */
}

/* ---- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = { { "family", family },   { "resident", resident }, { "threads", threads },
              { "results", results }, { "ends", ends },         { "exhausted", exhausted },
              { "aside", aside },     { "team", team },         { "invalid", invalid },
              { "forks", forks },     { "locks", locks },       { "clones", clones },
              { "starts", starts },   { "death", death },       { "broken", broken },
              { "unfreed", unfreed }, { "fills", fills },       { "oversized", oversized } };

int main(int argc, char **argv)
{
    void *early = malloc(1 << 20); /* libc's, before the rank has attached */

    memset(early, 3, 1 << 20);
    if (muster_init(false, NULL, &world) != MUSTER_OK)
        FAIL("init");
    rank = muster_group_rank(world);
    CHECK(!in_arena(early));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc != 2 || strcmp(argv[1], cases[i].name) != 0)
            continue;
        cases[i].run();
        if (!last)
            printf("%s: done\n", cases[i].name);
        free(early);
        return 0;
    }
    FAIL("no such case");
}
