/*
 * Element types and operations: names, sizes, and which operation works with which type. A new dtype is one
 * row of the table in dtype.c.
 */
#ifndef MST_DTYPE_H
#define MST_DTYPE_H

#include "muster/muster.h"

/* Ops that are no constants of the header. A request, and what ranks publish, has these in place of the
 * numbers that muster_op_create gives, which mean nothing to other processes. */
enum {
    MST_OP_PREMUL_SUM = MUSTER_OP_COUNT, /* of muster_op_create_premul_sum */
    MST_OP_USER,                         /* of muster_op_create */
    MST_OP_CODES
};

#define MST_DTYPE_NAME_BYTES 24 /* "bytes(1073741823)" */

#define MST_NUMBER_BYTES_MAX 16 /* of an element of all dtypes but MUSTER_BYTES */

/* Whether elements of that size are never cut where they are reduced in parts: the parts begin at multiples
 * of MST_NUMBER_BYTES_MAX. */
static inline bool mst_element_is_uncut(size_t bytes)
{
    return MST_NUMBER_BYTES_MAX % bytes == 0;
}

bool mst_dtype_valid(muster_dtype dtype);
bool mst_dtype_is_bytes(muster_dtype dtype); /* MUSTER_BYTES */

/* "float32", "bytes(24)"; "?" for an invalid dtype. */
void mst_dtype_describe(muster_dtype dtype, char text[MST_DTYPE_NAME_BYTES]);

bool mst_dtype_widens(muster_dtype dtype); /* reductions accumulate in a wider type, and round once */

bool mst_op_valid(muster_op op);       /* a constant of the header */
const char *mst_op_name(muster_op op); /* "sum"; "?" for an invalid op */

/* Whether a constant of the header works with a dtype, and whether premultiplied sums do. */
bool mst_op_works(muster_op op, muster_dtype dtype);
bool mst_premul_works(muster_dtype dtype);

/* In words: the dtypes with which a valid op works, and the ops that work with a valid dtype. */
const char *mst_op_dtypes(muster_op op);
const char *mst_dtype_ops(muster_dtype dtype);

#endif
