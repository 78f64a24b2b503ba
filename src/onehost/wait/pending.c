/* The table of pending operations, and progress, for pending.h. Waiting is in await.c. */
#include "src/onehost/wait/pending.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"

#define PLACES_FIRST 16

/* A number is made of a place and of how often that was used. */
struct mst_pending_place {
    mst_pending *pending; /* NULL: free */
    uint32_t uses;
    uint32_t next_free; /* 1 + the place; 0: none */
};

void mst_pending_ring(mst_group *group)
{
    mst_ring(mst_attachment_doorbell(group->subarena->attachment));
}

/* ---- the table ---- */

static bool grow(mst_pending_table *table)
{
    uint32_t count = table->count ? 2 * table->count : PLACES_FIRST;
    struct mst_pending_place *places =
        count > table->count ? realloc(table->places, count * sizeof *places) : NULL;

    if (!places)
        return false;
    for (uint32_t i = table->count; i < count; i++)
        places[i] = (struct mst_pending_place){ .next_free = i + 1 < count ? i + 2 : 0 };
    table->first_free = table->count + 1;
    table->places = places;
    table->count = count;
    return true;
}

muster_status mst_pending_add(mst_pending *pending, muster_call_class class)
{
    mst_pending_table *table = &pending->group->pending;

    if (!table->first_free && !grow(table))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for one more started operation besides %u",
                        table->count);
    uint32_t at = table->first_free - 1;
    struct mst_pending_place *place = &table->places[at];
    table->first_free = place->next_free;
    place->pending = pending;
    place->uses++;
    pending->number = mst_started_number((uint64_t)place->uses << 32 | at, class);
    return MUSTER_OK;
}

static struct mst_pending_place *place_of(const mst_pending_table *table, uint64_t number)
{
    uint32_t at = (uint32_t)(number / MUSTER_CALL_CLASS_COUNT);

    return at < table->count ? &table->places[at] : NULL;
}

void mst_pending_remove(mst_pending *pending)
{
    mst_pending_table *table = &pending->group->pending;
    struct mst_pending_place *place = place_of(table, pending->number);

    place->pending = NULL;
    place->next_free = table->first_free;
    table->first_free = (uint32_t)(place - table->places) + 1;
}

static mst_pending *find(const mst_group *group, uint64_t number)
{
    const struct mst_pending_place *place = place_of(&group->pending, number);

    return place && place->pending && place->pending->number == number ? place->pending : NULL;
}

mst_pending *mst_pending_find(mst_group *group, uint64_t number)
{
    mst_pending_lock(group);
    mst_pending *found = find(group, number);
    mst_pending_unlock(group);
    return found;
}

/* ---- whose they are ---- */

static muster_status take(mst_pending *pending, const void *taker)
{
    if (!pending)
        return mst_fail(MUSTER_ERR_INVALID,
                        "the request is not pending: its operation has been completed already");
    if (pending->taken == taker)
        return mst_fail(MUSTER_ERR_INVALID, "the same operation is twice among the requests; give each once");
    if (pending->taken)
        return mst_fail(MUSTER_ERR_BUSY, "another thread waits for this operation, or tests it, by a copy of "
                                         "the request");
    pending->taken = taker;
    return MUSTER_OK;
}

muster_status mst_pending_take_all(const muster_request *requests, size_t count, const void *taker,
                                   size_t *taken, mst_pending **found, size_t room)
{
    mst_group *group = mst_group_of(requests[0].group);
    muster_status status = MUSTER_OK;

    mst_pending_lock(group);
    for (*taken = 0; *taken < count && requests[*taken].group == &group->base; ++*taken) {
        mst_pending *pending = find(group, requests[*taken].number);

        status = take(pending, taker);
        if (status != MUSTER_OK)
            break;
        if (*taken < room)
            found[*taken] = pending;
    }
    mst_pending_unlock(group);
    return status;
}

muster_status mst_pending_take(mst_group *group, uint64_t number, const void *taker, mst_pending **found)
{
    mst_pending_lock(group);
    *found = find(group, number);
    muster_status status = take(*found, taker);
    mst_pending_unlock(group);
    return status;
}

void mst_pending_let_go(mst_pending *pending)
{
    mst_pending_lock(pending->group);
    pending->taken = NULL;
    mst_pending_unlock(pending->group);
}

/* ---- progress ---- */

void mst_pending_wanted(mst_group *group)
{
    mst_store32_rlx(&group->wants_progress, 1);
    mst_group_want_progress(group);
    if (!mst_background_is_wanted(&group->task))
        mst_background_list(&group->subarena->attachment->waits.background, &group->task);
}

void mst_pending_register(mst_group *group, muster_call_class class, bool (*progress)(mst_group *group))
{
    group->pending.progress[class] = progress;
}

static bool progress_locked(mst_group *group)
{
    bool more = false;

    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        if (group->pending.progress[class])
            more = group->pending.progress[class](group) || more;
    mst_store32_rlx(&group->wants_progress, more);
    return more;
}

void mst_pending_progress(mst_group *group)
{
    if (!mst_load32_rlx(&group->wants_progress))
        return;
    mst_pending_lock(group);
    progress_locked(group);
    mst_pending_unlock(group);
}

static mst_task_state progress_in_background(void *arg, bool insists)
{
    mst_group *group = arg;

    if (!mst_lock_try(&group->pending.lock, insists))
        return MST_TASK_BUSY;
    bool more = progress_locked(group);
    mst_pending_unlock(group);
    return more ? MST_TASK_MORE : MST_TASK_OVER;
}

void mst_pending_init(mst_group *group)
{
    mst_lock_init(&group->pending.lock);
    group->task = (mst_task){ .progress = progress_in_background, .arg = group };
}

void mst_pending_destroy(mst_group *group)
{
    free(group->pending.places);
    mst_lock_destroy(&group->pending.lock);
}
