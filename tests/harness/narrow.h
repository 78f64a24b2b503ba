/*
 * Floats of 8 and 16 bits, by ldexp and rint: what the kernels' conversions are compared with.
 */
#ifndef TEST_NARROW_H
#define TEST_NARROW_H

#include <stdint.h>

#include "muster/muster.h"

bool narrow_is(muster_dtype dtype);

double narrow_value(uint16_t bits, muster_dtype dtype);
uint16_t narrow_round(double value, muster_dtype dtype);

/* An element at any address. */
double narrow_load(const void *at, muster_dtype dtype);
void narrow_store(void *at, double value, muster_dtype dtype);

#endif
