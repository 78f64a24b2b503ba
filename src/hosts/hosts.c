/*
 * The table of the backend for several hosts: attaching, and what the other files do. These are not there:
 * shrink, grow, shares and queues.
 */
#include "src/hosts/hosts.h"

#include <stdlib.h>

#include "src/hosts/await.h"
#include "src/hosts/broken.h"
#include "src/hosts/children.h"
#include "src/hosts/messages.h"
#include "src/hosts/pending.h"
#include "src/hosts/pretended.h"
#include "src/hosts/progress.h"
#include "src/hosts/rest.h"
#include "src/hosts/showing.h"
#include "src/pure/config.h"

/* ---- attaching ---- */

/* The group of a rank's host, and the link. */
static muster_status find_hosts(mst_hosts_world *world, const mst_hosts_way *way, const muster_config *config,
                                const int *machine, muster_group **local, mst_link **link)
{
    muster_group *whole = world->whole;
    muster_status status;

    if (way->has_all)
        status = muster_group_split(whole, machine[config->rank], whole->rank, local);
    else
        status = muster_group_dup(whole, local);
    if (status != MUSTER_OK)
        return status;
    if ((*local)->size == config->size)
        return MUSTER_OK;
    status = way->make_link ? way->make_link(whole, way->arg, link) : mst_pretended_link(whole, link);
    if (status != MUSTER_OK)
        muster_group_free(*local);
    return status;
}

/* The world of these ranks. */
static muster_status divide(mst_hosts_world *world, const mst_hosts_way *way, const int *machine,
                            const int *seats, const muster_config *config, muster_group **made)
{
    muster_group *local;
    mst_link *link = NULL;

    muster_status status = find_hosts(world, way, config, machine, &local, &link);
    if (status != MUSTER_OK)
        return status;
    const muster_group like = { .here = world->whole->here,
                                .log = world->whole->log,
                                .timeout_ns = config->timeout_ns,
                                .interrupt = config->interrupt,
                                .interrupt_arg = config->interrupt_arg,
                                .threads_multiple = config->threads_multiple };
    if (link && config->progress_thread)
        status = mst_hosts_begin_progress(world);
    mst_hosts_group *group =
        status == MUSTER_OK ? mst_hosts_create(world, local, link, seats, machine, &like) : NULL;
    if (group) {
        *made = &group->base;
        return MUSTER_OK;
    }
    if (link)
        link->methods->close(link);
    muster_group_free(local);
    return status != MUSTER_OK ? status
                               : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a world over several hosts");
}

static muster_status begin(const muster_config *config, const mst_hosts_way *way, mst_hosts_world **made)
{
    muster_config inner = *config;
    mst_hosts_world *world = calloc(1, sizeof *world);

    if (!world)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a world over several hosts");
    inner.threads_multiple = true; /* splits and collectives send at the same time: other threads, or what a
                                      wait calls */
    muster_status status = way->attach_whole(&inner, way->arg, &world->whole);
    if (status != MUSTER_OK) {
        free(world);
        return status;
    }
    pthread_mutex_init(&world->lock, NULL);
    world->size = config->size;
    mst_hosts_hide(world->whole);
    world->kernels = mst_kernels_find(mst_config_isa());
    world->look = mst_hosts_look;
    world->advance_others = mst_hosts_advance_others;
    world->show_group = mst_hosts_show_group;
    world->call_thread = mst_hosts_call_thread;
    *made = world;
    return MUSTER_OK;
}

muster_status mst_hosts_check(const muster_config *config)
{
    if (config->restarts)
        return mst_fail(MUSTER_ERR_UNSUPPORTED,
                        "groups over several hosts do not take in restarted ranks yet; leave MUSTER_RESTARTS "
                        "and restarts unset, and run without --on-failure respawn");
    return MUSTER_OK;
}

/* Which host each rank is on. */
static muster_status place(const mst_hosts_way *way, int size, int *machine)
{
    const char *value = mst_config_fake_hosts();

    for (int rank = 0; rank < size; rank++) {
        if (way->machine)
            machine[rank] = way->machine[rank];
        else if (!value || !mst_pretended_host(value, rank, size, &machine[rank]))
            return mst_pretended_refuse(value);
    }
    return MUSTER_OK;
}

muster_status mst_hosts_attach_by(const muster_config *config, const mst_hosts_way *way, muster_group **made)
{
    size_t size = (size_t)config->size;
    int *machine = calloc(2 * size, sizeof *machine), *seats = machine + size;
    mst_hosts_world *world = NULL;

    muster_status status = machine ? place(way, config->size, machine)
                                   : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a list of hosts");
    for (int rank = 0; rank < config->size && status == MUSTER_OK; rank++)
        seats[rank] = rank;
    if (status == MUSTER_OK)
        status = mst_hosts_check(config);
    if (status == MUSTER_OK)
        status = begin(config, way, &world);
    if (status == MUSTER_OK)
        status = divide(world, way, machine, seats, config, made);
    if (status != MUSTER_OK && world) {
        muster_group_free(world->whole);
        free(world);
    }
    free(machine);
    return status;
}

static muster_status attach_whole(const muster_config *config, void *arg, muster_group **whole)
{
    (void)arg;
    return mst_backend_onehost.attach(config, whole);
}

static muster_status attach(const muster_config *config, muster_group **world)
{
    return mst_hosts_attach_by(config, &(mst_hosts_way){ .attach_whole = attach_whole, .has_all = true },
                               world);
}

/* ---- what is done by the parts on this host ---- */

static muster_group *whole_of(const muster_group *group)
{
    return mst_hosts_of_const(group)->world->whole;
}

static void adopt(muster_group *world, const muster_config *config)
{
    mst_backend_onehost.adopt(whole_of(world), config);
}

static const unsigned char *mark_process(void)
{
    return mst_backend_onehost.mark_process();
}

static muster_status regroup(muster_group *group, bool grows, muster_group **made)
{
    (void)group, (void)made;
    return mst_fail(MUSTER_ERR_UNSUPPORTED, "a group over several hosts does not %s yet",
                    grows ? "grow" : "shrink");
}

static muster_status alloc(muster_group *group, size_t bytes, void **buffer)
{
    muster_group *local = mst_hosts_of(group)->local;

    return local->backend->alloc(local, bytes, buffer);
}

static bool release(muster_group *group, void *buffer)
{
    muster_group *local = mst_hosts_of(group)->local;

    return local->backend->release(local, buffer);
}

static muster_status report_crashes(muster_group *group)
{
    return mst_backend_onehost.report_crashes(whole_of(group));
}

static void mark_phase(const muster_group *group, const char *name)
{
    mst_backend_onehost.mark_phase(whole_of(group), name);
}

static void show_name(const muster_group *group)
{
    muster_group_set_name(mst_hosts_of_const(group)->local, group->name);
}

static void leave(muster_group *world)
{
    mst_link *link = mst_hosts_of(world)->link;

    mst_backend_onehost.leave(whole_of(world));
    if (link && link->blind)
        link->mail->backend->leave(link->mail);
}

const mst_backend mst_backend_hosts = {
    .name = "hosts",
    .ranks_max = MST_BLOCKS_MAX,
    .attach = attach,
    .adopt = adopt,
    .mark_process = mark_process,
    .collective = mst_hosts_collective,
    .start = mst_hosts_start,
    .test = mst_hosts_test,
    .wait = mst_hosts_wait,
    .message = mst_hosts_message,
    .start_message = mst_hosts_start_message,
    .cancel = mst_hosts_cancel,
    .probe = mst_hosts_probe,
    .split = mst_hosts_split,
    .dup = mst_hosts_dup,
    .subset = mst_hosts_subset,
    .regroup = regroup,
    .alloc = alloc,
    .release = release,
    .shares = NULL,
    .queues = NULL,
    .status = mst_hosts_status,
    .abort_group = mst_hosts_abort,
    .translate = mst_hosts_translate,
    .report_crashes = report_crashes,
    .mark_phase = mark_phase,
    .show_name = show_name,
    .take_timeout = mst_hosts_take_timeout,
    .close = mst_hosts_close,
    .leave = leave,
};
