/*
 * split, dup and subset of the backend of threads. Each is a rendezvous at which the last to come makes the
 * children. That of a subset is known by its list, and counts its members only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/backend/handle.h"

static bool goes_before(const rendezvous *rendezvous, int a, int b)
{
    int first = rendezvous->postings[a].key, second = rendezvous->postings[b].key;

    return first != second ? first < second : a < b;
}

/* What the group has beside its members. */
static bool add_memory(shared_group *child, const posting *postings, int first)
{
    if (postings[first].makes == MAKES_SHARE)
        return shared_add_blocks(child, postings);
    return postings[first].makes != MAKES_QUEUE ||
           shared_add_entries(child, postings[first].entries, postings[first].bytes);
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
        if (child && !add_memory(child, postings, first)) {
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

static const char *const make_names[] = { "split", "share_create", "share_seal", "dup", "queue_create" };

static muster_status compare_queues(shared_group *shared, const posting *postings)
{
    const posting *first = &postings[0];

    for (int rank = 1; rank < shared->size; rank++) {
        const posting *other = &postings[rank];

        if (first->writer != other->writer || first->entries != other->entries ||
            first->bytes != other->bytes)
            return break_group(shared, rank, MUSTER_ERR_MISMATCH,
                               "rank 0 called queue_create (writer %d, %zu entries of %zu bytes) and rank %d "
                               "queue_create (writer %d, %zu entries of %zu bytes)",
                               first->writer, first->entries, first->bytes, rank, other->writer,
                               other->entries, other->bytes);
    }
    return MUSTER_OK;
}

/* The last one to come makes what all make, if they make the same. */
static muster_status come_to_make(handle *handle, rendezvous *rendezvous)
{
    shared_group *shared = handle->shared;
    const posting *postings = rendezvous->postings;

    if (++rendezvous->come < shared->size)
        return MUSTER_OK;
    for (int rank = 1; rank < shared->size; rank++)
        if (postings[rank].makes != postings[0].makes)
            return break_group(shared, rank, MUSTER_ERR_MISMATCH,
                               "rank 0 called %s and rank %d %s; all must call the same",
                               make_names[postings[0].makes], rank, make_names[postings[rank].makes]);
    if (postings[0].makes == MAKES_QUEUE && compare_queues(shared, postings) != MUSTER_OK)
        return explain(shared);
    make_children(shared, rendezvous);
    pthread_cond_broadcast(&shared->world->changed);
    return MUSTER_OK;
}

/* Gets this rank's place in a child, once all have come. */
static muster_status take_child(handle *handle, rendezvous_kind kind, rendezvous *rendezvous, posting *got)
{
    *got = rendezvous->postings[handle->base.rank];
    shared_part(handle->shared, kind, rendezvous);
    if (got->color != MUSTER_COLOR_NONE && !got->child)
        return mst_fail(MUSTER_ERR_NO_SPACE, "no memory for a group; the parent is as before");
    handle->shared->world->handles += got->child != NULL;
    return MUSTER_OK;
}

/* Comes to the split, and gets its place in a child. */
static muster_status meet_to_split(handle *handle, const posting *mine, posting *got)
{
    shared_group *shared = handle->shared;
    char doing[80];

    rendezvous *rendezvous = shared_rendezvous(shared, SPLITS, handle->met[SPLITS] + 1);
    if (!rendezvous)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a split");
    handle->met[SPLITS]++;
    rendezvous->postings[handle->base.rank] = *mine;
    muster_status status = come_to_make(handle, rendezvous);
    snprintf(doing, sizeof doing, "%s #%" PRIu64 " of a group of %d", make_names[mine->makes],
             rendezvous->number, shared->size);
    if (status == MUSTER_OK)
        status = wait_for(
            handle, &(wait){ .doing = doing, .rendezvous = rendezvous, .limit_ns = handle->base.timeout_ns });
    if (status == MUSTER_OK && shared->broken == MUSTER_ERR_MISMATCH)
        status = explain(shared);
    return status == MUSTER_OK ? take_child(handle, SPLITS, rendezvous, got) : status;
}

/* ---- subset ---- */

static int place_of(int rank, const int *ranks, int count)
{
    int place = 0;

    while (place < count && ranks[place] != rank)
        place++;
    return place < count ? place : -1;
}

static bool is_of_list(const rendezvous *rendezvous, int size, const int *ranks, int count)
{
    for (int rank = 0; rank < size; rank++) {
        const posting *posting = &rendezvous->postings[rank];

        if ((posting->color == 0 ? posting->key : -1) != place_of(rank, ranks, count))
            return false;
    }
    return true;
}

/* A member of ours that waits for us with another list; -1: none. */
static int find_other_list(const rendezvous *rendezvous, const handle *handle, const int *ranks, int count)
{
    const posting *own = &rendezvous->postings[handle->base.rank];

    for (int i = 0; i < count && own->color == 0 && !own->here; i++)
        if (rendezvous->postings[ranks[i]].color == 0 && rendezvous->postings[ranks[i]].here)
            return ranks[i];
    return -1;
}

/* Those that are not in the list are not missed. */
static rendezvous *open_subset(shared_group *shared, const int *ranks, int count)
{
    rendezvous *made = shared_open(shared, SUBSETS, 0, count);

    for (int rank = 0; made && rank < shared->size; rank++) {
        int place = place_of(rank, ranks, count);

        made->postings[rank] =
            (posting){ .here = place < 0, .color = place < 0 ? MUSTER_COLOR_NONE : 0, .key = place };
    }
    return made;
}

static muster_status find_subset(handle *handle, const int *ranks, int count, rendezvous **found)
{
    shared_group *shared = handle->shared;

    for (rendezvous *at = shared->open[SUBSETS]; at; at = at->next) {
        int other = find_other_list(at, handle, ranks, count), own = handle->base.rank;

        if (is_of_list(at, shared->size, ranks, count) && !at->postings[own].here) {
            *found = at;
            return MUSTER_OK;
        }
        if (other >= 0)
            return break_group(shared, own < other ? other : own, MUSTER_ERR_MISMATCH,
                               "rank %d and rank %d made subsets of different lists; each is in the other's, "
                               "and both must give the same list",
                               own < other ? own : other, own < other ? other : own);
    }
    *found = open_subset(shared, ranks, count);
    return *found ? MUSTER_OK : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a subset");
}

static void make_child(shared_group *parent, rendezvous *rendezvous)
{
    shared_group *child = shared_create(parent->world, rendezvous->expected);

    for (int rank = 0; child && rank < parent->size; rank++) {
        posting *posting = &rendezvous->postings[rank];

        if (posting->color != 0)
            continue;
        posting->child = child;
        posting->child_rank = posting->key;
        child->seats[posting->key] = parent->seats[rank];
    }
}

static muster_status meet_subset(handle *handle, const int *ranks, int count, posting *got)
{
    rendezvous *rendezvous;
    char doing[80];

    muster_status status = find_subset(handle, ranks, count, &rendezvous);
    if (status != MUSTER_OK)
        return status;
    rendezvous->postings[handle->base.rank].here = true;
    if (++rendezvous->come == rendezvous->expected) {
        make_child(handle->shared, rendezvous);
        tell_all(handle->shared);
    }
    snprintf(doing, sizeof doing, "subset #%" PRIu64 ", of %d of a group of %d", ++handle->met[SUBSETS],
             count, handle->shared->size);
    status = wait_for(
        handle, &(wait){ .doing = doing, .rendezvous = rendezvous, .limit_ns = handle->base.timeout_ns });
    return status == MUSTER_OK ? take_child(handle, SUBSETS, rendezvous, got) : status;
}

/* ---- the handle of a child ---- */

static void fill_in(const handle *parent, const posting *got, handle *made)
{
    made->log = parent->log;
    made->kernels = parent->kernels;
    made->shared = got->child;
    made->base = (muster_group){ .backend = parent->base.backend,
                                 .rank = got->child_rank,
                                 .size = got->child->size,
                                 .here = parent->base.here,
                                 .log = &made->log,
                                 .timeout_ns = parent->base.timeout_ns,
                                 .number = (uintptr_t)got->child,
                                 .interrupt = parent->base.interrupt,
                                 .interrupt_arg = parent->base.interrupt_arg,
                                 .threads_multiple = parent->base.threads_multiple };
}

/* As `mine` says; or, with a list, a subset. */
static muster_status make(handle *parent, const posting *mine, const int *ranks, int count, handle **child)
{
    handle *made = calloc(1, sizeof *made);
    posting got = { 0 };

    if (!made)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group");
    lock(parent);
    muster_status status = explain(parent->shared);
    if (status == MUSTER_OK)
        status = ranks ? meet_subset(parent, ranks, count, &got) : meet_to_split(parent, mine, &got);
    unlock(parent);
    in_group(&parent->base, status);
    if (status == MUSTER_OK && got.child) {
        fill_in(parent, &got, made);
        *child = made;
        return MUSTER_OK;
    }
    free(made);
    if (status == MUSTER_OK)
        *child = NULL;
    return status;
}

muster_status meet_to_make(handle *parent, const posting *mine, handle **child)
{
    return make(parent, mine, NULL, 0, child);
}

/* ---- for the table ---- */

muster_status thread_split(muster_group *group, int color, int key, muster_group **child)
{
    const posting mine = { .here = true, .color = color, .key = key };
    handle *made = NULL;

    muster_status status = meet_to_make(handle_of(group), &mine, &made);
    if (status == MUSTER_OK)
        *child = made ? &made->base : NULL;
    return status;
}

muster_status thread_dup(muster_group *group, muster_group **copy)
{
    const posting mine = { .here = true, .key = group->rank, .makes = MAKES_COPY };
    handle *made = NULL;

    muster_status status = meet_to_make(handle_of(group), &mine, &made);
    if (status == MUSTER_OK)
        *copy = &made->base;
    return status;
}

muster_status thread_subset(muster_group *group, const int *ranks, int count, muster_group **subset)
{
    handle *made = NULL;

    muster_status status = make(handle_of(group), NULL, ranks, count, &made);
    if (status == MUSTER_OK)
        *subset = &made->base;
    return status;
}
