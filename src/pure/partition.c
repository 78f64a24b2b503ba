/* The arithmetic of partition.h. */
#include "src/pure/partition.h"

#include <stdint.h>

mst_slice mst_partition(size_t count, int parts, int index, size_t granule)
{
    size_t granules = count / granule + (count % granule != 0);
    size_t each = granules / (size_t)parts;
    size_t longer = granules % (size_t)parts; /* the first ones take one granule more */
    size_t at = (size_t)index;
    size_t first = at * each + (at < longer ? at : longer);
    size_t own = each + (at < longer);
    size_t begin = first * granule < count ? first * granule : count;
    size_t end = (first + own) * granule < count ? (first + own) * granule : count;

    return (mst_slice){ begin, end - begin };
}

bool mst_multiply(size_t a, size_t b, size_t c, size_t *product)
{
    size_t ab;

    return !__builtin_mul_overflow(a, b, &ab) && !__builtin_mul_overflow(ab, c, product);
}

bool mst_overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    uintptr_t a_at = (uintptr_t)a, b_at = (uintptr_t)b;

    return a_bytes && b_bytes && a_at < b_at + b_bytes && b_at < a_at + a_bytes;
}
