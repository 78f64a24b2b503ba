/* Attaching, split, buffers and what else the table of threads.h has. A split is a rendezvous at which the
 * last to come makes the children. */
#include "tests/backend/threads.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backend/handle.h"

enum { PAGE_BYTES = 4096 };

/* ---- the process ---- */

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static world *incomplete_worlds; /* worlds that not all have come to */
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
                                 .interrupt_arg = config->interrupt_arg };
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
    break_group(handle_of(group)->shared, MUSTER_ERR_ABORTED, "rank %d aborted the group%s%s", group->rank,
                reason ? ": " : "", reason ? reason : "");
    unlock(handle_of(group));
}

/* ---- groups from groups ---- */

static bool goes_before(const rendezvous *rendezvous, int a, int b)
{
    int first = rendezvous->postings[a].key, second = rendezvous->postings[b].key;

    return first != second ? first < second : a < b;
}

/* A shared for each color; without memory for one its members find none. */
static void make_children(shared_group *parent, rendezvous *rendezvous)
{
    posting *postings = rendezvous->postings;

    for (int first = 0; first < parent->size; first++) {
        int members = 0;

        for (int rank = 0; rank < parent->size; rank++)
            members += postings[rank].color == postings[first].color;
        if (postings[first].color == MUSTER_COLOR_NONE || postings[first].child)
            continue;
        shared_group *child = shared_create(parent->world, members);
        if (child && postings[first].makes == MAKES_SHARE && !shared_add_blocks(child, postings)) {
            shared_destroy(child);
            child = NULL;
        }
        for (int rank = 0; child && rank < parent->size; rank++) {
            if (postings[rank].color != postings[first].color)
                continue;
            for (int other = 0; other < parent->size; other++)
                postings[rank].child_rank +=
                    postings[other].color == postings[rank].color && goes_before(rendezvous, other, rank);
            postings[rank].child = child;
            child->seats[postings[rank].child_rank] = parent->seats[rank];
        }
    }
}

static const char *const make_names[] = { "split", "share_create", "share_seal" };

/* The last one to come makes what all make, if they make the same. */
static muster_status come_to_make(handle *handle, rendezvous *rendezvous)
{
    shared_group *shared = handle->shared;
    const posting *postings = rendezvous->postings;

    if (++rendezvous->come < shared->size)
        return MUSTER_OK;
    for (int rank = 1; rank < shared->size; rank++)
        if (postings[rank].makes != postings[0].makes)
            return break_group(shared, MUSTER_ERR_MISMATCH,
                               "rank 0 called %s and rank %d %s; all must call the same",
                               make_names[postings[0].makes], rank, make_names[postings[rank].makes]);
    make_children(shared, rendezvous);
    pthread_cond_broadcast(&shared->world->changed);
    return MUSTER_OK;
}

/* Comes to the split, and gets its place in a child. */
static muster_status meet_to_split(handle *handle, const posting *mine, posting *got)
{
    shared_group *shared = handle->shared;
    char doing[80];

    muster_status status = explain(shared);
    if (status != MUSTER_OK)
        return status;
    rendezvous *rendezvous = shared_rendezvous(shared, SPLITS, handle->met[SPLITS] + 1);
    if (!rendezvous)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a split");
    handle->met[SPLITS]++;
    rendezvous->postings[handle->base.rank] = *mine;
    status = come_to_make(handle, rendezvous);
    snprintf(doing, sizeof doing, "%s #%" PRIu64 " of a group of %d", make_names[mine->makes],
             rendezvous->number, shared->size);
    if (status == MUSTER_OK)
        status = wait_for(
            handle, &(wait){ .doing = doing, .rendezvous = rendezvous, .limit_ns = handle->base.timeout_ns });
    if (status == MUSTER_OK && shared->broken == MUSTER_ERR_MISMATCH)
        status = explain(shared);
    if (status != MUSTER_OK)
        return status;
    *got = rendezvous->postings[handle->base.rank];
    shared_part(shared, SPLITS, rendezvous);
    if (mine->color != MUSTER_COLOR_NONE && !got->child)
        return mst_fail(MUSTER_ERR_NO_SPACE, "no memory for a group; the parent is as before");
    shared->world->handles += got->child != NULL;
    return MUSTER_OK;
}

muster_status meet_to_make(handle *parent, const posting *mine, handle **child)
{
    handle *made = calloc(1, sizeof *made);
    posting got = { 0 };

    if (!made)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group");
    lock(parent);
    muster_status status = meet_to_split(parent, mine, &got);
    unlock(parent);
    if (status != MUSTER_OK || !got.child) {
        free(made);
        if (status == MUSTER_OK)
            *child = NULL;
        return status;
    }
    made->log = parent->log;
    made->kernels = parent->kernels;
    made->shared = got.child;
    made->base = (muster_group){ .backend = parent->base.backend,
                                 .rank = got.child_rank,
                                 .size = got.child->size,
                                 .here = parent->base.here,
                                 .log = &made->log,
                                 .timeout_ns = parent->base.timeout_ns,
                                 .interrupt = parent->base.interrupt,
                                 .interrupt_arg = parent->base.interrupt_arg };
    *child = made;
    return MUSTER_OK;
}

static muster_status split(muster_group *group, int color, int key, muster_group **child)
{
    const posting mine = { .here = true, .color = color, .key = key };
    handle *made = NULL;

    muster_status status = meet_to_make(handle_of(group), &mine, &made);
    if (status == MUSTER_OK)
        *child = made ? &made->base : NULL;
    return status;
}

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
    .split = split,
    .regroup = regroup,
    .alloc = alloc,
    .release = release,
    .shares = &shares_of_threads,
    .status = thread_status,
    .abort_group = abort_group,
    .translate = translate,
    .report_crashes = report_crashes,
    .mark_phase = mark_phase,
    .close = close_group,
    .leave = leave,
};
