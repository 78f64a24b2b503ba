/* Parts of the program of test_points: each uses something of a group once. A wrong result reads as
 * BAD_ARENA. */
#ifndef TEST_USES_H
#define TEST_USES_H

#include "muster/muster.h"

enum { SIZE = 3, FLOATS = 20000 }; /* of x and y */
enum { ONE_COPY_BYTES = 100000 };

muster_status use_messages(muster_group *world, float *x, float *y);
muster_status use_started(muster_group *world, const float *x, float *y);
muster_status use_child(muster_group *world, const float *x, float *y);
muster_status use_share(muster_group *world, bool may_fail); /* its sealing may fail, on all ranks */
muster_status use_queue(muster_group *world);
muster_status use_one_copy(muster_group *world);

#endif
