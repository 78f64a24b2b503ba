/* The functions of the module, with what help() says of them. */
#ifndef MUSTER_PYTHON_TABLE_H
#define MUSTER_PYTHON_TABLE_H

#include "bindings/python/src/state.h"

extern PyMethodDef python_operations[];

#endif
