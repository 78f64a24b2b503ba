/* Element types and operations by name and size. A new dtype is one row of the table in dtype.c. */
#ifndef MST_DTYPE_H
#define MST_DTYPE_H

#include "muster/muster.h"

bool mst_dtype_valid(muster_dtype dtype);
bool mst_op_valid(muster_op op);
bool mst_dtype_widens(muster_dtype dtype); /* reductions accumulate in a wider type, and round once */
const char *mst_op_name(muster_op op);     /* "sum"; "?" for an invalid op */

#endif
