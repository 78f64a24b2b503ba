/*
 * The serial reference: what every collective should give, element by element, in plain code that
 * shares nothing with the library. Slow on purpose: narrow floats go by way of ldexp and rint.
 */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <stdint.h>

#include "muster/muster.h"

/* *to = inputs[0][index] op inputs[1][index] op ..., in that order. */
void oracle_reduce(void *to, const void *const *inputs, int input_count, size_t index, muster_dtype dtype,
                   muster_op op);

/* Whether the op works with the dtype, by the header's table. */
bool oracle_reduces(muster_dtype dtype, muster_op op);

/* Whether two elements are the same: to the bit, except that any NaN equals any NaN of its place. */
bool oracle_same(const void *a, const void *b, muster_dtype dtype);

/* Fills `count` elements from a seed: ordinary values, with specials (NaN, infinities, zeros of both
 * signs, subnormals, extremes) strewn in. The same seed gives the same elements. */
void fill_elements(void *to, size_t count, muster_dtype dtype, uint64_t seed);

/* A small seeded generator (SplitMix64). */
uint64_t random_next(uint64_t *state);

/* What the definition makes of two values; any NaN for NaNs. */
float oracle_combine_floats(float a, float b, muster_op op);

#endif
