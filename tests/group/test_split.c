/* split: who ends up where, several groups at once, and a very long run that leaks nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/backend/threads.h"
#include "tests/harness/elsewhere.h"
#include "tests/harness/ranks.h"

/* Among other keys: a negative one is the rank in the parent, and that of rank 0 is the last rank's, too. */
static int some_keys_are_negative(muster_group *world)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *mixed;

    RANK_OK(world, muster_group_split(world, 0, rank == n - 1 ? 0 : -1 - rank, &mixed));
    if (rank == 0)
        RANK_CHECK(world, muster_group_rank(mixed) == 0);
    else
        RANK_CHECK(world, muster_group_rank(mixed) == (rank == n - 1 ? 1 : rank + 1));
    RANK_OK(world, muster_group_free(mixed));
    return 0;
}

static int colors_and_keys(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *all, *reversed, *parity, *mine, *nested;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 3, -1, &all)); /* key < 0: the parent's order */
    RANK_CHECK(world, muster_group_rank(all) == rank && muster_group_size(all) == n);
    RANK_OK(world, muster_group_split(world, 0, n - rank, &reversed));
    RANK_CHECK(world, muster_group_rank(reversed) == n - 1 - rank);
    RANK_OK(world, muster_group_split(world, rank % 2, 7, &parity)); /* ties keep the order */
    RANK_CHECK(world,
               muster_group_rank(parity) == rank / 2 && muster_group_size(parity) == (n + 1 - rank % 2) / 2);
    RANK_OK(world, muster_group_split(world, rank == 0 ? MUSTER_COLOR_NONE : 2147483647, 0, &mine));
    RANK_CHECK(world, (mine == NULL) == (rank == 0));
    RANK_OK(world, muster_group_split(parity, muster_group_rank(parity) / 2, -1, &nested));
    RANK_CHECK(world, muster_group_rank(nested) == rank / 2 % 2);

    int32_t x = 1, y;
    for (int i = 0; i < 10; i++) { /* several groups in turn */
        RANK_OK(world, muster_all_sum(&x, &y, 1, MUSTER_INT32, parity));
        RANK_CHECK(world, y == muster_group_size(parity));
        RANK_OK(world, muster_all_sum(&rank, &y, 1, MUSTER_INT32, reversed));
        RANK_CHECK(world, y == n * (n - 1) / 2);
        RANK_OK(world, muster_all_sum(&x, &y, 1, MUSTER_INT32, nested));
        RANK_CHECK(world, y == muster_group_size(nested));
    }
    RANK_OK(world, muster_group_free(all)); /* freed in an order of their own; children outlive parents */
    RANK_OK(world, muster_group_free(parity));
    RANK_OK(world, muster_all_sum(&x, &y, 1, MUSTER_INT32, nested));
    RANK_OK(world, muster_group_free(reversed));
    RANK_OK(world, muster_group_free(nested));
    RANK_OK(world, muster_group_free(mine));
    return some_keys_are_negative(world);
}

START_TEST(test_colors_and_keys)
{
    run_all_sizes(colors_and_keys, NULL);
}
END_TEST

/* Disjoint groups split at the same time, at paces of their own. */
static int disjoint_splits(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *half, *child;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank % 2, -1, &half));
    int rounds = rank % 2 ? 300 : 500;
    for (int i = 0; i < rounds; i++) {
        int32_t x = 1, y = 0;

        RANK_OK(world, muster_group_split(half, i % 2 ? muster_group_rank(half) % 2 : 0, -1, &child));
        RANK_OK(world, muster_all_sum(&x, &y, 1, MUSTER_INT32, child));
        RANK_CHECK(world, y == muster_group_size(child));
        RANK_OK(world, muster_group_free(child));
    }
    RANK_OK(world, muster_group_free(half));
    return 0;
}

START_TEST(test_disjoint_groups_split_at_once)
{
    run_all_sizes(disjoint_splits, NULL);
}
END_TEST

/* ---- one thread splits while another is in a collective of the same group ---- */

typedef struct beside {
    muster_group *group;
    int failures;
} beside;

static void *many_sums(void *arg)
{
    beside *work = arg;

    for (int i = 0; i < 400; i++) {
        int32_t x[600], n = muster_group_size(work->group);

        for (int k = 0; k < 600; k++)
            x[k] = i + k;
        work->failures += muster_all_sum(x, x, 600, MUSTER_INT32, work->group) != MUSTER_OK;
        work->failures += x[599] != n * (i + 599);
    }
    return NULL;
}

static int split_beside_collectives(muster_group *world, void *arg)
{
    beside work = { world, 0 };
    pthread_t thread;

    (void)arg;
    RANK_CHECK(world, pthread_create(&thread, NULL, many_sums, &work) == 0);
    for (int i = 0; i < 200; i++) {
        muster_group *child;
        int32_t x = 1;

        RANK_OK(world, muster_group_split(world, muster_group_rank(world) % 2, -1, &child));
        RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, child));
        RANK_CHECK(world, x == muster_group_size(child));
        RANK_OK(world, muster_group_free(child));
    }
    pthread_join(thread, NULL);
    RANK_CHECK(world, work.failures == 0);
    return 0;
}

START_TEST(test_split_beside_collectives)
{
    run_all_sizes(split_beside_collectives, NULL);
}
END_TEST

/* ---- nothing leaks ---- */

static long status_kib(const char *what)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[200];
    long kib = 0;
    size_t length = strlen(what);

    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, what, length) == 0 && sscanf(line + length, ": %ld", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return kib;
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += lseek(fd, 0, SEEK_CUR) >= 0;
    return count;
}

static int split_and_free(muster_group *world, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        muster_group *child;

        RANK_OK(world, muster_group_split(world, muster_group_rank(world) & i & 1, -1, &child));
        if (i % 7 == 0) /* most are never used, some are */
            RANK_OK(world, muster_barrier(child));
        RANK_OK(world, muster_group_free(child));
    }
    return 0;
}

typedef struct rounds {
    int count;
    bool alone; /* the rank has a process to itself, whose memory and descriptors it can count */
} rounds;

static int many_rounds(muster_group *world, void *arg)
{
    const rounds *rounds = arg;

    if (split_and_free(world, 2000)) /* what is kept in caches is there now */
        return 1;
    long before_kib = status_kib("VmRSS");
    int before_fds = open_descriptors();
    if (split_and_free(world, rounds->count))
        return 1;
    RANK_CHECK(world, !rounds->alone || open_descriptors() == before_fds);
    /* AddressSanitizer keeps what was freed for a while. */
    RANK_CHECK(world, !rounds->alone || under_address_sanitizer() || status_kib("VmRSS") - before_kib < 4096);
    return 0;
}

START_TEST(test_many_rounds_leak_nothing)
{
    const char *text = getenv("TEST_SPLITS"); /* scripts/soak makes it a million */
    rounds rounds = { text ? atoi(text) : 20000, false };

    run_ranks(3, RANKS_AS_THREADS, many_rounds, &rounds);
    rounds.alone = true;
    if (!under_thread_sanitizer())
        run_ranks(2, RANKS_AS_PROCESSES, many_rounds, &rounds);
}
END_TEST

/* Groups that nobody frees, as libraries keep them: until they move more than fits beside a flag they are a
 * few pages each, of the arena and of the rank's own, and no descriptor. */
enum { KEPT = 1000, KEPT_HEAP_KIB_MAX = 4, KEPT_OWN_KIB_MAX = 16, KEPT_BLOCKS_MAX = 200 };

/* Leaves room in this rank's part of the arena for so much. */
static int leave_room(muster_group *world, size_t bytes)
{
    void *blocks[KEPT_BLOCKS_MAX];
    size_t count = 0;

    while (count < KEPT_BLOCKS_MAX && muster_alloc(world, 1 << 20, &blocks[count]) == MUSTER_OK)
        count++;
    RANK_CHECK(world, count < KEPT_BLOCKS_MAX && count << 20 >= bytes);
    for (size_t freed = 0; freed < bytes; freed += 1 << 20)
        RANK_OK(world, muster_free(world, blocks[--count]));
    return 0;
}

static int keep_many(muster_group *world, void *arg)
{
    const bool *alone = arg;
    long before_kib = status_kib("RssAnon");
    int before_fds = open_descriptors();

    if (*alone && leave_room(world, (size_t)KEPT * KEPT_HEAP_KIB_MAX * 1024))
        return 1;
    for (int i = 0; i < KEPT; i++) {
        muster_group *kept;
        int sum, one = 1;

        RANK_OK(world, muster_group_dup(world, &kept));
        RANK_OK(world, muster_all_sum(&one, &sum, 1, MUSTER_INT32, kept));
        RANK_CHECK(world, sum == muster_group_size(world));
    }
    RANK_CHECK(world, !*alone || open_descriptors() == before_fds);
    RANK_CHECK(world, !*alone || under_address_sanitizer() ||
                          status_kib("RssAnon") - before_kib < KEPT * KEPT_OWN_KIB_MAX);
    return 0;
}

START_TEST(test_groups_that_nobody_frees)
{
    bool alone = on_one_host();

    run_ranks_with((rank_options){ .size = 2,
                                   .mode = alone ? RANKS_AS_PROCESSES : RANKS_AS_THREADS,
                                   .arena_bytes = 132 << 20 },
                   keep_many, &alone);
}
END_TEST

/* What a group's staging was made of is written to as soon as its peers have left: were they still
 * reading it, or did the leaving publish nothing, ThreadSanitizer would see a race. */
static int reuse_staging(muster_group *world, void *arg)
{
    enum { BYTES = 16384 };
    static _Thread_local unsigned char in[BYTES], out[8 * BYTES];
    int rank = muster_group_rank(world), n = muster_group_size(world);
    muster_group *solo, *child;
    void *block;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank, -1, &solo));
    for (int i = 0; i < 300; i++) {
        memset(in, rank + i, sizeof in);
        RANK_OK(world, muster_group_split(world, 0, -1, &child));
        RANK_OK(world, muster_all_gather(in, out, BYTES, MUSTER_UINT8, child));
        for (int r = 0; r < n; r++)
            RANK_CHECK(world, out[r * BYTES] == (unsigned char)(r + i) &&
                                  out[(r + 1) * BYTES - 1] == (unsigned char)(r + i));
        RANK_OK(world, muster_group_free(child));
        for (int k = 0; k < 4; k++) {
            RANK_OK(world, muster_alloc(solo, 65536, &block));
            memset(block, 0xff, 65536);
            RANK_OK(world, muster_free(solo, block));
        }
    }
    RANK_OK(world, muster_group_free(solo));
    return 0;
}

START_TEST(test_memory_is_reused_only_when_peers_have_left)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_THREADS, .staging_bytes = 65536 };

    run_ranks_with(options, reuse_staging, NULL);
    options.size = 4;
    run_ranks_with(options, reuse_staging, NULL);
    options.mode = RANKS_AS_PROCESSES;
    run_ranks_with(options, reuse_staging, NULL);
}
END_TEST

/* At the limit of cells, a clear NO_SPACE on all ranks, and the parent goes on. */
static int as_many_groups_as_there_can_be(muster_group *world, void *arg)
{
    enum { LIMIT = 4200 };
    muster_group **children = calloc(LIMIT, sizeof *children);
    muster_status status = MUSTER_OK;
    muster_group *own;
    bool first = arg != NULL; /* rank 1 alone is at its limit */
    int made = 0;

    RANK_CHECK(world, children);
    if (first)
        RANK_OK(world, muster_group_split(world, muster_group_rank(world) ? 1 : MUSTER_COLOR_NONE, -1, &own));
    while (made < LIMIT && (status = muster_group_split(world, 0, -1, &children[made])) == MUSTER_OK)
        made++;
    RANK_CHECK(world, status == MUSTER_ERR_NO_SPACE && made == 4095 - first);
    RANK_CHECK(world, !first || strstr(muster_error_detail(), "rank 1"));
    for (int i = 0; i < made; i++)
        RANK_OK(world, muster_group_free(children[i]));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_split(world, 0, -1, &children[0]));
    RANK_OK(world, muster_group_free(children[0]));
    free(children);
    return 0;
}

START_TEST(test_too_many_groups_is_no_space)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_PROCESSES, .staging_bytes = 8192 };

    run_ranks_with(options, as_many_groups_as_there_can_be, NULL);
    run_ranks_with(options, as_many_groups_as_there_can_be, &options);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("split");
    TCase *tests = tcase_create("split");

    tcase_set_timeout(tests, TEST_TIMEOUT_S * 4);
    tcase_add_test(tests, test_colors_and_keys);
    tcase_add_test(tests, test_disjoint_groups_split_at_once);
    tcase_add_test(tests, test_split_beside_collectives);
    tcase_add_test(tests, test_many_rounds_leak_nothing);
    /* Such groups keep their arena where ranks are threads. */
    if (!under_thread_sanitizer() && (on_one_host() || backend_of_test() == &backend_of_threads))
        tcase_add_test(tests, test_groups_that_nobody_frees);
    tcase_add_test(tests, test_memory_is_reused_only_when_peers_have_left);
    if (on_one_host()) /* whose groups take cells, of which there are so many */
        tcase_add_test(tests, test_too_many_groups_is_no_space);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
