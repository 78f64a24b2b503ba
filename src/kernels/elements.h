/*
 * Elements of two parts, for kernels.c, one element at a time: complex numbers, and pairs of a value and an
 * index. Complex numbers are ordered by real, then imaginary part. The first NaN wins; of pairs with NaN, and
 * of pairs with equal values, that of the lowest index.
 */
#ifndef MST_ELEMENTS_H
#define MST_ELEMENTS_H

#include <math.h>
#include <stdint.h>

/* ---- complex ---- */

/* The products are volatile, since gcc 12's vectoriser makes a fused multiply-addsub of this expression even
 * with -ffp-contract=off, and the bits would depend on the level. */
#define COMPLEX(KIND, PART)                                                                                  \
    typedef struct __attribute__((packed, may_alias)) {                                                      \
        PART re, im;                                                                                         \
    } KIND;                                                                                                  \
                                                                                                             \
    typedef struct {                                                                                         \
        PART re, im;                                                                                         \
    } wide_##KIND;                                                                                           \
                                                                                                             \
    static inline wide_##KIND load_##KIND(KIND a)                                                            \
    {                                                                                                        \
        return (wide_##KIND){ a.re, a.im };                                                                  \
    }                                                                                                        \
                                                                                                             \
    static inline KIND store_##KIND(wide_##KIND a)                                                           \
    {                                                                                                        \
        return (KIND){ a.re, a.im };                                                                         \
    }                                                                                                        \
                                                                                                             \
    static inline int is_nan_##KIND(wide_##KIND a)                                                           \
    {                                                                                                        \
        return a.re != a.re || a.im != a.im;                                                                 \
    }                                                                                                        \
                                                                                                             \
    static inline PART sum_part_##KIND(PART a, PART b)                                                       \
    {                                                                                                        \
        return a + (a != a ? a : b);                                                                         \
    }                                                                                                        \
                                                                                                             \
    static inline wide_##KIND sum_##KIND(wide_##KIND a, wide_##KIND b)                                       \
    {                                                                                                        \
        return (wide_##KIND){ sum_part_##KIND(a.re, b.re), sum_part_##KIND(a.im, b.im) };                    \
    }                                                                                                        \
                                                                                                             \
    static inline wide_##KIND prod_##KIND(wide_##KIND a, wide_##KIND b)                                      \
    {                                                                                                        \
        volatile PART ac = a.re * b.re, bd = a.im * b.im, ad = a.re * b.im, bc = a.im * b.re;                \
        wide_##KIND product = { ac - bd, ad + bc };                                                          \
                                                                                                             \
        return is_nan_##KIND(a) ? a : is_nan_##KIND(b) ? b : product;                                        \
    }                                                                                                        \
                                                                                                             \
    static inline wide_##KIND max_##KIND(wide_##KIND a, wide_##KIND b)                                       \
    {                                                                                                        \
        int keep = a.re > b.re || (a.re == b.re && a.im >= b.im);                                            \
                                                                                                             \
        return is_nan_##KIND(a) || (keep && !is_nan_##KIND(b)) ? a : b;                                      \
    }                                                                                                        \
                                                                                                             \
    static inline wide_##KIND min_##KIND(wide_##KIND a, wide_##KIND b)                                       \
    {                                                                                                        \
        int keep = a.re < b.re || (a.re == b.re && a.im <= b.im);                                            \
                                                                                                             \
        return is_nan_##KIND(a) || (keep && !is_nan_##KIND(b)) ? a : b;                                      \
    }

COMPLEX(c64, float)
COMPLEX(c128, double)

/* ---- pairs ---- */

/* Above 0: `a` is greater than `b`; 0: equal. A NaN is greater than all else for MAXLOC, smaller for MINLOC:
 * `nan` is 1 or -1. */
#define INTEGER_ORDER(a, b, nan) (((a) > (b)) - ((a) < (b)))
#define FLOAT_ORDER(a, b, nan)                                                                               \
    ((a) != (a) || (b) != (b) ? (nan) * (((a) != (a)) - ((b) != (b)))                                        \
     : (a) == (b)             ? !signbit(a) - !signbit(b)                                                    \
                              : ((a) > (b)) - ((a) < (b)))

/* `a` comes before `b` if it has the lower index, or the same one and the lower rank. */
#define PAIR(KIND, VALUE, INDEX, ORDER)                                                                      \
    typedef struct __attribute__((packed, may_alias)) {                                                      \
        VALUE value;                                                                                         \
        INDEX index;                                                                                         \
    } KIND;                                                                                                  \
                                                                                                             \
    static inline KIND maxloc_##KIND(KIND a, KIND b)                                                         \
    {                                                                                                        \
        int order = ORDER(a.value, b.value, 1);                                                              \
                                                                                                             \
        return order > 0 || (order == 0 && a.index <= b.index) ? a : b;                                      \
    }                                                                                                        \
                                                                                                             \
    static inline KIND minloc_##KIND(KIND a, KIND b)                                                         \
    {                                                                                                        \
        int order = ORDER(a.value, b.value, -1);                                                             \
                                                                                                             \
        return order < 0 || (order == 0 && a.index <= b.index) ? a : b;                                      \
    }

PAIR(s32s32, int32_t, int32_t, INTEGER_ORDER)
PAIR(s64s64, int64_t, int64_t, INTEGER_ORDER)
PAIR(f32s32, float, int32_t, FLOAT_ORDER)
PAIR(f64s64, double, int64_t, FLOAT_ORDER)

#endif
