/* The world of a rank that muster_launch runs a function in. */
#ifndef MST_WORLD_H
#define MST_WORLD_H

#include "shm/arena/arena.h"
#include "src/backend.h"

/* `arena`: that of the launch, for ranks that are threads; NULL: the config's. */
muster_status mst_world_attach(const muster_config *config, mst_arena *arena, muster_group **world);

#endif
