/* Creates the queues of ring.h, pushes and reads. Creating costs one synchronisation. */
#include "src/onehost/share/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/wait/activity.h"
#include "src/onehost/create/create.h"
#include "src/onehost/create/hidden.h"
#include "src/onehost/share/alone.h"
#include "src/onehost/wait/broken.h"

#define ENTRIES_MAX (1ULL << 32)
#define ENTRY_BYTES_MAX (1ULL << 40)

typedef struct ring {
    muster_queue base;
    mst_group *group;
    mst_member *members;
    bool *active;          /* by rank: a reader that the writer waits for */
    uint64_t number;       /* of the entry that is pushed, or read, next; from 1 */
    uint64_t free_until;   /* writer: numbers up to here have a free place, as far as it knows */
    uint32_t terminations; /* writer: that it has looked at, and no reader was among them */
    bool damaged;
    mst_waiter waiter;
} ring;

static ring *ring_of(muster_queue *queue)
{
    return (ring *)queue;
}

/* ---- offsets ---- */

static uint64_t place_bytes(uint64_t entry_bytes)
{
    return (sizeof(mst_queue_place) + entry_bytes + MST_LINE - 1) / MST_LINE * MST_LINE;
}

static uint64_t block_bytes(const mst_split_record *record, int rank, int size)
{
    uint64_t entries = record->details[0], entry_bytes = record->details[1];

    (void)size;
    if (rank != record->color)
        return sizeof(mst_queue_reader);
    if (entries == 0 || entries > ENTRIES_MAX || entry_bytes > ENTRY_BYTES_MAX ||
        place_bytes(entry_bytes) > UINT64_MAX / 2 / entries)
        return 0;
    return entries * place_bytes(entry_bytes);
}

static mst_queue_place *place_of(const ring *ring, uint64_t number)
{
    uint64_t at = (number - 1) % ring->base.entries * place_bytes(ring->base.entry_bytes);

    return (mst_queue_place *)(void *)(ring->group->subarena->staging[ring->base.writer] + at);
}

static mst_queue_reader *reader_of(const ring *ring, int rank)
{
    return (mst_queue_reader *)(void *)ring->group->subarena->staging[rank];
}

/* ---- creating ---- */

static void describe_plan(const mst_split_record *record, char *text, size_t bytes)
{
    snprintf(text, bytes, "queue_create (writer %d, %llu entries of %llu bytes)", record->color,
             (unsigned long long)record->details[0], (unsigned long long)record->details[1]);
}

static muster_status compare(mst_group *parent)
{
    const mst_split_record *first = &parent->split_records[0];

    for (int rank = 1; rank < parent->base.size; rank++) {
        const mst_split_record *record = &parent->split_records[rank];
        char here[100], there[100];

        if (record->color == first->color && record->details[0] == first->details[0] &&
            record->details[1] == first->details[1])
            continue;
        describe_plan(first, here, sizeof here);
        describe_plan(record, there, sizeof there);
        return mst_group_poison_pair(parent, rank, 0, "rank 0 called %s and rank %d %s", here, rank, there);
    }
    return MUSTER_OK;
}

static void destroy(ring *ring)
{
    if (!ring)
        return;
    free(ring->members);
    free(ring->active);
    free(ring);
}

static ring *allocate(int size, int writer)
{
    ring *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->members = calloc((size_t)size, sizeof *made->members);
    made->active = calloc((size_t)size, sizeof *made->active);
    if (!made->members || !made->active) {
        destroy(made);
        return NULL;
    }
    for (int rank = 0; rank < size; rank++)
        made->active[rank] = rank != writer;
    return made;
}

static muster_status ring_create(muster_group *of, int writer, size_t entries, size_t entry_bytes,
                                 muster_queue **queue)
{
    ring *made = allocate(of->size, writer);
    muster_status prepared =
        made ? MUSTER_OK : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a queue of %d ranks", of->size);
    mst_hidden plan = { .makes = MST_MAKES_QUEUE,
                        .name = "queue_create",
                        .own = { .color = writer, .details = { entries, entry_bytes } },
                        .bytes = block_bytes,
                        .compare = compare,
                        .members = made ? made->members : NULL };
    mst_group *group;

    muster_status status = mst_hidden_create(mst_group_of(of), &plan, prepared, &group);
    if (!made || status != MUSTER_OK) { /* what was not prepared fails on all ranks */
        destroy(made);
        return status;
    }
    made->base = (muster_queue){ &group->base, writer, entries, entry_bytes, false };
    made->group = group;
    made->number = 1;
    made->free_until = entries;
    made->waiter = mst_alone_waiter(group);
    *queue = &made->base;
    return MUSTER_OK;
}

static void ring_close(muster_queue *queue)
{
    ring *ring = ring_of(queue);

    mst_group_close(&ring->group->base);
    destroy(ring);
}

static muster_status damaged(const ring *ring, int rank)
{
    mst_fail_about(rank, MUSTER_ERR_BAD_ARENA,
                   "rank %d found an impossible number of rank %d in a queue: the arena is damaged",
                   ring->group->base.rank, rank);
    return mst_group_error(ring->group, MUSTER_ERR_BAD_ARENA);
}

/* ---- how far readers have come ---- */

/* The last entry that a reader is done with, of `pushed`; UINT64_MAX: a number that no reader stores. */
static uint64_t released_by(const ring *ring, int rank, uint64_t pushed)
{
    uint64_t released = mst_load64_acq(&reader_of(ring, rank)->released); /* E30 */

    return released <= pushed ? released : UINT64_MAX;
}

/* The reader that has come least far, the first of them; -1: there is no reader. */
static int slowest(const ring *ring, uint64_t pushed, uint64_t *released)
{
    int found = -1;

    *released = pushed;
    for (int rank = 0; rank < ring->group->base.size; rank++) {
        uint64_t now = ring->active[rank] ? released_by(ring, rank, pushed) : pushed;

        if (!ring->active[rank] || (found >= 0 && now >= *released))
            continue;
        *released = now;
        found = rank;
    }
    return found;
}

static void ring_lag(const muster_queue *queue, int *rank, uint64_t *entries)
{
    const ring *ring = (const struct ring *)queue;
    uint64_t pushed = ring->number - 1, released;

    *rank = slowest(ring, pushed, &released);
    *entries = *rank < 0 || released > pushed ? 0 : pushed - released;
}

static int ring_drop(muster_queue *queue)
{
    ring *ring = ring_of(queue);
    int left = 0;

    for (int rank = 0; rank < ring->group->base.size; rank++) {
        ring->active[rank] = ring->active[rank] && !mst_member_is_gone(ring->group, rank);
        left += ring->active[rank];
    }
    return left;
}

/* ---- pushing ---- */

/* Whether the next entry has a place; notes how far the slowest reader has come. */
static bool has_room(const void *call)
{
    ring *ring = (struct ring *)(uintptr_t)call;
    uint64_t pushed = ring->number - 1, released;

    if (ring->number <= ring->free_until)
        return true;
    int rank = slowest(ring, pushed, &released);
    ring->damaged = rank >= 0 && (released > pushed || released + ring->base.entries < ring->free_until);
    if (!ring->damaged)
        ring->free_until = released + ring->base.entries;
    return ring->damaged || ring->number <= ring->free_until;
}

static int find_slowest(const void *call)
{
    const ring *ring = call;
    uint64_t released;

    return slowest(ring, ring->number - 1, &released);
}

/* A reader that has ended without leaving; -1: none. Costs one load while nobody ends. */
static int find_dead(ring *ring)
{
    const mst_geometry *geometry = &ring->group->subarena->attachment->geometry;
    uint32_t terminations = mst_termination_count(geometry);

    if (terminations == ring->terminations)
        return -1;
    for (int rank = 0; rank < ring->group->base.size; rank++)
        if (ring->active[rank] && mst_subarena_has_member(ring->group->subarena, rank) &&
            mst_member_is_gone(ring->group, rank))
            return rank;
    ring->terminations = terminations;
    return -1;
}

static muster_status explain_full(ring *ring, const mst_alone *call)
{
    uint64_t pushed = ring->number - 1, released;
    int rank = slowest(ring, pushed, &released), others = 0;
    char more[60] = "";

    for (int other = 0; other < ring->group->base.size; other++)
        others += ring->active[other] && other != rank && released_by(ring, other, pushed) == released;
    if (others)
        snprintf(more, sizeof more, ", and %d more reader%s", others, others == 1 ? "" : "s");
    mst_fail(MUSTER_ERR_TIMED_OUT,
             "rank %d waited %.3g s in push: rank %d lags %llu entries behind, which is the whole queue%s",
             ring->group->base.rank, mst_alone_waited_s(call), rank, (unsigned long long)(pushed - released),
             more);
    mst_alone_late(call, rank);
    return MUSTER_ERR_TIMED_OUT;
}

static muster_status make_room(ring *ring, mst_alone *call)
{
    int dead = find_dead(ring);

    if (dead >= 0)
        return mst_alone_refuse(call, dead);
    muster_status status = mst_alone_wait(call, &ring->waiter);
    if (status == MUSTER_OK && ring->damaged)
        return damaged(ring, find_slowest(ring));
    return status == MUSTER_ERR_TIMED_OUT ? explain_full(ring, call) : status;
}

static void publish(ring *ring, const void *entry, size_t bytes)
{
    mst_group *group = ring->group;
    mst_queue_place *place = place_of(ring, ring->number);

    place->bytes = bytes;
    if (bytes)
        memcpy(place + 1, entry, bytes);
    mst_fault_point("queue.filled");
    mst_exchange64_sc(&place->stamp, ring->number); /* E29: then the look for sleepers, E9 */
    mst_fault_point("queue.pushed");
    ring->number++;
    for (int rank = 0; rank < group->base.size; rank++)
        if (ring->active[rank])
            mst_eventcount_ring(&group->subarena->cells[rank]->doorbell);
}

static muster_status ring_push(muster_queue *queue, const void *entry, size_t bytes, int64_t timeout_ns)
{
    ring *ring = ring_of(queue);
    mst_alone call = { .group = ring->group,
                       .class = MUSTER_CALL_SEND,
                       .doing = { .kind = MST_DOING_PUSH,
                                  .dtype = MUSTER_UINT8,
                                  .peer = -1,
                                  .count = bytes,
                                  .operation = ring->number },
                       .there = has_room,
                       .find_peer = find_slowest,
                       .call = ring,
                       .timeout_ns = timeout_ns };

    mst_group_begin(ring->group);
    if (ring->number > ring->free_until) /* for observers: whom it would wait for */
        call.doing.peer = find_slowest(ring);
    muster_status status = make_room(ring, &call);
    if (status == MUSTER_OK)
        publish(ring, entry, bytes);
    mst_alone_end(&call, &ring->waiter, status);
    return status;
}

/* ---- reading ---- */

/* Whether the next entry is there, or a stamp that the writer never stores: its place has that of the entry
 * before until then. */
static bool has_entry(const void *call)
{
    ring *ring = (struct ring *)(uintptr_t)call;
    uint64_t stamp = mst_load64_acq(&place_of(ring, ring->number)->stamp); /* E29 */

    if (stamp == ring->number)
        return true;
    ring->damaged = stamp != (ring->number > ring->base.entries ? ring->number - ring->base.entries : 0);
    return ring->damaged;
}

static int find_writer(const void *call)
{
    return ((const ring *)call)->base.writer;
}

static muster_status ring_peek(muster_queue *queue, int64_t timeout_ns, const void **entry, size_t *bytes)
{
    ring *ring = ring_of(queue);
    mst_alone call = { .group = ring->group,
                       .class = MUSTER_CALL_RECEIVE,
                       .doing = { .kind = MST_DOING_POP, .peer = queue->writer, .operation = ring->number },
                       .there = has_entry,
                       .find_peer = find_writer,
                       .call = ring,
                       .timeout_ns = timeout_ns };

    mst_group_begin(ring->group);
    muster_status status = mst_alone_wait(&call, &ring->waiter);
    const mst_queue_place *place = place_of(ring, ring->number);
    uint64_t found = status == MUSTER_OK ? place->bytes : 0; /* read once */
    if (status == MUSTER_OK && (ring->damaged || found > queue->entry_bytes))
        status = damaged(ring, queue->writer);
    if (status == MUSTER_ERR_TIMED_OUT) {
        mst_fail(status, "rank %d waited %.3g s in pop for rank %d to push entry %llu",
                 ring->group->base.rank, mst_alone_waited_s(&call), queue->writer,
                 (unsigned long long)ring->number);
        mst_alone_late(&call, queue->writer);
    }
    mst_alone_end(&call, &ring->waiter, status);
    if (status != MUSTER_OK)
        return status;
    *entry = place + 1;
    *bytes = found;
    return MUSTER_OK;
}

static void ring_release(muster_queue *queue)
{
    ring *ring = ring_of(queue);
    const mst_subarena *subarena = ring->group->subarena;

    mst_fault_point("queue.read");
    mst_exchange64_sc(&reader_of(ring, subarena->rank)->released, ring->number); /* E30: then E9 */
    mst_fault_point("queue.released");
    ring->number++;
    mst_eventcount_ring(&subarena->cells[queue->writer]->doorbell);
}

const mst_queue_methods mst_ring_methods = {
    .create = ring_create,
    .push = ring_push,
    .peek = ring_peek,
    .release = ring_release,
    .drop = ring_drop,
    .lag = ring_lag,
    .close = ring_close,
};
