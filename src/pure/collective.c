/* The rows of collective.h as a table. */
#include "src/pure/collective.h"

#include <stdio.h>

#include "src/pure/dtype.h"

const mst_shape mst_shapes[MST_COLLECTIVE_COUNT] = {
#define ROW(NAME, name, in, out, rooted, reduces, in_place, ...)                                             \
    [MST_##NAME] = {                                                                                         \
        #name,          in, out, rooted, reduces, in_place, (in) >= SPAN_VARIED || (out) >= SPAN_VARIED,     \
        { __VA_ARGS__ }                                                                                      \
    },
    MST_COLLECTIVES(ROW)
#undef ROW
};

void mst_collective_name(uint32_t collective, muster_op op, char *text, size_t bytes)
{
    const mst_shape *shape = collective < MST_COLLECTIVE_COUNT ? &mst_shapes[collective] : NULL;
    const char *mlx_name = shape && mst_op_valid(op) ? shape->mlx_names[op] : NULL;

    if (!shape)
        snprintf(text, bytes, "?");
    else if (mlx_name || !shape->reduces || !mst_op_valid(op))
        snprintf(text, bytes, "%s", mlx_name ? mlx_name : shape->name);
    else
        snprintf(text, bytes, "%s(%s)", shape->name, mst_op_name(op));
}

void mst_collective_describe(uint32_t collective, muster_dtype dtype, muster_op op, int root, uint64_t count,
                             char *text, size_t bytes)
{
    const char *element = muster_dtype_name(dtype);
    char name[40], of_root[24] = "";

    mst_collective_name(collective, op, name, sizeof name);
    if (collective < MST_COLLECTIVE_COUNT && mst_shapes[collective].in == SPAN_NONE) {
        snprintf(text, bytes, "%s", name);
        return;
    }
    if (root >= 0)
        snprintf(of_root, sizeof of_root, ", root %d", root);
    snprintf(text, bytes, "%s (%s x %llu%s)", name, element ? element : "?", (unsigned long long)count,
             of_root);
}
