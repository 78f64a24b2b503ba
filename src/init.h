/* For the launcher: a world that it attached becomes the one that muster_init gives. */
#ifndef MST_INIT_H
#define MST_INIT_H

#include "src/group.h"

/* The world stays, whoever frees it: the launcher ends the process when the rank's body is done. */
void mst_init_memoise(muster_group *world);

#endif
