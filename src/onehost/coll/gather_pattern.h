/* Every rank's block in rank order, which all_gather and gather share: who gets the result is the only
 * difference. */
#ifndef MST_GATHER_PATTERN_H
#define MST_GATHER_PATTERN_H

#include "src/onehost/coll/call.h"

/* For every rank that `receives`. */
muster_status mst_gather_blocks(mst_call *call, bool receives);

#endif
