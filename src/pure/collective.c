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

/* Names are shown whole, by whatever a program calls its operation. tests/unit/test_calls.c looks at the
 * others. */
#define ROW(NAME, name, ...)                                                                                 \
    _Static_assert(sizeof #name + sizeof "_start()" - 1 + MUSTER_OP_NAME_BYTES - 1 <=                        \
                       MUSTER_CALL_NAME_BYTES,                                                               \
                   "MUSTER_CALL_NAME_BYTES are too few");
MST_COLLECTIVES(ROW)
#undef ROW

static void name_form(uint32_t collective, muster_op op, const char *op_name, const char *form, char *text,
                      size_t bytes)
{
    const mst_shape *shape = collective < MST_COLLECTIVE_COUNT ? &mst_shapes[collective] : NULL;
    const char *mlx_name = shape && mst_op_valid(op) ? shape->mlx_names[op] : NULL;

    if (!shape)
        snprintf(text, bytes, "?");
    else if (mlx_name || !shape->reduces || (unsigned)op >= MST_OP_CODES)
        snprintf(text, bytes, "%s%s", mlx_name ? mlx_name : shape->name, form);
    else
        snprintf(text, bytes, "%s%s(%s)", shape->name, form, op_name ? op_name : mst_op_name(op));
}

void mst_collective_name(uint32_t collective, muster_op op, const char *op_name, char *text, size_t bytes)
{
    name_form(collective, op, op_name, "", text, bytes);
}

void mst_collective_start_name(uint32_t collective, muster_op op, const char *op_name, char *text,
                               size_t bytes)
{
    name_form(collective, op, op_name, "_start", text, bytes);
}

void mst_collective_describe(const mst_asked *asked, char *text, size_t bytes)
{
    char name[MUSTER_CALL_NAME_BYTES], dtype[MST_DTYPE_NAME_BYTES], of_root[24] = "";

    mst_collective_name(asked->collective, asked->op, asked->op_name, name, sizeof name);
    if (asked->collective < MST_COLLECTIVE_COUNT && mst_shapes[asked->collective].in == SPAN_NONE) {
        snprintf(text, bytes, "%s", name);
        return;
    }
    if (asked->root >= 0)
        snprintf(of_root, sizeof of_root, ", root %d", asked->root);
    mst_dtype_describe(asked->dtype, dtype);
    snprintf(text, bytes, "%s (%s x %llu%s)", name, dtype, (unsigned long long)asked->count, of_root);
}
