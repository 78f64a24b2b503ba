/* Large reductions over several hosts, which are pretended: their bits, for any layout, and how many bytes go
 * between hosts, which is counted. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/chain.h"
#include "src/hosts/pretended.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

/* ---- what it would cost ---- */

static mst_chain_costs weigh(const char *hosts, int size, size_t bytes)
{
    mst_chain_costs costs;
    mst_places places;
    int machine[64];

    for (int rank = 0; rank < size; rank++)
        ck_assert(mst_pretended_host(hosts, rank, size, &machine[rank]));
    ck_assert(mst_places_make(&places, machine, size, 0));
    mst_chain_weigh(&places, bytes, &costs);
    mst_places_free(&places);
    return costs;
}

/* In vectors, of what the busiest host sends or receives. */
START_TEST(test_costs)
{
    mst_chain_costs costs = weigh("2", 16, 64 << 20);

    ck_assert_int_eq(costs.runs, 2);
    ck_assert_int_eq(costs.rails, 8);
    ck_assert_uint_eq(costs.chain, 1 * 16);
    ck_assert_uint_eq(costs.slices, 72); /* 4.5 */
    ck_assert_uint_eq(costs.chunks, (64 << 20) / costs.chunk_bytes);
    costs = weigh("8", 64, 64 << 20);
    ck_assert_uint_eq(costs.chain, 2 * 64);
    ck_assert_uint_eq(costs.slices, 504); /* 7.9 */
    costs = weigh("0,1", 16, 64 << 20);
    ck_assert_int_eq(costs.runs, 16);
    ck_assert_int_eq(costs.rails, 1);
    ck_assert_uint_eq(costs.chain, 8 * 16);
    ck_assert_uint_eq(costs.slices, 72);
    costs = weigh("4", 4, 64 << 20); /* one rank on each */
    ck_assert_uint_eq(costs.chain, 2 * 4);
    ck_assert_uint_eq(costs.slices, 6); /* 1.5 */
    costs = weigh("0,0,0,1,1", 5, 1);
    ck_assert_int_eq(costs.rails, 2);
    ck_assert_uint_eq(costs.chunks, 1);
}
END_TEST

/* ---- jobs ---- */

typedef struct job {
    size_t count;
    bool averages;
    _Atomic uint64_t sent[64]; /* by host */
} job;

/* Sums of these are rounded, and depend on their order. */
static float value_of(int rank, size_t i)
{
    uint32_t bits = (uint32_t)(rank + 1) * 2654435761U ^ (uint32_t)i * 40503U;

    return (float)(bits >> 8) * (bits & 1 ? 1e-3f : -7e2f);
}

static bool is_right(const job *job, const float *x, int size)
{
    for (size_t i = 0; i < job->count; i++) {
        float sum = value_of(0, i);

        for (int rank = 1; rank < size; rank++)
            sum += value_of(rank, i);
        if (job->averages)
            sum /= (float)size;
        if (memcmp(&sum, &x[i], sizeof sum) != 0)
            return false;
    }
    return true;
}

static int reduce_and_count(muster_group *world, void *arg)
{
    job *job = arg;
    int size = muster_group_size(world), rank = muster_group_rank(world);
    mst_hosts_group *group = mst_hosts_of(world);
    muster_op op = job->averages ? MUSTER_AVG : MUSTER_SUM;
    float *x = malloc(job->count * sizeof *x), *y = malloc(job->count * sizeof *y);

    RANK_CHECK(world, x && y && group->link);
    for (size_t i = 0; i < job->count; i++)
        x[i] = value_of(rank, i);
    uint64_t before = group->link->bytes_sent;
    RANK_OK(world, muster_all_reduce(x, y, job->count, MUSTER_FLOAT32, op, world));
    job->sent[group->places.own_host] += group->link->bytes_sent - before;
    RANK_CHECK(world, is_right(job, y, size));
    RANK_OK(world, muster_all_reduce(x, x, job->count, MUSTER_FLOAT32, op, world)); /* in place */
    RANK_CHECK(world, memcmp(x, y, job->count * sizeof *x) == 0);
    RANK_OK(world, muster_barrier(world));
    free(x);
    free(y);
    return 0;
}

static void with_hosts(const char *hosts, int size, muster_rank_fn body, job *job)
{
    setenv("MUSTER_FAKE_HOSTS", hosts, 1);
    for (int host = 0; host < 64; host++)
        job->sent[host] = 0;
    run_ranks(size, RANKS_AS_THREADS, body, job);
    unsetenv("MUSTER_FAKE_HOSTS");
}

/* Beside the vector: records, with which ranks agree. */
static void expect_sent(const job *job, int host, double vectors)
{
    double sent = (double)job->sent[host] / ((double)job->count * sizeof(float));

    ck_assert_msg(sent >= vectors - 1e-9 && sent < vectors + 0.02, "host %d sent %.3f vectors, not %.3f",
                  host, sent, vectors);
}

/* Each host sends the vector once to each of its neighbours; of one rank each, two vectors in all but a part.
 */
START_TEST(test_bytes_between_hosts)
{
    job job = { .count = (1 << 20) + 3 };

    for (int hosts = 2; hosts <= 4; hosts++)
        for (int each = 1; each <= 4; each++) {
            char text[16];

            snprintf(text, sizeof text, "%d", hosts);
            with_hosts(text, hosts * each, reduce_and_count, &job);
            for (int host = 0; host < hosts; host++) {
                bool at_end = host == 0 || host == hosts - 1;
                double slices = (each + 1.0) * (hosts - 1) / hosts, chain = at_end ? 1 : 2;

                expect_sent(&job, host, each == 1 || (each == 2 && hosts > 2) ? slices : chain);
            }
        }
}
END_TEST

static const char *const layouts[] = { "0,0,0,0,1,1,1,1,0,0,0,0", "0,0,0,1,1,2,2,2,2", "0,0,1,1,1,1,1",
                                       "0,0,0,0,1,1,1,1,2,2,2,2,1,1,1" };

static int size_of(const char *layout)
{
    return (int)(strlen(layout) + 1) / 2;
}

/* Hosts of several runs, and of unlike numbers of ranks; chunks and slices that are empty or short. */
START_TEST(test_layouts)
{
    static const size_t counts[] = { 100000, (1 << 20) + 1, 262144 * 3, 65536 * 3 + 1 };

    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            job job = { .count = counts[c] };
            mst_chain_costs costs = weigh(layouts[i], size_of(layouts[i]), job.count * sizeof(float));

            ck_assert(costs.chain < costs.slices);
            with_hosts(layouts[i], size_of(layouts[i]), reduce_and_count, &job);
        }
}
END_TEST

/* As sums, divided once. */
START_TEST(test_averages)
{
    job job = { .count = (1 << 20) + 3, .averages = true };

    with_hosts("3", 12, reduce_and_count, &job);
    for (int host = 0; host < 3; host++)
        expect_sent(&job, host, host == 1 ? 2 : 1);
    with_hosts(layouts[0], size_of(layouts[0]), reduce_and_count, &job);
}
END_TEST

/* ---- every type and operation, as the kernels of one host have it ---- */

#define SOME 160000
#define RANKS 8

/* Ranks are threads, and each fills what all have. */
static void fill_inputs(void *inputs[RANKS], muster_dtype dtype)
{
    for (int rank = 0; rank < RANKS; rank++)
        fill_elements(inputs[rank], SOME, dtype, (uint64_t)rank * 31 + dtype);
}

/* acc x 3 + next: the order matters, and where it is cut does not. */
static void triple(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++)
        ((uint32_t *)acc)[i] = ((uint32_t *)acc)[i] * 3 + ((const uint32_t *)next)[i];
}

static int check_program_op(muster_group *world, void *inputs[RANKS], void *expected, void *got)
{
    int rank = muster_group_rank(world);
    muster_op op;

    memcpy(expected, inputs[0], SOME * sizeof(uint32_t));
    for (int other = 1; other < RANKS; other++)
        triple(expected, inputs[other], SOME, MUSTER_UINT32, NULL);
    RANK_OK(world, muster_op_create("triple", triple, NULL, false, &op));
    RANK_OK(world, muster_all_reduce(inputs[rank], got, SOME, MUSTER_UINT32, op, world));
    RANK_CHECK(world, memcmp(got, expected, SOME * sizeof(uint32_t)) == 0);
    RANK_OK(world, muster_op_free(op));
    return 0;
}

static int check_op(muster_group *world, void *inputs[RANKS], void *expected, void *got, muster_dtype dtype,
                    muster_op op)
{
    size_t bytes = SOME * muster_dtype_size(dtype);
    muster_request twice[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    char *second = (char *)got + bytes;
    int rank = muster_group_rank(world);

    mst_kernels_find(NULL)->reduce[dtype][op](expected, (const void *const *)inputs, RANKS, SOME);
    RANK_OK(world, muster_all_reduce_start(inputs[rank], got, SOME, dtype, op, world, &twice[0]));
    RANK_OK(world, muster_all_reduce_start(inputs[rank], second, SOME, dtype, op, world, &twice[1]));
    RANK_OK(world, muster_wait_all(twice, 2, 0));
    if (memcmp(got, expected, bytes) == 0 && memcmp(second, expected, bytes) == 0)
        return 0;
    fprintf(stderr, "rank %d: dtype %d, op %d: other bits\n", rank, (int)dtype, (int)op);
    return 1;
}

static int check_all_ops(muster_group *world, void *arg)
{
    enum { BYTES = SOME * 16 };
    char *memory = malloc((RANKS + 3) * BYTES), *expected = memory + RANKS * BYTES, *got = expected + BYTES;
    void *inputs[RANKS];
    int step = under_thread_sanitizer() ? 4 : 1; /* races do not depend on the type, and it takes long */
    int failed = memory == NULL;

    (void)arg;
    for (int rank = 0; rank < RANKS; rank++)
        inputs[rank] = memory + rank * BYTES;
    for (int dtype = 0; dtype < MUSTER_DTYPE_COUNT && !failed; dtype += step) {
        fill_inputs(inputs, (muster_dtype)dtype);
        for (int op = 0; op < MUSTER_OP_COUNT && !failed; op++)
            failed = oracle_reduces((muster_dtype)dtype, (muster_op)op) &&
                     check_op(world, inputs, expected, got, (muster_dtype)dtype, (muster_op)op);
    }
    fill_inputs(inputs, MUSTER_UINT32);
    failed = failed || check_program_op(world, inputs, expected, got);
    free(memory);
    return failed;
}

START_TEST(test_all_ops)
{
    job job = { .count = SOME };

    with_hosts("2", RANKS, check_all_ops, &job);
    with_hosts("0,0,0,0,0,1,1,2", RANKS, check_all_ops, &job);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_chain");
    TCase *tests = tcase_create("hosts_chain");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_costs);
    tcase_add_test(tests, test_bytes_between_hosts);
    tcase_add_test(tests, test_layouts);
    tcase_add_test(tests, test_averages);
    tcase_add_test(tests, test_all_ops);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
