/* Operations without a Request. */
#ifndef MUSTER_PYTHON_ORPHANS_H
#define MUSTER_PYTHON_ORPHANS_H

#include "bindings/python/src/operation.h"

/* The operation has no Request any more. The first ends it if it is a receive without a message; false: then
 * it is to be kept, until it is over. */
bool orphan_take_back(operation *operation);
void orphan_keep(operation *operation);

#endif
