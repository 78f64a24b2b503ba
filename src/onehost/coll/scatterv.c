/* scatterv: rank r gets block r of the root's input, which have counts of their own. Algorithm and cost:
 * stream_pattern.c. */
#include "src/onehost/coll/stream_pattern.h"

const mst_method mst_method_scatterv = { .run = mst_move_streams, .compute = mst_take_inputs };
