/* Checks of collectives whose blocks have counts of their own. */
#ifndef MST_API_VARIED_H
#define MST_API_VARIED_H

#include "src/backend.h"

/* Writes one sentence about what is wrong with the counts, displacements and buffers; false: nothing is.
 * Fills in request->elements. */
bool mst_varied_wrong(const muster_group *group, mst_request *request, char *why, size_t bytes);

#endif
