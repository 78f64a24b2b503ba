/* Checks of collectives whose blocks have counts of their own. */
#ifndef MST_API_VARIED_H
#define MST_API_VARIED_H

#include "src/backend.h"

/* Writes one sentence about what is wrong with the counts, displacements and buffers; false: nothing is.
 * Fills in what the request says of them. */
bool mst_varied_wrong(const muster_group *group, mst_request *request, char *why, size_t bytes);

/* Whether the request, which is otherwise equal to group->latest, has the same counts and displacements, even
 * in other arrays. */
bool mst_varied_repeated(const muster_group *group, const mst_request *request);
/* Gives group->latest copies of its counts and displacements, for that comparison, and for the calls that
 * repeat it; false: no memory. */
bool mst_varied_remember(muster_group *group);

#endif
