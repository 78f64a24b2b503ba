/* What a wire is called, inside of src/wire and outside. */
#ifndef MST_WIRE_BACKEND_H
#define MST_WIRE_BACKEND_H

#include "src/backend.h"

typedef struct mst_wire mst_wire; /* inside.h has its fields */
extern const mst_backend mst_backend_wire;

#endif
