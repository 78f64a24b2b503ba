/* Inputs and paths, for inputs.h. */
#include "tests/harness/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

void fill_inputs(unsigned char *inputs[INPUTS_MAX], int n, size_t count, muster_dtype dtype, uint64_t seed)
{
    for (int rank = 0; rank < n; rank++) {
        inputs[rank] = malloc(count * muster_dtype_size(dtype));
        fill_elements(inputs[rank], count, dtype, seed * 1000 + (uint64_t)rank);
    }
}

void free_inputs(unsigned char *inputs[INPUTS_MAX], int n)
{
    for (int rank = 0; rank < n; rank++)
        free(inputs[rank]);
}

int reduce_on_every_path(muster_group *world, size_t count, muster_dtype dtype, muster_op op)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t element = muster_dtype_size(dtype), block = count / (size_t)n, bytes = count * element;
    unsigned char *inputs[INPUTS_MAX] = { 0 }, *whole = malloc(bytes), *other = malloc(bytes);
    void *arena_in, *arena_out;

    fill_inputs(inputs, n, count, dtype, count);
    RANK_OK(world, muster_alloc(world, bytes, &arena_in));
    RANK_OK(world, muster_alloc(world, bytes, &arena_out));
    memcpy(arena_in, inputs[rank], bytes);
    RANK_OK(world, muster_all_reduce(inputs[rank], whole, count, dtype, op, world));
    for (size_t i = 0; i < count; i += 501) {
        size_t some = count - i < 501 ? count - i : 501;
        RANK_OK(world,
                muster_all_reduce(inputs[rank] + i * element, other + i * element, some, dtype, op, world));
    }
    RANK_CHECK(world, memcmp(whole, other, bytes) == 0);
    RANK_OK(world, muster_reduce_scatter(inputs[rank], other, block, dtype, op, world));
    RANK_CHECK(world, memcmp(whole + (size_t)rank * block * element, other, block * element) == 0);
    RANK_OK(world, muster_reduce(rank % 2 ? inputs[rank] : arena_in, rank == n - 1 ? other : NULL, count,
                                 dtype, op, n - 1, world));
    RANK_CHECK(world, rank != n - 1 || memcmp(whole, other, bytes) == 0);
    RANK_OK(world, muster_all_reduce(arena_in, arena_out, count, dtype, op, world));
    RANK_CHECK(world, memcmp(whole, arena_out, bytes) == 0);
    RANK_OK(world, muster_reduce_scatter(arena_in, other, block, dtype, op, world));
    RANK_CHECK(world, memcmp(whole + (size_t)rank * block * element, other, block * element) == 0);
    if (muster_dtype_size(dtype) <= 16) { /* rank r gets an r-th more of the elements */
        size_t counts[INPUTS_MAX], at = 0, given = 0;
        for (int r = 0; r < n; given += counts[r++]) {
            counts[r] = r + 1 < n ? (count - given) * (size_t)(r + 1) / (size_t)(2 * n) : count - given;
            at += r < rank ? counts[r] : 0;
        }
        RANK_OK(world,
                muster_reduce_scatterv(rank % 2 ? inputs[rank] : arena_in, counts, other, dtype, op, world));
        RANK_CHECK(world, memcmp(whole + at * element, other, counts[rank] * element) == 0);
    }
    RANK_OK(world, muster_scan(arena_in, arena_out, count, dtype, op, world));
    RANK_CHECK(world, rank != n - 1 || memcmp(whole, arena_out, bytes) == 0);
    RANK_OK(world, muster_scan(inputs[rank], other, count, dtype, op, world));
    RANK_CHECK(world, memcmp(arena_out, other, bytes) == 0);
    RANK_OK(world, muster_all_reduce(arena_in, arena_in, count, dtype, op, world));
    RANK_CHECK(world, memcmp(whole, arena_in, bytes) == 0);
    RANK_OK(world, muster_free(world, arena_in));
    RANK_OK(world, muster_free(world, arena_out));
    free_inputs(inputs, n);
    free(whole);
    free(other);
    return 0;
}
