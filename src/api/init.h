/* The world that muster_init has returned in this process. */
#ifndef MST_INIT_H
#define MST_INIT_H

#include "src/backend.h"

/* NULL: none, or the rank has left it. */
const muster_group *mst_init_world(void);

/* For the launcher: makes a world that it attached the one that muster_init returns. It remains even if
 * freed: the launcher ends the process when the rank's body has returned. */
void mst_init_memoise(muster_group *world);

#endif
