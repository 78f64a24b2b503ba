/* all_gatherv: every rank gets every rank's block, which have counts of their own. Algorithm and cost:
 * stream_pattern.c. */
#include "src/onehost/coll/stream_pattern.h"

const mst_method mst_method_all_gatherv = { .run = mst_move_streams, .compute = mst_take_inputs };
