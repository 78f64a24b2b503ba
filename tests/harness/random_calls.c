/* The calls of random_calls.h. */
#include "tests/harness/random_calls.h"

#include <string.h>

static size_t draw_count(uint64_t *state)
{
    static const size_t edges[] = { 0, 1, 2, 3, 7, 64, 255, 1000, 4095, 4097, 9001, 40000 };

    return random_next(state) % 3 ? edges[random_next(state) % (sizeof edges / sizeof edges[0])]
                                  : random_next(state) % 3000;
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
        .seed = random_next(state),
    };

    while (!oracle_reduces(drawn.dtype, drawn.op))
        drawn.op = (muster_op)(random_next(state) % MUSTER_OP_COUNT);
    if (drawn.kind == ALL_TO_ALL || drawn.kind == ALL_TO_ALLV || drawn.kind == SENDRECV)
        drawn.in_place = false;
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

size_t place_of_block(const call *c, int rank)
{
    return in_has_all(c) ? given_before(c, rank, rank) : elements_out(c, rank, rank);
}

/* ---- the reference ---- */

void expect_element(const call *c, void *const *inputs, int size, int rank, size_t index, void *element)
{
    const void *const *all = (const void *const *)inputs;
    size_t bytes = muster_dtype_size(c->dtype);
    int from = c->root;

    if (c->kind == ALL_REDUCE || c->kind == REDUCE) {
        oracle_reduce(element, all, size, index, c->dtype, c->op);
    } else if (c->kind == SCAN || c->kind == EXSCAN) {
        oracle_reduce(element, all, c->kind == SCAN ? rank + 1 : rank, index, c->dtype, c->op);
    } else if (c->kind == REDUCE_SCATTER || c->kind == REDUCE_SCATTERV) {
        oracle_reduce(element, all, size, given_before(c, rank, rank) + index, c->dtype, c->op);
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
