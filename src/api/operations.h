/* Operations that programs make: which they are, and who still uses them. */
#ifndef MST_OPERATIONS_H
#define MST_OPERATIONS_H

#include "src/backend.h"

/* The operation of that number, in use until mst_op_release; NULL: there is none. */
const mst_made_op *mst_op_take(muster_op op);
void mst_op_release(const mst_made_op *made);

/* Prepares to hand a use over to a started operation: false: no memory. Then hands it over, or gives up. */
bool mst_op_prepare(muster_group *group, const mst_made_op *made);
void mst_op_keep(muster_group *group, uint64_t number);

/* When an operation that a function of the program's has combined is over: ABORTED if a rank's function has
 * failed. It has broken the group before that rank gave its part to others, so this rank knows if it has used
 * that part. */
muster_status mst_op_outcome(const muster_group *group);

#endif
