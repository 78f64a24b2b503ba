/* Attaching, also for the launcher, which may already have mapped the arena. */
#ifndef MST_ATTACH_H
#define MST_ATTACH_H

#include "src/onehost/group/group.h"

/* What a rank can know of its part before it looks at the arena: whether the values of the config, and the
 * variables that attaching reads, make sense. */
muster_status mst_group_check(const muster_config *config);

/* Attaches as the config says, which src/api has checked. `share`: an arena that this process has already
 * mapped, to be used instead of config->arena; or NULL. */
muster_status mst_group_attach(const muster_config *config, mst_arena *share, muster_group **world);

#endif
