/* The calls of random_calls.h. */
#include "tests/harness/random_calls.h"

#include <string.h>

static size_t draw_count(uint64_t *state)
{
    static const size_t edges[] = { 0, 1, 2, 3, 7, 64, 255, 1000, 4095, 4097, 9001, 40000 };

    return random_next(state) % 3 ? edges[random_next(state) % (sizeof edges / sizeof edges[0])]
                                  : random_next(state) % 3000;
}

static bool reduces(const call *c)
{
    return c->kind == ALL_REDUCE || c->kind == REDUCE || c->kind == REDUCE_SCATTER || c->kind == SCAN ||
           c->kind == EXSCAN || c->kind == REDUCE_SCATTERV;
}

/* A third of the calls have elements of another size, or an operation that the program makes. */
static void draw_unusual(call *drawn, uint64_t *state)
{
    static const muster_dtype scaled[] = { MUSTER_UINT8, MUSTER_INT32, MUSTER_FLOAT32, MUSTER_FLOAT64 };
    uint64_t which = random_next(state) % 6, bytes = random_next(state);

    if (which == 0 && reduces(drawn)) {
        drawn->made = MADE_FUNCTION;
        drawn->dtype = MUSTER_BYTES(2 + 2 * (bytes % (ELEMENT_BYTES_MAX / 2)));
    } else if (which == 1 && reduces(drawn)) {
        drawn->made = MADE_SCALED;
        drawn->dtype = scaled[bytes % 4];
    } else if (which < 2) {
        drawn->dtype = MUSTER_BYTES(1 + bytes % ELEMENT_BYTES_MAX);
    }
    if (which < 2) /* the reference is slow, and elements are large */
        drawn->count %= 3000;
}

call draw_call(uint64_t *state, int size)
{
    call drawn = {
        .kind = (kind)(random_next(state) % KINDS),
        .dtype = (muster_dtype)(random_next(state) % MUSTER_DTYPE_COUNT),
        .op = (muster_op)(random_next(state) % MUSTER_OP_COUNT),
        .count = draw_count(state),
        .root = (int)(random_next(state) % (uint64_t)size),
        .in_place = random_next(state) % 2,
        .is_started = random_next(state) % 3 == 0,
        .tag = (int)(random_next(state) % 3),
        .by_wildcards = random_next(state) % 2,
        .has_gaps = random_next(state) % 2,
        .seed = random_next(state),
    };

    while (!oracle_reduces(drawn.dtype, drawn.op))
        drawn.op = (muster_op)(random_next(state) % MUSTER_OP_COUNT);
    if (drawn.kind == ALL_TO_ALL || drawn.kind == ALL_TO_ALLV || drawn.kind == SENDRECV)
        drawn.in_place = false;
    if (drawn.kind < ALL_GATHERV || drawn.kind == REDUCE_SCATTERV)
        drawn.has_gaps = false;
    draw_unusual(&drawn, state);
    return drawn;
}

/* ---- blocks ---- */

bool in_has_all(const call *c)
{
    return c->kind == REDUCE_SCATTER || c->kind == SCATTER || c->kind == ALL_TO_ALL ||
           c->kind == REDUCE_SCATTERV || c->kind == SCATTERV || c->kind == ALL_TO_ALLV;
}

bool out_has_all(const call *c)
{
    return c->kind == ALL_GATHER || c->kind == GATHER || c->kind == ALL_TO_ALL || c->kind == ALL_GATHERV ||
           c->kind == GATHERV || c->kind == ALL_TO_ALLV;
}

bool receives(const call *c, int rank)
{
    if (c->kind == EXSCAN)
        return rank > 0;
    return (c->kind != REDUCE && c->kind != GATHER && c->kind != GATHERV) || rank == c->root;
}

/* A third of the blocks that vary are empty, and some are as large as there are any. */
size_t elements_between(const call *c, int from, int to)
{
    bool by_giver = c->kind == ALL_GATHERV || c->kind == GATHERV;
    bool by_taker = c->kind == SCATTERV || c->kind == REDUCE_SCATTERV;

    if (c->kind < ALL_GATHERV)
        return c->count;
    uint64_t state = c->seed + (by_taker ? 0 : (uint64_t)from * 16) + (by_giver ? 0 : (uint64_t)to);
    uint64_t drawn = random_next(&state);
    return drawn % 3 == 0 ? 0 : drawn % 7 == 0 ? c->count : (drawn >> 8) % (c->count + 1);
}

/* Elements from one rank to all before `end`. */
static size_t given_before(const call *c, int from, int end)
{
    size_t elements = 0;

    for (int to = 0; to < end; to++)
        elements += elements_between(c, from, to);
    return elements;
}

size_t elements_in(const call *c, int rank, int size)
{
    return in_has_all(c) ? given_before(c, rank, size) : elements_between(c, rank, 0);
}

size_t elements_out(const call *c, int rank, int size)
{
    size_t elements = 0;

    if (!out_has_all(c))
        return elements_between(c, 0, rank);
    for (int from = 0; from < size; from++)
        elements += elements_between(c, from, rank);
    return elements;
}

size_t place_blocks(const call *c, const size_t *counts, int size, size_t *at)
{
    size_t behind = c->has_gaps ? 2 : 0;

    for (int i = 0; i < size; i++) {
        int rank = c->has_gaps ? size - 1 - i : i;

        at[rank] = behind;
        behind += counts[rank] + (c->has_gaps ? (size_t)i % 3 : 0);
    }
    return behind;
}

/* ---- operations ---- */

/* Pairs of bytes are maps x -> a x + b, and are applied one after the other: which does not commute. */
static void compose(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    uint8_t *first = acc;
    const uint8_t *second = next;

    (void)arg;
    for (size_t i = 0; i < count * muster_dtype_size(dtype); i += 2) {
        first[i + 1] = (uint8_t)(first[i + 1] * second[i] + second[i + 1]);
        first[i] = (uint8_t)(first[i] * second[i]);
    }
}

/* A rank's factor, as an element. */
static void fill_factor(const call *c, int rank, void *factor)
{
    switch (c->dtype) {
    case MUSTER_UINT8:
        *(uint8_t *)factor = (uint8_t)(rank + 2);
        break;
    case MUSTER_INT32:
        *(int32_t *)factor = -rank - 2;
        break;
    case MUSTER_FLOAT32:
        *(float *)factor = 0.3F * (float)(rank + 1);
        break;
    default:
        *(double *)factor = 0.3 * (rank + 1);
    }
}

muster_status make_op(call *c, int rank)
{
    double factor;

    if (c->made == MADE_FUNCTION)
        return muster_op_create("compose", compose, NULL, c->seed % 2, &c->op);
    fill_factor(c, rank, &factor);
    return c->made ? muster_op_create_premul_sum(&factor, c->dtype, &c->op) : MUSTER_OK;
}

muster_status free_op(const call *c)
{
    return c->made ? muster_op_free(c->op) : MUSTER_OK;
}

void fill_input(const call *c, void *to, size_t count, int rank)
{
    bool are_bytes = c->dtype >= MUSTER_DTYPE_COUNT;

    fill_elements(to, are_bytes ? count * muster_dtype_size(c->dtype) : count,
                  are_bytes ? MUSTER_UINT8 : c->dtype, c->seed + (uint64_t)rank);
}

/* ---- the reference ---- */

/* Of the first `n` ranks. */
static void reduce(const call *c, const void *const *inputs, int n, size_t index, void *element)
{
    size_t bytes = muster_dtype_size(c->dtype);
    double products[8], factor;
    const void *summands[8];

    if (c->made == NOT_MADE) {
        oracle_reduce(element, inputs, n, index, c->dtype, c->op);
        return;
    }
    if (c->made == MADE_FUNCTION)
        memcpy(element, (const char *)inputs[0] + index * bytes, bytes);
    for (int r = 1; r < n && c->made == MADE_FUNCTION; r++)
        compose(element, (const char *)inputs[r] + index * bytes, 1, c->dtype, NULL);
    for (int r = 0; r < n && c->made == MADE_SCALED; r++) {
        const void *factors[] = { (const char *)inputs[r] + index * bytes, &factor };

        fill_factor(c, r, &factor);
        oracle_reduce(&products[r], factors, 2, 0, c->dtype, MUSTER_PROD);
        summands[r] = &products[r];
    }
    if (c->made == MADE_SCALED)
        oracle_reduce(element, summands, n, 0, c->dtype, MUSTER_SUM);
}

void expect_element(const call *c, void *const *inputs, int size, int rank, size_t index, void *element)
{
    const void *const *all = (const void *const *)inputs;
    size_t bytes = muster_dtype_size(c->dtype);
    int from = c->root;

    if (c->kind == ALL_REDUCE || c->kind == REDUCE) {
        reduce(c, all, size, index, element);
    } else if (c->kind == SCAN || c->kind == EXSCAN) {
        reduce(c, all, c->kind == SCAN ? rank + 1 : rank, index, element);
    } else if (c->kind == REDUCE_SCATTER || c->kind == REDUCE_SCATTERV) {
        reduce(c, all, size, given_before(c, rank, rank) + index, element);
    } else {
        if (c->kind == SENDRECV)
            from = (rank + size - 1) % size;
        for (from = out_has_all(c) ? 0 : from; out_has_all(c) && index >= elements_between(c, from, rank);
             from++)
            index -= elements_between(c, from, rank);
        if (in_has_all(c))
            index += given_before(c, from, rank);
        memcpy(element, (const char *)inputs[from] + index * bytes, bytes);
    }
}
