/* Messages of one int32, in bodies of ranks: 0, or 1 after a sentence about what went wrong (ranks.h). */
#ifndef TEST_INTS_H
#define TEST_INTS_H

#include "muster/muster.h"

int send_int(muster_group *world, int value, int dst, int tag);

/* Receives one, and expects that value. */
int expect_int(muster_group *world, int value, int src, int tag);

#endif
