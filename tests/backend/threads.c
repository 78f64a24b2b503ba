/* Attaching, buffers and what else the table of threads.h has. */
#include "tests/backend/threads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

enum { PAGE_BYTES = 4096 };

/* ---- the process ---- */

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static world *incomplete_worlds; /* to which not all ranks have attached */
static unsigned char *process;   /* 1 in this process; its forks have a copy, which they set to 0 */

static void be_a_fork(void)
{
    if (process)
        *process = 0;
    process = NULL; /* and is leaked: groups of the parent's point there */
    incomplete_worlds = NULL;
    registry = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void __attribute__((constructor)) look_after_forks(void)
{
    pthread_atfork(NULL, NULL, be_a_fork);
}

static const unsigned char *mark_process(void)
{
    pthread_mutex_lock(&registry);
    if (!process && (process = malloc(1)) != NULL)
        *process = 1;
    const unsigned char *mark = process;
    pthread_mutex_unlock(&registry);
    return mark;
}

/* ---- attaching ---- */

static handle *handle_create(const muster_config *config)
{
    handle *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->log = (mst_log){ config->log_level, config->log, config->log_arg, config->rank };
    made->kernels = mst_kernels_find(NULL);
    made->base = (muster_group){ .backend = &backend_of_threads,
                                 .rank = config->rank,
                                 .size = config->size,
                                 .here = mark_process(),
                                 .log = &made->log,
                                 .timeout_ns = config->timeout_ns,
                                 .interrupt = config->interrupt,
                                 .interrupt_arg = config->interrupt_arg,
                                 .threads_multiple = config->threads_multiple };
    return made;
}

static world **find_place(const char *name)
{
    world **at = &incomplete_worlds;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static muster_status take_seat(handle *handle, world *place, rendezvous **all)
{
    shared_group *shared = place->whole;
    int rank = handle->base.rank;

    if (shared->size != handle->base.size)
        return mst_fail(MUSTER_ERR_INVALID, "\"%s\" is a world of %d ranks, not of %d", place->name,
                        shared->size, handle->base.size);
    *all = shared_rendezvous(shared, COLLECTIVES, 0);
    if (!*all || (*all)->postings[rank].here)
        return mst_fail(*all ? MUSTER_ERR_INVALID : MUSTER_ERR_NO_MEMORY, "rank %d of \"%s\" is here already",
                        rank, place->name);
    (*all)->postings[rank].here = true;
    (*all)->come++;
    handle->shared = shared;
    shared->handles++;
    place->handles++;
    pthread_cond_broadcast(&place->changed);
    return MUSTER_OK;
}

/* The first to come makes the world, the last one takes its name away. */
static muster_status come(handle *handle, const char *name, rendezvous **all)
{
    world **at = find_place(name), *place = *at ? *at : world_create(name, handle->base.size);

    if (!place)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a world of %d", handle->base.size);
    *at = place;
    pthread_mutex_lock(&place->lock);
    muster_status status = take_seat(handle, place, all);
    if (status == MUSTER_OK && (*all)->come == handle->base.size)
        *at = place->next;
    pthread_mutex_unlock(&place->lock);
    return status;
}

/* Until all have come; the name goes when that fails. */
static muster_status meet(handle *handle, rendezvous *all, int64_t limit_ns)
{
    lock(handle);
    muster_status status =
        wait_for(handle, &(wait){ .doing = "attach", .rendezvous = all, .limit_ns = limit_ns });
    if (status == MUSTER_OK)
        shared_part(handle->shared, COLLECTIVES, all);
    unlock(handle);
    if (status == MUSTER_OK)
        return MUSTER_OK;
    pthread_mutex_lock(&registry);
    world **at = find_place(handle->shared->world->name);
    if (*at == handle->shared->world)
        *at = (*at)->next;
    pthread_mutex_unlock(&registry);
    return status;
}

static int64_t patience_of(const muster_config *config)
{
    int64_t limit_ns = config->attach_timeout_ns ? config->attach_timeout_ns : config->timeout_ns;

    return limit_ns < 0 ? 0 : limit_ns ? limit_ns : 30 * NS_PER_S;
}

static muster_status attach(const muster_config *config, muster_group **made)
{
    rendezvous *all = NULL;

    if (!config->arena && config->size != 1)
        return mst_fail(MUSTER_ERR_INVALID, "a world of %d ranks needs a name to meet under", config->size);
    handle *handle = handle_create(config);
    if (!handle || !handle->base.here) {
        free(handle);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group");
    }
    pthread_mutex_lock(&registry);
    muster_status status = come(handle, config->arena ? config->arena : "", &all);
    pthread_mutex_unlock(&registry);
    if (status != MUSTER_OK) {
        free(handle);
        return status;
    }
    status = meet(handle, all, patience_of(config));
    if (status == MUSTER_OK)
        *made = &handle->base;
    else
        backend_of_threads.close(&handle->base);
    return status;
}

static void adopt(muster_group *world, const muster_config *config)
{
    (void)world, (void)config; /* nothing that a program could inherit */
}

/* ---- leaving ---- */

static void close_group(muster_group *group)
{
    handle *handle = (struct handle *)group;
    shared_group *shared = handle->shared;
    world *world = shared->world;

    for (buffer *next, *at = handle->buffers; at; at = next) {
        next = at->next;
        free(at->memory);
        free(at);
    }
    lock(handle);
    shared->left[group->rank] = true;
    bool last = --shared->handles == 0, last_of_all = --world->handles == 0;
    pthread_cond_broadcast(&world->changed);
    unlock(handle);
    free(handle);
    if (last)
        shared_destroy(shared);
    if (last_of_all)
        world_destroy(world);
}

static void leave(muster_group *group)
{
    const shared_group *shared = handle_of(group)->shared;

    lock(handle_of(group));
    shared->world->ended[shared->seats[group->rank]] = true;
    pthread_cond_broadcast(&shared->world->changed);
    unlock(handle_of(group));
}

static void abort_group(muster_group *group, const char *reason)
{
    lock(handle_of(group));
    break_group(handle_of(group)->shared, group->rank, MUSTER_ERR_ABORTED, "rank %d aborted the group%s%s",
                group->rank, reason ? ": " : "", reason ? reason : "");
    unlock(handle_of(group));
}

/* ---- groups from groups: children.c ---- */

static muster_status regroup(muster_group *group, bool grows, muster_group **made)
{
    (void)group, (void)made;
    return mst_fail(MUSTER_ERR_UNSUPPORTED, "threads do not %s a group: its ranks end together",
                    grows ? "grow" : "shrink");
}

static int translate(const muster_group *group, int rank, const muster_group *other)
{
    const shared_group *here = handle_of_const(group)->shared, *there = handle_of_const(other)->shared;

    for (int at = 0; here->world == there->world && at < there->size; at++)
        if (there->seats[at] == here->seats[rank])
            return at;
    return -1;
}

/* ---- buffers ---- */

static muster_status alloc(muster_group *group, size_t bytes, void **memory)
{
    handle *handle = handle_of(group);
    size_t whole = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    buffer *made = malloc(sizeof *made);

    void *pages = made && whole ? aligned_alloc(PAGE_BYTES, whole) : NULL;
    if (!pages) {
        free(made);
        return mst_fail(MUSTER_ERR_NO_SPACE, "there are no %zu bytes of memory", bytes);
    }
    lock(handle);
    *made = (buffer){ handle->buffers, pages };
    handle->buffers = made;
    unlock(handle);
    *memory = pages;
    return MUSTER_OK;
}

static bool release(muster_group *group, void *memory)
{
    handle *handle = handle_of(group);

    lock(handle);
    buffer **at = &handle->buffers, *found;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    found = *at;
    if (found)
        *at = found->next;
    unlock(handle);
    if (found)
        free(found->memory);
    free(found);
    return found != NULL;
}

/* ---- what others may want to know ---- */

static muster_status report_crashes(muster_group *group)
{
    (void)group; /* the peers crash with it */
    return MUSTER_OK;
}

static void mark_phase(const muster_group *group, const char *name)
{
    (void)group, (void)name; /* nothing is recorded */
}

static void show_name(const muster_group *group)
{
    (void)group; /* nobody looks from outside */
}

bool thread_is_waiting(const muster_group *group, int rank)
{
    lock(handle_of_const(group));
    bool waits = handle_of_const(group)->shared->waits[rank] > 0;
    unlock(handle_of_const(group));
    return waits;
}

const mst_backend backend_of_threads = {
    .name = "threads",
    .ranks_max = RANKS_MAX,
    .attach = attach,
    .adopt = adopt,
    .mark_process = mark_process,
    .collective = thread_collective,
    .start = thread_start,
    .test = thread_test,
    .wait = thread_wait,
    .message = thread_message,
    .start_message = thread_start_message,
    .cancel = thread_cancel,
    .probe = thread_probe,
    .split = thread_split,
    .dup = thread_dup,
    .subset = thread_subset,
    .regroup = regroup,
    .alloc = alloc,
    .release = release,
    .shares = &shares_of_threads,
    .queues = &queues_of_threads,
    .status = thread_status,
    .abort_group = abort_group,
    .translate = translate,
    .report_crashes = report_crashes,
    .mark_phase = mark_phase,
    .show_name = show_name,
    .close = close_group,
    .leave = leave,
};
