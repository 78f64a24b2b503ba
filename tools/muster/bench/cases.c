/* The operations of cases.h, and their expected results, from small integers that every dtype has. */
#include "tools/muster/bench/cases.h"

#include <stdint.h>
#include <string.h>

#include "tools/muster/bench/memory.h"
#include "tools/muster/bench/messages.h"

/* ---- how each is called ---- */

static muster_status run_all_reduce(const bench_call *c)
{
    return muster_all_reduce(c->in, c->out, c->count, c->dtype, c->op, c->group);
}

static muster_status run_all_gather(const bench_call *c)
{
    return muster_all_gather(c->in, c->out, c->count, c->dtype, c->group);
}

static muster_status run_reduce_scatter(const bench_call *c)
{
    return muster_reduce_scatter(c->in, c->out, c->count, c->dtype, c->op, c->group);
}

static muster_status run_broadcast(const bench_call *c)
{
    return muster_broadcast(c->in, c->out, c->count, c->dtype, 0, c->group);
}

static muster_status run_reduce(const bench_call *c)
{
    return muster_reduce(c->in, c->out, c->count, c->dtype, c->op, 0, c->group);
}

static muster_status run_gather(const bench_call *c)
{
    return muster_gather(c->in, c->out, c->count, c->dtype, 0, c->group);
}

static muster_status run_scatter(const bench_call *c)
{
    return muster_scatter(c->in, c->out, c->count, c->dtype, 0, c->group);
}

static muster_status run_all_to_all(const bench_call *c)
{
    return muster_all_to_all(c->in, c->out, c->count, c->dtype, c->group);
}

#define RANKS_MAX 1024

const size_t *bench_counts(const bench_call *c)
{
    static size_t counts[RANKS_MAX]; /* each rank is a process */

    for (int rank = 0; rank < muster_group_size(c->group) && counts[rank] != c->count; rank++)
        counts[rank] = c->count;
    return counts;
}

static muster_status run_all_gatherv(const bench_call *c)
{
    return muster_all_gatherv(c->in, c->count, c->out, bench_counts(c), NULL, c->dtype, c->group);
}

static muster_status run_reduce_scatterv(const bench_call *c)
{
    return muster_reduce_scatterv(c->in, bench_counts(c), c->out, c->dtype, c->op, c->group);
}

static muster_status run_gatherv(const bench_call *c)
{
    return muster_gatherv(c->in, c->count, c->out, bench_counts(c), NULL, c->dtype, 0, c->group);
}

static muster_status run_scatterv(const bench_call *c)
{
    return muster_scatterv(c->in, bench_counts(c), NULL, c->out, c->count, c->dtype, 0, c->group);
}

static muster_status run_all_to_allv(const bench_call *c)
{
    return muster_all_to_allv(c->in, bench_counts(c), NULL, c->out, bench_counts(c), NULL, c->dtype,
                              c->group);
}

static muster_status run_scan(const bench_call *c)
{
    return muster_scan(c->in, c->out, c->count, c->dtype, c->op, c->group);
}

static muster_status run_exscan(const bench_call *c)
{
    return muster_exscan(c->in, c->out, c->count, c->dtype, c->op, c->group);
}

static muster_status run_barrier(const bench_call *c)
{
    return muster_barrier(c->group);
}

/* ---- what each should give, and how bytes are counted ---- */

static double once(int ranks)
{
    return ranks > 1 ? 1 : 0;
}

static double all_but_own(int ranks)
{
    return (double)(ranks - 1) / ranks;
}

static double twice_all_but_own(int ranks)
{
    return 2 * all_but_own(ranks);
}

static double there_and_back(int ranks)
{
    (void)ranks;
    return 2;
}

static double to_neighbours(int ranks)
{
    return ranks > 1 ? BENCH_HALO : 0;
}

static double to_all_and_back(int ranks)
{
    return 2 * (ranks - 1);
}

static int from_block(int rank, int ranks, size_t block)
{
    (void)rank, (void)ranks;
    return (int)block;
}

static int from_root(int rank, int ranks, size_t block)
{
    (void)rank, (void)ranks, (void)block;
    return 0;
}

static int from_previous(int rank, int ranks, size_t block)
{
    (void)block;
    return (rank + ranks - 1) % ranks;
}

static int from_neighbour(int rank, int ranks, size_t block)
{
    return (rank + ranks - bench_halo_distance((int)block, ranks)) % ranks;
}

static int from_partner(int rank, int ranks, size_t block)
{
    (void)ranks, (void)block;
    return rank == 0 ? 1 : 0;
}

/* clang-format off */
static const bench_case cases[] = {
    /* name              run                 in all out         reduces rooted bus factor         source */
    { "all_reduce",      run_all_reduce,     false, 1,          true,  false, twice_all_but_own, NULL },
    { "all_gather",      run_all_gather,     false, BENCH_EACH, false, false, all_but_own,       from_block },
    { "reduce_scatter",  run_reduce_scatter, true,  1,          true,  false, all_but_own,       NULL },
    { "broadcast",       run_broadcast,      false, 1,          false, false, once,              from_root },
    { "reduce",          run_reduce,         false, 1,          true,  true,  once,              NULL },
    { "gather",          run_gather,         false, BENCH_EACH, false, true,  all_but_own,       from_block },
    { "scatter",         run_scatter,        true,  1,          false, false, all_but_own,       from_root },
    { "all_to_all",      run_all_to_all,     true,  BENCH_EACH, false, false, all_but_own,       from_block },
    { "all_gatherv",     run_all_gatherv,    false, BENCH_EACH, false, false, all_but_own,       from_block },
    { "reduce_scatterv", run_reduce_scatterv, true, 1,          true,  false, all_but_own,       NULL },
    { "gatherv",         run_gatherv,        false, BENCH_EACH, false, true,  all_but_own,       from_block },
    { "scatterv",        run_scatterv,       true,  1,          false, false, all_but_own,       from_root },
    { "all_to_allv",     run_all_to_allv,    true,  BENCH_EACH, false, false, all_but_own,       from_block },
    { "scan",            run_scan,           false, 1,          true,  false, once,              NULL },
    { "exscan",          run_exscan,         false, 1,          true,  false, once,              NULL },
    { "sendrecv",        bench_sendrecv,     false, 1,          false, false, once,              from_previous },
    { "ping_pong",       bench_ping_pong,    false, 1,          false, false, there_and_back,    from_partner },
    { "tags",            bench_tags,         false, 1,          false, false, there_and_back,    from_partner },
    { "halo",      bench_halo,   false, BENCH_HALO, false, false, to_neighbours, from_neighbour },
    { "farm",            bench_farm,         false, 1,          false, false, to_all_and_back,   from_root },
    { "put_signal",      bench_put_signal,   false, 1,          false, false, there_and_back,    from_partner },
    { "queue",           bench_queue,        false, 1,          false, false, once,              from_root },
    { "barrier",         run_barrier,        false, 1,          false, false, NULL,              NULL },
};
/* clang-format on */

const bench_case *bench_case_at(int index)
{
    return index >= 0 && index < (int)(sizeof cases / sizeof cases[0]) ? &cases[index] : NULL;
}

const bench_case *bench_case_find(const char *name)
{
    if (strcmp(name, "all_sum") == 0)
        name = "all_reduce";
    if (strcmp(name, "sum_scatter") == 0)
        name = "reduce_scatter";
    for (int i = 0; bench_case_at(i); i++)
        if (strcmp(bench_case_at(i)->name, name) == 0)
            return bench_case_at(i);
    return NULL;
}

/* ---- values ---- */

#define ELEMENT_BYTES_MAX 16

/* Element `i` of rank `rank`: few enough ones that any dtype can hold what they add up to. */
static int value_at(const bench_call *call, int rank, size_t i)
{
    size_t place = i % 13;

    if (call->op == MUSTER_AVG && call->which->reduces)
        return (int)(place % 5);
    if (call->op == MUSTER_PROD && call->which->reduces)
        return 1 + (place == (size_t)rank);
    return call->which->reduces ? place == (size_t)rank % 13 : (int)((place + (size_t)rank) % 5);
}

static int combine(muster_op op, int a, int b)
{
    switch (op) {
    case MUSTER_SUM:
        return a + b;
    case MUSTER_PROD:
        return a * b;
    case MUSTER_BAND:
        return a & b;
    case MUSTER_BOR:
        return a | b;
    case MUSTER_BXOR:
        return a ^ b;
    case MUSTER_MIN:
    case MUSTER_MINLOC:
        return a < b ? a : b;
    default: /* the average is of equal values */
        return a > b ? a : b;
    }
}

/* The bits of a float of fewer bits: exact for integers of few enough digits. */
static uint32_t narrow(int value, int fraction_bits, uint32_t bias)
{
    float as_float = (float)value;
    uint32_t bits;

    memcpy(&bits, &as_float, sizeof bits);
    return value ? (bits >> (23 - fraction_bits)) - ((127 - bias) << fraction_bits) : 0;
}

/* The index of a pair is its value, so that equal values are equal pairs. */
static size_t encode(muster_dtype dtype, int value, unsigned char bytes[ELEMENT_BYTES_MAX])
{
    float as_float = (float)value;
    double as_double = value;
    uint64_t as_integer = (uint64_t)value;
    uint32_t bits;

    memset(bytes, 0, ELEMENT_BYTES_MAX);
    switch (dtype) {
    case MUSTER_BOOL:
        bytes[0] = value != 0;
        break;
    case MUSTER_FLOAT16:
        bits = narrow(value, 10, 15);
        memcpy(bytes, &bits, 2);
        break;
    case MUSTER_BFLOAT16:
        bits = narrow(value, 7, 127);
        memcpy(bytes, &bits, 2);
        break;
    case MUSTER_FLOAT8_E4M3:
        bytes[0] = (unsigned char)narrow(value, 3, 7);
        break;
    case MUSTER_FLOAT8_E5M2:
        bytes[0] = (unsigned char)narrow(value, 2, 15);
        break;
    case MUSTER_FLOAT32:
    case MUSTER_COMPLEX64:
        memcpy(bytes, &as_float, sizeof as_float);
        break;
    case MUSTER_FLOAT64:
    case MUSTER_COMPLEX128:
        memcpy(bytes, &as_double, sizeof as_double);
        break;
    case MUSTER_INT32_INT32:
        memcpy(bytes, &(muster_int32_int32){ value, value }, sizeof(muster_int32_int32));
        break;
    case MUSTER_INT64_INT64:
        memcpy(bytes, &(muster_int64_int64){ value, value }, sizeof(muster_int64_int64));
        break;
    case MUSTER_FLOAT32_INT32:
        memcpy(bytes, &(muster_float32_int32){ as_float, value }, sizeof(muster_float32_int32));
        break;
    case MUSTER_FLOAT64_INT64:
        memcpy(bytes, &(muster_float64_int64){ as_double, value }, sizeof(muster_float64_int64));
        break;
    default:
        memcpy(bytes, &as_integer, sizeof as_integer);
    }
    return muster_dtype_size(dtype);
}

void bench_fill(const bench_call *call)
{
    int rank = muster_group_rank(call->group);
    size_t count = call->count * (call->which->in_all ? (size_t)muster_group_size(call->group) : 1);
    unsigned char bytes[ELEMENT_BYTES_MAX];

    for (size_t i = 0; i < count; i++) {
        size_t size = encode(call->dtype, value_at(call, rank, i), bytes);
        memcpy((unsigned char *)call->in + i * size, bytes, size);
    }
}

/* The value that belongs at element `i` of block `block` of this rank's result. */
static int expected_at(const bench_call *call, size_t block, size_t i)
{
    int rank = muster_group_rank(call->group), ranks = muster_group_size(call->group);
    size_t at = call->which->in_all ? (size_t)rank * call->count + i : i;

    if (!call->which->reduces)
        return value_at(call, call->which->source(rank, ranks, block), at);
    int value = value_at(call, 0, at), last = ranks;
    if (call->which->run == run_scan || call->which->run == run_exscan)
        last = call->which->run == run_scan ? rank + 1 : rank;
    for (int r = 1; r < last; r++)
        value = combine(call->op, value, value_at(call, r, at));
    return value;
}

/* Ranks 0 and 1 do it alone; rank 0 gives and has no result. */
static bool is_of_two(const bench_case *which)
{
    return which->source == from_partner;
}

static bool is_served(const bench_case *which)
{
    return which->run == bench_queue || which->run == bench_farm || which->run == run_exscan;
}

size_t bench_count_wrong(const bench_call *call)
{
    int rank = muster_group_rank(call->group), ranks = muster_group_size(call->group);
    size_t blocks = bench_out_blocks(call->which, ranks), wrong = 0;
    const unsigned char *out = call->out;
    unsigned char bytes[ELEMENT_BYTES_MAX];

    if (!call->which->bus_factor || (call->which->rooted_out && rank != 0) ||
        (is_of_two(call->which) && rank > 1) || (is_served(call->which) && rank == 0))
        return 0;
    for (size_t block = 0; block < blocks; block++)
        for (size_t i = 0; i < call->count; i++) {
            size_t size = encode(call->dtype, expected_at(call, block, i), bytes);
            wrong += memcmp(out + (block * call->count + i) * size, bytes, size) != 0;
        }
    return wrong;
}
