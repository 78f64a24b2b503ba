/* all_to_allv: each rank gives each rank a block with a count of its own. Algorithm and cost:
 * stream_pattern.c. */
#include "src/onehost/coll/stream_pattern.h"

const mst_method mst_method_all_to_allv = { .run = mst_move_streams, .compute = mst_take_inputs };
