/* Why a collective with varied blocks cannot be: who disagrees about a count, or tells what cannot be. */
#ifndef MST_DISAGREE_H
#define MST_DISAGREE_H

#include "src/onehost/coll/call.h"

/* After a first round in which the balances did not add up to 0: finds two ranks that disagree, the same on
 * all ranks, and breaks the group. */
muster_status mst_varied_disagree(mst_call *call);

/* Breaks the group by what the rank `taker` has found; or since no pair of ranks disagrees, and all do. */
muster_status mst_varied_tell(const mst_call *call, int taker, const mst_count_finding *finding);
muster_status mst_varied_tell_none(const mst_call *call);

/* Breaks the group, since what that rank says of its stream cannot be. */
muster_status mst_varied_damaged(const mst_call *call, int rank);

#endif
