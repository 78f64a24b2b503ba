/* Grids of ranks: pure arithmetic. */
#include <string.h>

#include "src/backend.h"

#define SIZE_MAX_OF_GRID (1 << 20)

/* ---- choosing dims ---- */

/* The best way so far to write a number as a product: of the ways, the one with the least sum has the most
 * equal factors. */
typedef struct factors {
    int count;
    int best[MUSTER_GRID_MAX], now[MUSTER_GRID_MAX];
    long best_sum; /* 0: none */
} factors;

/* The least factor whose power, with `places` as exponent, reaches `rest`: no smaller one can be the largest.
 */
static int least_factor(int rest, int places)
{
    for (int factor = 1;; factor++) {
        long long product = 1;

        for (int i = 0; i < places && product < rest; i++)
            product *= factor;
        if (product >= rest)
            return factor;
    }
}

/* Tries the factors for the places from `at` on, so that they do not increase; the small ones first, which
 * have the small sums. */
static void try_factors(factors *factors, int rest, int at, int most, long sum)
{
    if (at == factors->count) {
        factors->best_sum = sum;
        memcpy(factors->best, factors->now, sizeof factors->best);
        return;
    }
    for (int factor = least_factor(rest, factors->count - at); factor <= rest && factor <= most; factor++) {
        if (factors->best_sum && sum + factor >= factors->best_sum)
            return;
        if (rest % factor != 0)
            continue;
        factors->now[at] = factor;
        try_factors(factors, rest / factor, at + 1, factor, sum + factor);
    }
}

muster_status muster_grid_dims(int size, int dimensions, int *dims)
{
    factors factors = { .count = 0 };
    int rest = size, next = 0;

    if (size < 1 || size > SIZE_MAX_OF_GRID || dimensions < 1 || dimensions > MUSTER_GRID_MAX)
        return mst_fail(MUSTER_ERR_INVALID,
                        "grid_dims: %d ranks in %d dimensions; expected up to %d ranks, in 1 to %d", size,
                        dimensions, SIZE_MAX_OF_GRID, MUSTER_GRID_MAX);
    if (!dims)
        return mst_fail(MUSTER_ERR_INVALID,
                        "grid_dims: dims is NULL and should hold %d numbers, with 0 for those to be chosen",
                        dimensions);
    for (int i = 0; i < dimensions; i++) {
        factors.count += dims[i] == 0;
        if (dims[i] < 0 || (dims[i] > 0 && rest % dims[i] != 0))
            return mst_fail(MUSTER_ERR_INVALID, "grid_dims: dimension %d of %d ranks does not divide %d", i,
                            dims[i], rest);
        rest /= dims[i] ? dims[i] : 1;
    }
    if (factors.count == 0 && rest != 1)
        return mst_fail(MUSTER_ERR_INVALID, "grid_dims: the dims leave %d of %d ranks over",
                        size - size / rest, size);
    try_factors(&factors, rest, 0, rest, 0);
    for (int i = 0; i < dimensions; i++)
        if (dims[i] == 0)
            dims[i] = factors.best[next++];
    return MUSTER_OK;
}

/* ---- places ---- */

/* How many ranks the grid has; 0: it is none. */
static int size_of(const int *dims, int dimensions)
{
    long long size = 1;

    if (!dims || dimensions < 1 || dimensions > MUSTER_GRID_MAX)
        return 0;
    for (int i = 0; i < dimensions; i++) {
        if (dims[i] < 1 || size * dims[i] > INT32_MAX)
            return 0;
        size *= dims[i];
    }
    return (int)size;
}

muster_status muster_grid_coordinates(const int *dims, int dimensions, int rank, int *coordinates)
{
    int size = size_of(dims, dimensions);

    if (size == 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "grid_coordinates: dims is no grid; expected 1 to %d numbers of at least 1",
                        MUSTER_GRID_MAX);
    if (rank < 0 || rank >= size)
        return mst_fail(MUSTER_ERR_INVALID,
                        "grid_coordinates: rank %d of a grid of %d ranks; expected 0 to %d", rank, size,
                        size - 1);
    if (!coordinates)
        return mst_fail(MUSTER_ERR_INVALID,
                        "grid_coordinates: coordinates is NULL and should hold %d numbers", dimensions);
    for (int i = dimensions - 1; i >= 0; i--) {
        coordinates[i] = rank % dims[i];
        rank /= dims[i];
    }
    return MUSTER_OK;
}

int muster_grid_neighbour(const int *dims, int dimensions, int rank, int dimension, int distance,
                          bool periodic)
{
    int size = size_of(dims, dimensions), step = 1;

    if (size == 0 || rank < 0 || rank >= size || dimension < 0 || dimension >= dimensions)
        return MUSTER_RANK_NONE;
    for (int i = dimension + 1; i < dimensions; i++)
        step *= dims[i];
    int length = dims[dimension], at = rank / step % length;
    long long to = (long long)at + distance;
    if (periodic)
        to = (to % length + length) % length;
    return to < 0 || to >= length ? MUSTER_RANK_NONE : rank + (int)(to - at) * step;
}
