/* Collectives by known answers: what the header promises, call by call. Random programs do the rest. */
#define _GNU_SOURCE /* MAP_NORESERVE */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/harness/ranks.h"

/* ---- known answers ---- */

static int every_collective(muster_group *world, void *arg)
{
    enum { COUNT = 3000 }; /* several rounds with tiny staging */
    int n = muster_group_size(world), rank = muster_group_rank(world), root = n / 2;
    static _Thread_local int32_t in[8 * COUNT], out[8 * COUNT];

    (void)arg;
    for (int i = 0; i < n * COUNT; i++)
        in[i] = rank * 1000000 + i;
    RANK_OK(world, muster_all_sum(in, out, COUNT, MUSTER_INT32, world));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(world, out[i] == n * (n - 1) / 2 * 1000000 + n * i);
    RANK_OK(world, muster_all_max(in, out, COUNT, MUSTER_INT32, world));
    RANK_CHECK(world, out[7] == (n - 1) * 1000000 + 7);
    RANK_OK(world, muster_all_min(in, out, COUNT, MUSTER_INT32, world));
    RANK_CHECK(world, out[7] == 7);
    RANK_OK(world, muster_all_gather(in, out, COUNT, MUSTER_INT32, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world,
                   out[r * COUNT] == r * 1000000 && out[r * COUNT + COUNT - 1] == r * 1000000 + COUNT - 1);
    RANK_OK(world, muster_sum_scatter(in, out, COUNT, MUSTER_INT32, world));
    RANK_CHECK(world, out[5] == n * (n - 1) / 2 * 1000000 + n * (rank * COUNT + 5));
    RANK_OK(world, muster_broadcast(rank == root ? in : NULL, out, COUNT, MUSTER_INT32, root, world));
    RANK_CHECK(world, out[COUNT - 1] == root * 1000000 + COUNT - 1);
    RANK_OK(world,
            muster_reduce(in, rank == root ? out : NULL, COUNT, MUSTER_INT32, MUSTER_MAX, root, world));
    RANK_CHECK(world, rank != root || out[9] == (n - 1) * 1000000 + 9);
    RANK_OK(world, muster_gather(in, rank == root ? out : NULL, COUNT, MUSTER_INT32, root, world));
    for (int r = 0; r < n && rank == root; r++)
        RANK_CHECK(world, out[r * COUNT + 1] == r * 1000000 + 1);
    RANK_OK(world, muster_scatter(rank == root ? in : NULL, out, COUNT, MUSTER_INT32, root, world));
    RANK_CHECK(world, out[2] == root * 1000000 + rank * COUNT + 2);
    RANK_OK(world, muster_all_to_all(in, out, COUNT, MUSTER_INT32, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, out[r * COUNT + 3] == r * 1000000 + rank * COUNT + 3);
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_every_collective)
{
    run_all_sizes(every_collective, NULL);
}
END_TEST

/* ---- results too large for a cache, which are stored non-temporally, at odd addresses ---- */

#define LARGE_BYTES ((8 << 20) + 77)

static unsigned char large_value(int rank, size_t i)
{
    return (unsigned char)((size_t)rank * 31 + i * 7 + (i >> 8));
}

static void fill_large(unsigned char *to, size_t bytes, int rank)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = large_value(rank, i);
}

static bool is_large(const unsigned char *at, size_t bytes, int rank)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != large_value(rank, i))
            return false;
    return true;
}

static int large_results(muster_group *world, void *arg)
{
    enum { BLOCK = LARGE_BYTES / 3 + 5, ROOT = 1 };
    int rank = muster_group_rank(world);
    unsigned char *in = malloc(LARGE_BYTES + 1), *out = malloc(3 * BLOCK + 1);

    (void)arg;
    RANK_CHECK(world, in && out);
    fill_large(in + 1, LARGE_BYTES, rank);
    RANK_OK(world, muster_all_gather(in + 1, out + 1, BLOCK, MUSTER_UINT8, world));
    for (int r = 0; r < 3; r++)
        RANK_CHECK(world, is_large(out + 1 + r * BLOCK, BLOCK, r));
    memset(out, 0, 3 * BLOCK + 1);
    fill_large(out + 1 + rank * BLOCK, BLOCK, rank);
    RANK_OK(world, muster_all_gather(out + 1 + rank * BLOCK, out + 1, BLOCK, MUSTER_UINT8, world));
    for (int r = 0; r < 3; r++)
        RANK_CHECK(world, is_large(out + 1 + r * BLOCK, BLOCK, r));
    RANK_OK(world, muster_broadcast(in + 1, out + 1, LARGE_BYTES, MUSTER_UINT8, ROOT, world));
    RANK_CHECK(world, is_large(out + 1, LARGE_BYTES, ROOT));
    RANK_OK(world, muster_broadcast(in + 1, in + 1, LARGE_BYTES, MUSTER_UINT8, ROOT, world));
    RANK_CHECK(world, is_large(in + 1, LARGE_BYTES, ROOT));
    free(in);
    free(out);
    return 0;
}

START_TEST(test_large_results)
{
    run_ranks(3, RANKS_AS_THREADS, large_results, NULL);
}
END_TEST

/* The sum of ranks' values from byte `at` on of what they put in. */
static bool is_large_sum(const unsigned char *sum, size_t at, int ranks)
{
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        unsigned char wanted = 0;

        for (int rank = 0; rank < ranks; rank++)
            wanted = (unsigned char)(wanted + large_value(rank, at + i));
        if (sum[i] != wanted)
            return false;
    }
    return true;
}

static int large_sums(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    size_t all = (size_t)size * LARGE_BYTES;
    unsigned char *in = malloc(all + 1), *out = malloc(LARGE_BYTES + 1);
    void *shared_in, *shared_out;

    (void)arg;
    RANK_CHECK(world, in && out);
    RANK_OK(world, muster_alloc(world, LARGE_BYTES, &shared_in));
    RANK_OK(world, muster_alloc(world, LARGE_BYTES, &shared_out));
    fill_large(in + 1, all, rank);
    memcpy(shared_in, in + 1, LARGE_BYTES);
    RANK_OK(world, muster_all_sum(in + 1, out + 1, LARGE_BYTES, MUSTER_UINT8, world));
    RANK_CHECK(world, is_large_sum(out + 1, 0, size));
    RANK_OK(world, muster_sum_scatter(in + 1, out + 1, LARGE_BYTES, MUSTER_UINT8, world));
    RANK_CHECK(world, is_large_sum(out + 1, (size_t)rank * LARGE_BYTES, size));
    RANK_OK(world, muster_all_sum(shared_in, shared_out, LARGE_BYTES, MUSTER_UINT8, world));
    RANK_CHECK(world, is_large_sum(shared_out, 0, size));
    RANK_OK(world, muster_all_sum(in + 1, in + 1, LARGE_BYTES, MUSTER_UINT8, world));
    RANK_CHECK(world, is_large_sum(in + 1, 0, size));
    RANK_OK(world, muster_free(world, shared_in));
    RANK_OK(world, muster_free(world, shared_out));
    free(in);
    free(out);
    return 0;
}

START_TEST(test_large_sums)
{
    run_ranks(2, RANKS_AS_THREADS, large_sums, NULL);
    run_ranks(3, RANKS_AS_THREADS, large_sums, NULL);
}
END_TEST

/* ---- the edges of arguments ---- */

static int nothing_to_move(muster_group *world, void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        RANK_OK(world, muster_all_sum(NULL, NULL, 0, MUSTER_FLOAT32, world));
        RANK_OK(world, muster_all_gather(NULL, NULL, 0, MUSTER_FLOAT32, world));
        RANK_OK(world, muster_sum_scatter(NULL, NULL, 0, MUSTER_BOOL, world));
        RANK_OK(world, muster_broadcast(NULL, NULL, 0, MUSTER_INT8, 0, world));
        RANK_OK(world, muster_scatter(NULL, NULL, 0, MUSTER_INT8, 0, world));
        RANK_OK(world, muster_all_to_all(NULL, NULL, 0, MUSTER_INT8, world));
    }
    return 0;
}

START_TEST(test_counts_of_zero)
{
    run_all_sizes(nothing_to_move, NULL);
}
END_TEST

/* Whether the sentence begins with the name of the call: "all_sum: " of "muster_all_sum(x, ...". */
static bool names_call(const char *call)
{
    const char *name = call + strlen("muster_");
    size_t bytes = strcspn(name, "(");

    return strncmp(muster_error_detail(), name, bytes) == 0 && muster_error_detail()[bytes] == ':';
}

#define REFUSED(call) RANK_CHECK(world, (call) == MUSTER_ERR_INVALID && muster_error_detail()[0])
#define REFUSED_BY_NAME(call) RANK_CHECK(world, (call) == MUSTER_ERR_INVALID && names_call(#call))

static int bad_arguments(muster_group *world, void *arg)
{
    int n = muster_group_size(world);
    float x[64] = { 0 }, y[64];
    muster_group *child;
    void *buffer;

    (void)arg;
    REFUSED(muster_all_sum(x, y, 4, MUSTER_FLOAT32, NULL));
    /* The latest valid call is remembered; each of these differs from it in one argument. */
    RANK_OK(world, muster_all_sum(x, y, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_sum(NULL, y, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_sum(x, NULL, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_sum(x, y, 4, (muster_dtype)21, world));
    REFUSED_BY_NAME(muster_all_sum(x, y, 4, (muster_dtype)-1, world));
    REFUSED_BY_NAME(muster_all_reduce(x, y, 4, MUSTER_FLOAT32, (muster_op)10, world));
    REFUSED_BY_NAME(muster_all_sum(x, x + 1, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_max(x, x + 1, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_min(NULL, y, 4, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_sum(x, y, SIZE_MAX / 2, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_sum(x, y, PTRDIFF_MAX / sizeof *x / (size_t)n + 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, strstr(muster_error_detail(), "are more bytes than memory can have"));
    REFUSED_BY_NAME(muster_sum_scatter(NULL, y, 1, MUSTER_FLOAT32, world));
    RANK_OK(world, muster_all_sum(x, x, 1, MUSTER_FLOAT32, world));
    REFUSED_BY_NAME(muster_all_to_all(x, x, 1, MUSTER_FLOAT32, world));
    RANK_OK(world, muster_broadcast(x, y, 4, MUSTER_FLOAT32, 0, world));
    REFUSED_BY_NAME(muster_broadcast(x, y, 4, MUSTER_FLOAT32, n, world));
    REFUSED_BY_NAME(muster_broadcast(x, y, 4, MUSTER_FLOAT32, -1, world));
    REFUSED(muster_group_split(world, -2, 0, &child));
    REFUSED(muster_group_split(world, 0, 0, NULL));
    REFUSED(muster_send(x, 1, MUSTER_FLOAT32, n, 0, world));
    REFUSED(muster_recv(x, 1, MUSTER_FLOAT32, -3, 0, world, NULL));
    REFUSED(muster_alloc(world, 8, NULL));
    REFUSED(muster_free(world, x));
    if (n > 1) { /* the rank's own part, and nowhere else */
        int other = (muster_group_rank(world) + 1) % n;
        REFUSED(muster_all_gather(x + other, x, 1, MUSTER_FLOAT32, world));
    }
    /* None of it has harmed the group. */
    RANK_OK(world, muster_alloc(world, 0, &buffer));
    RANK_CHECK(world, buffer == NULL);
    RANK_OK(world, muster_free(world, NULL));
    RANK_OK(world, muster_group_status(world));
    x[0] = 1;
    RANK_OK(world, muster_all_sum(x, x, 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, x[0] == (float)n);
    return 0;
}

START_TEST(test_bad_arguments_are_refused_in_words)
{
    run_all_sizes(bad_arguments, NULL);
}
END_TEST

START_TEST(test_questions_about_nothing)
{
    ck_assert_int_eq(muster_group_rank(NULL), -1);
    ck_assert_int_eq(muster_group_size(NULL), 0);
    ck_assert_int_eq(muster_group_free(NULL), MUSTER_OK);
    ck_assert_int_eq(muster_group_status(NULL), MUSTER_ERR_INVALID);
    ck_assert_uint_eq(muster_dtype_size((muster_dtype)99), 0);
    ck_assert_ptr_null(muster_dtype_name((muster_dtype)-1));
    ck_assert_str_eq(muster_dtype_name(MUSTER_BFLOAT16), "bfloat16");
    ck_assert_str_eq(muster_status_string(MUSTER_ERR_PEER_DIED), "peer died");
    ck_assert_str_eq(muster_status_string((muster_status)1234), "unknown status");
    ck_assert_str_eq(muster_version(), "0.1.0");
    for (int dtype = 0; dtype < MUSTER_DTYPE_COUNT; dtype++)
        ck_assert(muster_dtype_size((muster_dtype)dtype) > 0 && muster_dtype_name((muster_dtype)dtype));
}
END_TEST

/* ---- the same bits, whatever the path ---- */

static int same_bits_of(muster_group *world, int count)
{
    size_t bytes = (size_t)count * sizeof(float);
    float *private_in = malloc(bytes), *whole = malloc(bytes), *other = malloc(bytes), *arena_in, *arena_out;
    int rank = muster_group_rank(world);

    RANK_CHECK(world, private_in && whole && other);
    RANK_OK(world, muster_alloc(world, bytes, (void **)&arena_in));
    RANK_OK(world, muster_alloc(world, bytes, (void **)&arena_out));
    for (int i = 0; i < count; i++)
        private_in[i] = arena_in[i] = sinf((float)(i + 1) * (float)(rank + 3)) * expf((float)(i % 40));
    RANK_OK(world, muster_all_sum(private_in, whole, (size_t)count, MUSTER_FLOAT32, world));
    for (int i = 0; i < count; i += 501) {
        int some = count - i < 501 ? count - i : 501;
        RANK_OK(world, muster_all_sum(private_in + i, other + i, (size_t)some, MUSTER_FLOAT32, world));
    }
    RANK_CHECK(world, memcmp(whole, other, bytes) == 0);
    memset(other, 0, bytes); /* some inputs in the arena, and some outputs */
    RANK_OK(world, muster_all_sum(rank % 2 ? private_in : arena_in, rank % 3 ? other : arena_out,
                                  (size_t)count, MUSTER_FLOAT32, world));
    RANK_CHECK(world, memcmp(whole, rank % 3 ? other : arena_out, bytes) == 0);
    RANK_OK(world, muster_all_sum(arena_in, arena_out, (size_t)count, MUSTER_FLOAT32, world));
    RANK_CHECK(world, memcmp(whole, arena_out, bytes) == 0);
    RANK_OK(world, muster_all_sum(arena_in, arena_in, (size_t)count, MUSTER_FLOAT32, world));
    RANK_CHECK(world, memcmp(whole, arena_in, bytes) == 0);
    /* and the same on every rank */
    RANK_OK(world, muster_broadcast(whole, other, (size_t)count, MUSTER_FLOAT32, 0, world));
    RANK_CHECK(world, memcmp(whole, other, bytes) == 0);
    RANK_OK(world, muster_free(world, arena_in));
    RANK_OK(world, muster_free(world, arena_out));
    free(private_in);
    free(whole);
    free(other);
    return 0;
}

static int same_bits(muster_group *world, void *arg)
{
    static const int counts[] = { 3000, 20000, 70000 };

    int failed = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && !failed; i++)
        failed = same_bits_of(world, counts[i]);
    return failed;
}

START_TEST(test_same_bits_on_every_path_and_rank)
{
    run_all_sizes(same_bits, NULL);
}
END_TEST

/* ---- a buffer may be overwritten as soon as the call returns ---- */

static int overwrite_at_once(muster_group *world, void *arg)
{
    enum { COUNT = 30000, ROUNDS = 40 };
    int n = muster_group_size(world);
    int32_t *buffers[2];

    (void)arg;
    buffers[0] = malloc(COUNT * sizeof(int32_t));
    RANK_CHECK(world, buffers[0]);
    RANK_OK(world, muster_alloc(world, COUNT * sizeof(int32_t), (void **)&buffers[1]));
    for (int round = 0; round < ROUNDS; round++) {
        int32_t *x = buffers[round % 2];

        for (int i = 0; i < COUNT; i++)
            x[i] = round + i;
        RANK_OK(world, muster_all_sum(x, x, COUNT, MUSTER_INT32, world));
        for (int i = 0; i < COUNT; i++) {
            RANK_CHECK(world, x[i] == n * (round + i));
            x[i] = -1; /* while others may still be busy with the same operation */
        }
        RANK_OK(world, muster_broadcast(x, x, COUNT, MUSTER_INT32, round % n, world));
        memset(x, 0x55, COUNT * sizeof(int32_t));
    }
    free(buffers[0]);
    return 0;
}

START_TEST(test_buffers_are_free_on_return)
{
    run_all_sizes(overwrite_at_once, NULL);
}
END_TEST

/* ---- more than 2^31 elements ---- */

/* Reads come from the kernel's zero page and the interesting part is at the end; the output is one
 * byte per element, and freed as it goes. */
static int two_to_the_31(muster_group *world, void *arg)
{
    const size_t count = (1ULL << 31) + 12345;
    int rank = muster_group_rank(world);
    uint8_t *in =
        mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *out = in;

    (void)arg;
    RANK_CHECK(world, in != MAP_FAILED);
    in[count - 1] = (uint8_t)(rank + 1);
    in[count / 2] = 100;
    /* out == in: one mapping per rank, and the whole length is reduced */
    RANK_OK(world, muster_all_sum(in, out, count, MUSTER_UINT8, world));
    RANK_CHECK(world, out[count - 1] == 3 && out[count / 2] == 200 && out[count - 2] == 0);
    munmap(in, count);
    return 0;
}

START_TEST(test_more_than_2_to_the_31_elements)
{
    if (under_thread_sanitizer())
        return; /* its shadow of 8 GiB of data does not fit a small machine */
    run_ranks(2, RANKS_AS_PROCESSES, two_to_the_31, NULL);
}
END_TEST

/* ---- many ranks ---- */

static int many_ranks(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t x[3] = { rank, 1, -rank }, all[64];

    (void)arg;
    for (int i = 0; i < 20; i++) {
        int32_t y[3];

        RANK_OK(world, muster_all_sum(x, y, 3, MUSTER_INT32, world));
        RANK_CHECK(world, y[0] == n * (n - 1) / 2 && y[1] == n && y[2] == -y[0]);
        RANK_OK(world, muster_all_gather(&rank, all, 1, MUSTER_INT32, world));
        for (int r = 0; r < n; r++)
            RANK_CHECK(world, all[r] == r);
    }
    return 0;
}

START_TEST(test_64_ranks)
{
    run_ranks(64, RANKS_AS_PROCESSES, many_ranks, NULL);
    run_ranks(64, RANKS_AS_THREADS, many_ranks, NULL);
    run_ranks(64, RANKS_AS_PROCESSES, nothing_to_move, NULL);
}
END_TEST

/* A line of every rank does not fit the slot. */
static int many_ranks_in_little_staging(muster_group *world, void *arg)
{
    enum { COUNT = 3001 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y);

    (void)arg;
    RANK_CHECK(world, x && y);
    for (int i = 0; i < COUNT; i++)
        x[i] = rank + i;
    for (int count = 29; count <= COUNT; count += 1486) {
        memset(y, 0, COUNT * sizeof *y);
        RANK_OK(world, muster_all_sum(x, y, (size_t)count, MUSTER_INT32, world));
        for (int i = 0; i < count; i++)
            RANK_CHECK(world, y[i] == n * (n - 1) / 2 + n * i);
    }
    free(x);
    free(y);
    return 0;
}

START_TEST(test_64_ranks_in_little_staging)
{
    run_ranks_with((rank_options){ .size = 64, .staging_bytes = 8192 }, many_ranks_in_little_staging, NULL);
}
END_TEST

/* The idiom that the header shows: the count first, then as much memory as it says. */
static int broadcast_unknown(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), root = muster_group_size(world) - 1;

    (void)arg;
    for (uint64_t known = 0; known < 5000; known = 3 * known + 1) {
        uint64_t count = rank == root ? known : 0;
        int32_t *list = malloc((size_t)known * sizeof *list + 1);

        for (uint64_t i = 0; i < known; i++)
            list[i] = rank == root ? (int32_t)(7 * i) : -1;
        RANK_OK(world, muster_broadcast(&count, &count, 1, MUSTER_UINT64, root, world));
        RANK_CHECK(world, count == known);
        int32_t *got = malloc((size_t)count * sizeof *got + 1);
        RANK_OK(world, muster_broadcast(list, got, (size_t)count, MUSTER_INT32, root, world));
        for (uint64_t i = 0; i < count; i++)
            RANK_CHECK(world, got[i] == (int32_t)(7 * i));
        free(list);
        free(got);
    }
    return 0;
}

START_TEST(test_broadcast_of_what_only_the_root_knows)
{
    run_all_sizes(broadcast_unknown, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collectives");
    TCase *tests = tcase_create("known answers");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_collective);
    tcase_add_test(tests, test_large_results);
    tcase_add_test(tests, test_large_sums);
    tcase_add_test(tests, test_counts_of_zero);
    tcase_add_test(tests, test_bad_arguments_are_refused_in_words);
    tcase_add_test(tests, test_questions_about_nothing);
    tcase_add_test(tests, test_same_bits_on_every_path_and_rank);
    tcase_add_test(tests, test_buffers_are_free_on_return);
    tcase_add_test(tests, test_64_ranks);
    tcase_add_test(tests, test_broadcast_of_what_only_the_root_knows);
    if (on_one_host()) { /* 4 GiB that are not copied, and staging */
        tcase_add_test(tests, test_more_than_2_to_the_31_elements);
        tcase_add_test(tests, test_64_ranks_in_little_staging);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
