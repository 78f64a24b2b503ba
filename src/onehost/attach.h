/* Attaching, also for the launcher, which may already have mapped the arena. */
#ifndef MST_ATTACH_H
#define MST_ATTACH_H

#include "src/onehost/group/group.h"

/* Attaches as the config says, which src/api has checked. `share`: an arena that this process has already
 * mapped, to be used instead of config->arena; or NULL. */
muster_status mst_group_attach(const muster_config *config, mst_arena *share, muster_group **world);

#endif
