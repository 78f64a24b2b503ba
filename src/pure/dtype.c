/* Tables of dtypes and ops. Dtypes of one class are reduced by the same ops. */
#include "src/pure/dtype.h"

#include <stdio.h>

typedef enum dtype_class { BOOLS, INTEGERS, FLOATS, COMPLEXES, PAIRS, BYTES } dtype_class;

#define OF(class) (1U << (class))
#define NUMBERS (OF(INTEGERS) | OF(FLOATS) | OF(COMPLEXES))

static const struct {
    const char *name;
    unsigned char size, class;
} dtypes[MUSTER_DTYPE_COUNT] = {
    [MUSTER_BOOL] = { "bool", 1, BOOLS },
    [MUSTER_INT8] = { "int8", 1, INTEGERS },
    [MUSTER_INT16] = { "int16", 2, INTEGERS },
    [MUSTER_INT32] = { "int32", 4, INTEGERS },
    [MUSTER_INT64] = { "int64", 8, INTEGERS },
    [MUSTER_UINT8] = { "uint8", 1, INTEGERS },
    [MUSTER_UINT16] = { "uint16", 2, INTEGERS },
    [MUSTER_UINT32] = { "uint32", 4, INTEGERS },
    [MUSTER_UINT64] = { "uint64", 8, INTEGERS },
    [MUSTER_FLOAT16] = { "float16", 2, FLOATS },
    [MUSTER_BFLOAT16] = { "bfloat16", 2, FLOATS },
    [MUSTER_FLOAT32] = { "float32", 4, FLOATS },
    [MUSTER_FLOAT64] = { "float64", 8, FLOATS },
    [MUSTER_COMPLEX64] = { "complex64", 8, COMPLEXES },
    [MUSTER_COMPLEX128] = { "complex128", 16, COMPLEXES },
    [MUSTER_FLOAT8_E4M3] = { "float8_e4m3", 1, FLOATS },
    [MUSTER_FLOAT8_E5M2] = { "float8_e5m2", 1, FLOATS },
    [MUSTER_INT32_INT32] = { "int32_int32", 8, PAIRS },
    [MUSTER_INT64_INT64] = { "int64_int64", 16, PAIRS },
    [MUSTER_FLOAT32_INT32] = { "float32_int32", 8, PAIRS },
    [MUSTER_FLOAT64_INT64] = { "float64_int64", 16, PAIRS },
};

static const char *const class_ops[] = {
    [BOOLS] = "sum, prod, max, min, band, bor and bxor",
    [INTEGERS] = "sum, prod, max, min, band, bor, bxor and premul_sum",
    [FLOATS] = "sum, avg, prod, max, min and premul_sum",
    [COMPLEXES] = "sum, avg, prod, max, min and premul_sum",
    [PAIRS] = "maxloc and minloc",
    [BYTES] = "operations of muster_op_create",
};

#define ALL_BUT_PAIRS (OF(BOOLS) | NUMBERS), "booleans and numbers"

static const struct {
    const char *name;
    unsigned classes;
    const char *in_words;
} ops[MST_OP_CODES] = {
    [MUSTER_SUM] = { "sum", ALL_BUT_PAIRS },
    [MUSTER_PROD] = { "prod", ALL_BUT_PAIRS },
    [MUSTER_MAX] = { "max", ALL_BUT_PAIRS },
    [MUSTER_MIN] = { "min", ALL_BUT_PAIRS },
    [MUSTER_AVG] = { "avg", OF(FLOATS) | OF(COMPLEXES), "floats and complex numbers" },
    [MUSTER_BAND] = { "band", OF(BOOLS) | OF(INTEGERS), "booleans and integers" },
    [MUSTER_BOR] = { "bor", OF(BOOLS) | OF(INTEGERS), "booleans and integers" },
    [MUSTER_BXOR] = { "bxor", OF(BOOLS) | OF(INTEGERS), "booleans and integers" },
    [MUSTER_MAXLOC] = { "maxloc", OF(PAIRS), "pairs, such as MUSTER_FLOAT32_INT32" },
    [MUSTER_MINLOC] = { "minloc", OF(PAIRS), "pairs, such as MUSTER_FLOAT32_INT32" },
    [MST_OP_PREMUL_SUM] = { "premul_sum", NUMBERS, "numbers" },
    [MST_OP_USER] = { "user", 0, "every dtype" },
};

static dtype_class class_of(muster_dtype dtype)
{
    return (unsigned)dtype < MUSTER_DTYPE_COUNT ? (dtype_class)dtypes[dtype].class : BYTES;
}

/* ---- dtypes ---- */

bool mst_dtype_is_bytes(muster_dtype dtype)
{
    return (int)dtype > MUSTER_BYTES_OF;
}

bool mst_dtype_valid(muster_dtype dtype)
{
    return (unsigned)dtype < MUSTER_DTYPE_COUNT || mst_dtype_is_bytes(dtype);
}

size_t muster_dtype_size(muster_dtype dtype)
{
    if ((unsigned)dtype < MUSTER_DTYPE_COUNT)
        return dtypes[dtype].size;
    return mst_dtype_is_bytes(dtype) ? (size_t)dtype - MUSTER_BYTES_OF : 0;
}

const char *muster_dtype_name(muster_dtype dtype)
{
    if ((unsigned)dtype < MUSTER_DTYPE_COUNT)
        return dtypes[dtype].name;
    return mst_dtype_is_bytes(dtype) ? "bytes" : NULL;
}

void mst_dtype_describe(muster_dtype dtype, char text[MST_DTYPE_NAME_BYTES])
{
    const char *name = muster_dtype_name(dtype);

    if (mst_dtype_is_bytes(dtype))
        snprintf(text, MST_DTYPE_NAME_BYTES, "bytes(%zu)", muster_dtype_size(dtype));
    else
        snprintf(text, MST_DTYPE_NAME_BYTES, "%s", name ? name : "?");
}

bool mst_dtype_widens(muster_dtype dtype)
{
    return class_of(dtype) == FLOATS && dtypes[dtype].size < 4;
}

/* ---- ops ---- */

bool mst_op_valid(muster_op op)
{
    return (unsigned)op < MUSTER_OP_COUNT;
}

const char *mst_op_name(muster_op op)
{
    return (unsigned)op < MST_OP_CODES ? ops[op].name : "?";
}

/* ---- both ---- */

static bool works(unsigned op, muster_dtype dtype)
{
    return (unsigned)dtype < MUSTER_DTYPE_COUNT && (ops[op].classes >> dtypes[dtype].class & 1);
}

bool mst_op_works(muster_op op, muster_dtype dtype)
{
    return mst_op_valid(op) && works(op, dtype);
}

bool mst_premul_works(muster_dtype dtype)
{
    return works(MST_OP_PREMUL_SUM, dtype);
}

const char *mst_op_dtypes(muster_op op)
{
    return ops[op].in_words;
}

const char *mst_dtype_ops(muster_dtype dtype)
{
    return class_ops[class_of(dtype)];
}
