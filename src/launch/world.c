/* Attaches ranks that run a function, for world.h: to the shared-memory world, which MUSTER_FAKE_HOSTS
 * divides. */
#include "src/launch/world.h"

#include "src/hosts/hosts.h"
#include "src/onehost/attach.h"
#include "src/pure/config.h"

static muster_status attach_whole(const muster_config *config, void *arena, muster_group **whole)
{
    return mst_group_attach(config, arena, whole);
}

muster_status mst_world_attach(const muster_config *config, mst_arena *arena, muster_group **world)
{
    if (mst_config_fake_hosts())
        return mst_hosts_attach_by(
            config, &(mst_hosts_way){ .attach_whole = attach_whole, .has_all = true, .arg = arena }, world);
    return mst_group_attach(config, arena, world);
}
