/* The stream pattern: blocks with counts of their own, which a rank stages one behind the other. all_gatherv,
 * gatherv, scatterv and all_to_allv share it; they differ in who gives to whom. */
#ifndef MST_STREAM_PATTERN_H
#define MST_STREAM_PATTERN_H

#include "src/onehost/coll/call.h"

muster_status mst_move_streams(mst_call *call);

/* The same for a started one: `in` has what each rank gives us. */
void mst_take_inputs(const mst_inputs *inputs);

#endif
