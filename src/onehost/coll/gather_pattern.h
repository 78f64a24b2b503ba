/* The gather pattern, which all_gather and gather share; they differ only in who receives. */
#ifndef MST_GATHER_PATTERN_H
#define MST_GATHER_PATTERN_H

#include "src/onehost/coll/call.h"

/* `receives`: this rank gets the blocks. */
muster_status mst_gather_blocks(mst_call *call, bool receives);

/* The same by one copy, at a rank that receives. */
bool mst_gather_lent(const mst_call *call);

/* The same for a started one. */
void mst_gather_inputs(const mst_inputs *inputs);

#endif
