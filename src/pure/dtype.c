/* Tables of dtypes and ops. */
#include "src/pure/dtype.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[MUSTER_DTYPE_COUNT] = {
    [MUSTER_BOOL] = { "bool", 1 },         [MUSTER_INT8] = { "int8", 1 },
    [MUSTER_INT16] = { "int16", 2 },       [MUSTER_INT32] = { "int32", 4 },
    [MUSTER_INT64] = { "int64", 8 },       [MUSTER_UINT8] = { "uint8", 1 },
    [MUSTER_UINT16] = { "uint16", 2 },     [MUSTER_UINT32] = { "uint32", 4 },
    [MUSTER_UINT64] = { "uint64", 8 },     [MUSTER_FLOAT16] = { "float16", 2 },
    [MUSTER_BFLOAT16] = { "bfloat16", 2 }, [MUSTER_FLOAT32] = { "float32", 4 },
    [MUSTER_FLOAT64] = { "float64", 8 },   [MUSTER_COMPLEX64] = { "complex64", 8 },
};

static const char *const ops[MUSTER_OP_COUNT] = {
    [MUSTER_SUM] = "sum",
    [MUSTER_PROD] = "prod",
    [MUSTER_MAX] = "max",
    [MUSTER_MIN] = "min",
};

bool mst_dtype_valid(muster_dtype dtype)
{
    return (unsigned)dtype < MUSTER_DTYPE_COUNT;
}

bool mst_op_valid(muster_op op)
{
    return (unsigned)op < MUSTER_OP_COUNT;
}

bool mst_dtype_widens(muster_dtype dtype)
{
    return dtype == MUSTER_FLOAT16 || dtype == MUSTER_BFLOAT16;
}

const char *mst_op_name(muster_op op)
{
    return mst_op_valid(op) ? ops[op] : "?";
}

size_t muster_dtype_size(muster_dtype dtype)
{
    return mst_dtype_valid(dtype) ? dtypes[dtype].size : 0;
}

const char *muster_dtype_name(muster_dtype dtype)
{
    return mst_dtype_valid(dtype) ? dtypes[dtype].name : NULL;
}
