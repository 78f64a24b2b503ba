/* The reduction of the inputs of all ranks up to this one, which scan and exscan share. */
#ifndef MST_SCAN_PATTERN_H
#define MST_SCAN_PATTERN_H

#include "src/onehost/coll/call.h"

/* `inclusive`: the input of this rank counts, too. */
muster_status mst_scan_ranks(mst_call *call, bool inclusive);

/* The same for a started one. */
void mst_scan_inputs(const mst_inputs *inputs, bool inclusive);

#endif
