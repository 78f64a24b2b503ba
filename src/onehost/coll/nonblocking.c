/*
 * Nonblocking collectives.
 *
 * Starting copies the input into a block of our heap that the library owns, writes the record that tells the
 * others where the block is, and arrives. Each group has MST_NONBLOCKING_MAX places for nonblocking
 * operations, used in turn, each with its own sequence: arrival lines and records in the cell. Finishing
 * waits on that sequence and then does what the ordinary collective does with inputs in the arena. A place
 * has two blocks and alternates between them: once all ranks have arrived in the same place with one block,
 * nobody reads the other any more.
 *
 * Cost: the copy, one synchronisation, and one read of each peer's input; large reductions need one more
 * synchronisation and read a slice of each input and of each result.
 */
#include "src/onehost/coll/nonblocking.h"

#include <stdlib.h>

#include "shm/base/error.h"
#include "src/onehost/broken.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/run.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/showing.h"

typedef struct block {
    uint64_t offset; /* 0: none */
    size_t bytes;
} block;

/* One place, and its current operation. */
struct mst_nonblocking {
    uint64_t number; /* of the operation; 0: the place is free */
    mst_request request;
    mst_call call;
    mst_sequence sequence;
    block blocks[2];
};

/* ---- starting ---- */

static muster_status prepare_places(mst_group *group)
{
    if (group->nonblocking)
        return MUSTER_OK;
    group->nonblocking = calloc(MST_NONBLOCKING_MAX, sizeof *group->nonblocking);
    if (!group->nonblocking)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for nonblocking operations");
    for (int i = 0; i < MST_NONBLOCKING_MAX; i++)
        mst_sequence_init(&group->nonblocking[i].sequence, group->subarena, MST_SEQUENCE_NONBLOCKING + i,
                          group->base.timeout_ns);
    return MUSTER_OK;
}

/* Makes the block that nobody reads any more at least `bytes` large. */
static muster_status prepare_block(mst_group *group, block *block, size_t bytes)
{
    if (bytes <= block->bytes)
        return MUSTER_OK;
    if (block->offset)
        mst_subarena_release_block(group->subarena, block->offset);
    *block = (struct block){ 0 };
    muster_status status = mst_subarena_claim_block(group->subarena, bytes, &block->offset);
    if (status == MUSTER_OK)
        block->bytes = bytes;
    return status;
}

static muster_status publish(struct mst_nonblocking *place)
{
    mst_call *call = &place->call;
    mst_group *group = call->group;
    size_t in_bytes = mst_call_bytes(call, mst_shapes[call->request->collective].in, group->base.rank);
    unsigned parity = (place->sequence.operations + 1) & 1;
    block *block = &place->blocks[parity];

    muster_status status = prepare_block(group, block, in_bytes);
    if (status != MUSTER_OK)
        return status;
    if (in_bytes > 0) {
        unsigned char *copy =
            mst_layout_at(&group->subarena->attachment->geometry, group->subarena->own.seat, block->offset);

        mst_copy(copy, call->request->in, in_bytes);
        call->in_offset = block->offset;
        place->request.in = copy; /* the user's input may be reused from here on */
    }
    call->sequence = &place->sequence;
    place->sequence.operations++;
    place->sequence.waiter.deadline.limit_ns = group->base.timeout_ns; /* the user may have changed it */
    call->parity = parity;
    call->operation = ++group->operation;
    call->plan.in_bytes = in_bytes;
    call->plan.out_bytes = mst_call_bytes(call, mst_shapes[call->request->collective].out, group->base.rank);
    call->nonblocking = call->plan.viewable = true;
    mst_combine_plan(call);
    mst_call_show(call);
    mst_group_unrecorded(group, MUSTER_CALL_COLLECTIVE);
    mst_call_arrive(call);
    return MUSTER_OK;
}

static muster_status start(mst_group *group, const mst_request *request, uint64_t *number)
{
    muster_status status = prepare_places(group);

    if (status != MUSTER_OK)
        return status;
    struct mst_nonblocking *place = &group->nonblocking[group->start_number % MST_NONBLOCKING_MAX];
    if (place->number)
        return mst_fail(
            MUSTER_ERR_BUSY,
            "an operation of the group that was started is not completed, and at most %d more can be "
            "started after it; wait for it first",
            MST_NONBLOCKING_MAX - 1);
    mst_group_begin(group);
    place->request = *request;
    place->call = (mst_call){ .request = &place->request, .group = group };
    if (group->base.size == 1)
        mst_call_alone(&place->call);
    else
        status = publish(place);
    if (status == MUSTER_OK)
        *number = place->number = mst_started_number(++group->start_number, MUSTER_CALL_COLLECTIVE);
    return status;
}

muster_status mst_call_start(muster_group *of, const mst_request *request, uint64_t *number)
{
    mst_group *group = mst_group_of(of);

    muster_status status = mst_group_ready(group, MUSTER_CALL_COLLECTIVE);
    if (status == MUSTER_OK) {
        status = start(group, request, number);
        mst_group_shown(group, MUSTER_CALL_COLLECTIVE);
    }
    return status == MUSTER_OK ? status : mst_request_failed(request, status);
}

/* ---- finishing ---- */

static struct mst_nonblocking *find(const muster_group *of, uint64_t number)
{
    const mst_group *group = (const mst_group *)of;

    for (int i = 0; number && group->nonblocking && i < MST_NONBLOCKING_MAX; i++)
        if (group->nonblocking[i].number == number)
            return &group->nonblocking[i];
    return NULL;
}

static muster_status refuse(void)
{
    return mst_fail(MUSTER_ERR_INVALID,
                    "the request is not pending: its operation has been completed already");
}

static muster_status finish(struct mst_nonblocking *place)
{
    if (place->call.group->base.size == 1)
        return MUSTER_OK;
    if (place->request.made)
        mst_group_show_op(place->call.group, place->request.made->name);
    mst_call_show(&place->call);
    place->call.group->finishing = true;
    mst_call_begin(&place->call);
    return mst_call_move(&place->call);
}

/* `timeout_ns`: 0: the one that it began with. */
static muster_status complete(struct mst_nonblocking *place, int64_t timeout_ns)
{
    mst_group *group = place->call.group;

    muster_status status = mst_group_ready(group, MUSTER_CALL_COLLECTIVE);
    if (status == MUSTER_OK) {
        if (timeout_ns)
            place->sequence.waiter.deadline.limit_ns = timeout_ns;
        status = finish(place);
        if (status == MUSTER_OK)
            mst_call_end(&place->call);
        mst_group_shown(group, MUSTER_CALL_COLLECTIVE);
    }
    place->number = 0;
    return status;
}

static bool can_complete(const struct mst_nonblocking *place)
{
    const mst_group *group = place->call.group;

    if (mst_subarena_is_broken(group->subarena))
        return true;
    for (int rank = 0; rank < group->base.size && group->base.size > 1; rank++)
        if (!mst_sequence_has_arrived(&place->sequence, rank)) /* E2 */
            return false;
    return true;
}

muster_status mst_call_test(muster_group *of, uint64_t number, bool *over)
{
    struct mst_nonblocking *place = find(of, number);

    *over = place && can_complete(place);
    if (!place)
        return refuse();
    return *over ? complete(place, 0) : MUSTER_OK;
}

/* The first pending one, or the first that does not wait; the count: none. */
static size_t choose(const mst_wait_set *set)
{
    size_t first = set->count;

    for (size_t i = 0; i < set->count; i++) {
        if (!set->requests[i].group)
            continue;
        if (first == set->count)
            first = i;
        if (set->all || can_complete(find(set->requests[i].group, set->requests[i].number)))
            return set->all ? first : i;
    }
    return first;
}

muster_status mst_call_wait(mst_wait_set *set, size_t *index)
{
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && !find(set->requests[i].group, set->requests[i].number))
            return refuse();
    do {
        *index = choose(set);
        if (*index == set->count)
            break;
        muster_request *request = &set->requests[*index];
        status = complete(find(request->group, request->number), set->timeout_ns);
        mst_request_over(request);
    } while (set->all && status == MUSTER_OK);
    return status;
}
