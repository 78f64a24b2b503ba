/* Operations without a Request. */
#ifndef MUSTER_PYTHON_ORPHANS_H
#define MUSTER_PYTHON_ORPHANS_H

#include "bindings/python/src/operation.h"

/* The operation has no Request any more: it is kept until it is over. */
void orphan_keep(operation *operation);

#endif
