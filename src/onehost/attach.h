/* Attaching for the launcher, which may have the arena mapped already. */
#ifndef MST_ATTACH_H
#define MST_ATTACH_H

#include "src/onehost/group.h"

/* Attaches as config says, which has been checked as far as src/api does. `share`: an arena that
 * this process has mapped already, instead of config->arena; or NULL. */
muster_status mst_group_attach(const muster_config *config, mst_arena *share, muster_group **world);

#endif
