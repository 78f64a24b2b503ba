/* wait_any and wait_all. */
#ifndef MUSTER_PYTHON_SEVERAL_H
#define MUSTER_PYTHON_SEVERAL_H

#include "bindings/python/src/function.h"

SLOW_FUNCTION(wait_any);
SLOW_FUNCTION(wait_all);

#endif
