/* The world that muster_init has given this process. */
#ifndef MST_INIT_H
#define MST_INIT_H

#include "src/backend.h"

/* NULL: none, or it has been left. */
const muster_group *mst_init_world(void);

/* For the launcher: a world that it attached becomes the one that muster_init gives. It stays, whoever
 * frees it: the launcher ends the process when the rank's body is done. */
void mst_init_memoise(muster_group *world);

#endif
