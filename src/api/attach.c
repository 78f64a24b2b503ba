/* Attaching: the checks of a config that hold for every backend. Keeps no state. */
#include "src/api/attach.h"

#include <string.h>

#include "src/api/enter.h"
#include "src/pure/config.h"

static const mst_backend *const backends[] = { &mst_backend_onehost, &mst_backend_mpi }; /* best first */

const mst_backend *mst_backend_find(const char *name)
{
    bool any = !name || strcmp(name, "any") == 0 || (strcmp(name, "mpi") == 0 && mst_config_launched());

    if (any)
        return mst_config_fake_hosts() ? &mst_backend_hosts : backends[0];
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(name, backends[i]->name) == 0)
            return backends[i];
    return NULL;
}

static muster_status check(const mst_backend *backend, const muster_config *config)
{
    if (config->size < 1 || config->size > backend->ranks_max)
        return mst_fail(MUSTER_ERR_INVALID, "a world of %d ranks is not between 1 and %d", config->size,
                        backend->ranks_max);
    if (config->rank < 0 || config->rank >= config->size)
        return mst_fail(MUSTER_ERR_INVALID, "rank %d is not between 0 and %d", config->rank,
                        config->size - 1);
    if (config->restarts < 0)
        return mst_fail(MUSTER_ERR_INVALID, "restarts is %d; expected 0 or more", config->restarts);
    if (config->timeout_ns < 0 || config->attach_timeout_ns < -1)
        return mst_fail(MUSTER_ERR_INVALID, "a timeout is negative");
    if (config->one_thread && config->threads_multiple)
        return mst_fail(
            MUSTER_ERR_INVALID,
            "one_thread (MUSTER_ONE_THREAD) says that one thread calls muster, and threads_multiple "
            "(MUSTER_THREADS_MULTIPLE) that several do; set one of them");
    return MUSTER_OK;
}

muster_status mst_decline(const mst_backend *backend, const muster_config *config, muster_status status)
{
    if (backend->decline)
        backend->decline(config);
    return status;
}

muster_status mst_attach_by(const mst_backend *backend, const muster_config *given, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    muster_status status = mst_config_accept(given, &config);
    if (status == MUSTER_OK)
        status = mst_check_place(world, "world");
    if (status == MUSTER_OK)
        status = check(backend, &config);
    return status == MUSTER_OK ? backend->attach(&config, world) : mst_decline(backend, &config, status);
}

muster_status muster_attach(const muster_config *given, muster_group **world)
{
    return mst_attach_by(mst_backend_find(NULL), given, world);
}
