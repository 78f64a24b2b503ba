/* The patterns of ops.h. */
#include "bindings/mpi/ops.h"

#include <stdint.h>
#include <string.h>

/* ---- 16-bit floats ---- */

/*
 * f16 and bf16 have sign and magnitude in the same order, so that maxima and minima differ only where one
 * has a NaN and the other a number: 0x7c01 and 0xfc01 are NaN in f16, and +-2.7e36 in bf16. Whatever
 * an f16 maximum makes of NaN, it does not treat both, in both orders, as a large and a small number.
 */
typedef struct half_pattern {
    uint16_t in, inout, expected;
} half_pattern;

enum { HALF_PATTERNS = 4 };

static const struct half_row {
    known_op known;
    half_pattern patterns[HALF_PATTERNS];
} half_rows[] = {
    /* 1 + 1, 1 + 2, -1 + 2, 1 + 2^-11 which is a tie */
    { { MUSTER_FLOAT16, MUSTER_SUM },
      { { 0x3c00, 0x3c00, 0x4000 },
        { 0x3c00, 0x4000, 0x4200 },
        { 0xbc00, 0x4000, 0x3c00 },
        { 0x3c00, 0x1000, 0x3c00 } } },
    { { MUSTER_BFLOAT16, MUSTER_SUM },
      { { 0x3c00, 0x3c00, 0x3c80 },
        { 0x3f80, 0x3f80, 0x4000 },
        { 0xbf80, 0x4000, 0x3f80 },
        { 0x3f80, 0x3b80, 0x3f80 } } },
    /* bf16 first: what passes for it is not f16 */
    { { MUSTER_BFLOAT16, MUSTER_MAX },
      { { 0x7c01, 0x3c00, 0x7c01 },
        { 0x3c00, 0x7c01, 0x7c01 },
        { 0xfc01, 0x3c00, 0x3c00 },
        { 0x3c00, 0xfc01, 0x3c00 } } },
    { { MUSTER_BFLOAT16, MUSTER_MIN },
      { { 0x7c01, 0x3c00, 0x3c00 },
        { 0x3c00, 0x7c01, 0x3c00 },
        { 0xfc01, 0x3c00, 0xfc01 },
        { 0x3c00, 0xfc01, 0xfc01 } } },
    { { MUSTER_FLOAT16, MUSTER_MAX },
      { { 0x3c00, 0x4000, 0x4000 },
        { 0x4000, 0x3c00, 0x4000 },
        { 0xbc00, 0xc000, 0xbc00 },
        { 0xc000, 0x3c00, 0x3c00 } } },
    { { MUSTER_FLOAT16, MUSTER_MIN },
      { { 0x3c00, 0x4000, 0x3c00 },
        { 0x4000, 0x3c00, 0x3c00 },
        { 0xbc00, 0xc000, 0xc000 },
        { 0xc000, 0x3c00, 0xc000 } } },
};

static bool behaves_like(MPI_User_function *function, MPI_Datatype type, const half_pattern *pattern)
{
    uint64_t in[8] = { 0 },
             inout[8] = { 0 }; /* room for an operation that takes them for more than they are */
    uint16_t result;
    int one = 1;

    memcpy(in, &pattern->in, sizeof pattern->in);
    memcpy(inout, &pattern->inout, sizeof pattern->inout);
    function(in, inout, &one, &type);
    memcpy(&result, inout, sizeof result);
    return result == pattern->expected;
}

bool recognise_half(MPI_User_function *function, MPI_Datatype type, known_op *known)
{
    for (size_t row = 0; row < sizeof half_rows / sizeof half_rows[0]; row++) {
        int alike = 0;

        while (alike < HALF_PATTERNS && behaves_like(function, type, &half_rows[row].patterns[alike]))
            alike++;
        if (alike == HALF_PATTERNS) {
            *known = half_rows[row].known;
            return true;
        }
    }
    return false;
}

/* ---- complex numbers: by the real part, then by the imaginary one ---- */

static bool takes_the_larger(MPI_User_function *function, MPI_Datatype type, const float *smaller,
                             const float *larger, bool maximum)
{
    const float *expected = maximum ? larger : smaller;

    for (int swapped = 0; swapped < 2; swapped++) {
        float in[16] = { 0 }, inout[16] = { 0 };
        int one = 1;

        memcpy(in, swapped ? larger : smaller, 2 * sizeof(float));
        memcpy(inout, swapped ? smaller : larger, 2 * sizeof(float));
        function(in, inout, &one, &type);
        if (memcmp(inout, expected, 2 * sizeof(float)) != 0)
            return false;
    }
    return true;
}

bool recognise_complex(MPI_User_function *function, MPI_Datatype type, known_op *known)
{
    static const float ordered[][2][2] = { { { 1, 9 }, { 2, 0 } },
                                           { { 1, 5 }, { 1, 7 } },
                                           { { -3, 1 }, { -2, -1 } } };

    for (int maximum = 0; maximum < 2; maximum++) {
        int alike = 0;

        while (alike < 3 &&
               takes_the_larger(function, type, ordered[alike][0], ordered[alike][1], maximum != 0))
            alike++;
        if (alike == 3) {
            *known = (known_op){ MUSTER_COMPLEX64, maximum ? MUSTER_MAX : MUSTER_MIN };
            return true;
        }
    }
    return false;
}
