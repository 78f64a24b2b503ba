/* Slots, views and copies, for view.h. */
#include "src/onehost/coll/view.h"

#include <string.h>

#include "shm/base/fault.h"
#include "shm/group/levels.h"
#include "src/pure/partition.h"

void mst_copy(void *to, const void *from, size_t bytes)
{
    if (bytes && to != from)
        memcpy(to, from, bytes);
}

/* ---- slots and views ---- */

size_t mst_slot_bytes(const mst_call *call)
{
    return mst_staging_chunk_max(&call->group->staging, call->plan.part);
}

unsigned char *mst_slot(const mst_call *call)
{
    if (call->plan.in_line)
        return mst_sequence_next(call->sequence)->payload;
    return mst_staging_next(&call->group->staging, call->plan.part);
}

void mst_call_prefetch(const mst_call *call, size_t staged)
{
    mst_sequence_prefetch(call->sequence, 0);
    mst_staging_prefetch(&call->group->staging, call->plan.part, staged);
}

const unsigned char *mst_peer_slot(const mst_call *call, int rank)
{
    if (call->plan.in_line)
        return call->sequence->packed ? mst_levels_payload(call->sequence, rank)
                                      : mst_sequence_arrival(call->sequence, rank)->payload;
    return mst_staging_last(&call->group->staging, call->plan.part, rank);
}

unsigned char *mst_own_slot(const mst_call *call)
{
    if (call->plan.in_line)
        return mst_sequence_own(call->sequence)->payload;
    return mst_staging_own(&call->group->staging, call->plan.part);
}

static unsigned char *member_at(const mst_group *group, int rank, uint64_t offset)
{
    const mst_subarena *subarena = group->subarena;

    return mst_layout_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset);
}

const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at)
{
    uint64_t offset = call->plan.viewable ? call->group->records[rank].in_offset : 0;

    if (offset)
        return member_at(call->group, rank, offset + in_at);
    return mst_peer_slot(call, rank) + slot_at;
}

unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at)
{
    return member_at(call->group, rank, call->group->records[rank].out_offset + out_at);
}

bool mst_all_inputs_in_arena(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];

    if (!call->plan.viewable)
        return false;
    for (int rank = 0; rank < call->group->base.size; rank++)
        if (mst_call_blocks(call, shape->in, rank) && call->group->records[rank].in_offset == 0)
            return false;
    return true;
}

bool mst_all_outputs_in_arena(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];

    if (!call->plan.viewable)
        return false;
    for (int rank = 0; rank < call->group->base.size; rank++)
        if (mst_call_blocks(call, shape->out, rank) && call->group->records[rank].out_offset == 0)
            return false;
    return true;
}

bool mst_any_input_in_arena(const mst_call *call)
{
    for (int rank = 0; rank < call->group->base.size && call->plan.viewable; rank++)
        if (call->group->records[rank].in_offset)
            return true;
    return false;
}

/* ---- copies, by one thread or several ---- */

typedef struct copy {
    void (*by)(void *to, const void *from, size_t bytes);
    unsigned char *to;
    const unsigned char *from;
} copy;

static void copy_part(const void *work, mst_part part)
{
    const copy *copy = work;

    copy->by(copy->to + part.at, copy->from + part.at, part.bytes);
}

static __attribute__((noinline)) void copy_together(const mst_call *call, const copy *copy, size_t bytes)
{
    mst_team_do(
        call->team,
        (mst_team_job){ .fn = copy_part, .work = copy, .bytes = bytes, .lead = mst_team_lead(copy->to, 1) });
}

/* `to` and `from` are different. */
static inline void copy_by(const mst_call *call, void (*by)(void *to, const void *from, size_t bytes),
                           void *to, const void *from, size_t bytes)
{
    if (mst_team_shares(call->team, bytes))
        copy_together(call, &(copy){ by, to, from }, bytes);
    else
        by(to, from, bytes);
}

void mst_copy_together(const mst_call *call, void *to, const void *from, size_t bytes)
{
    if (to != from)
        copy_by(call, mst_copy, to, from, bytes);
}

#define SMALL_BYTES 2048 /* memcpy copies this much with vectors itself, and is called directly */

static void copy_through(const mst_call *call, void *to, const void *from, size_t bytes)
{
    if (bytes <= SMALL_BYTES || to == from)
        mst_copy(to, from, bytes);
    else
        copy_by(call, bytes < call->group->tuning.libc_copy_bytes_min ? call->group->kernels->copy : mst_copy,
                to, from, bytes);
}

/* Inputs that no cache contains: memcpy's `rep movs` reads them faster than vectors do. */
static bool comes_from_memory(const mst_call *call)
{
    return call->plan.in_bytes >= call->group->tuning.stream_bytes_min;
}

void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    mst_store_policy *policy = &call->group->staging_stores;
    unsigned char *to = mst_slot(call) + at;

    mst_fault_point("slot.fill");
    if (mst_store_begin(policy, bytes))
        copy_by(call, call->group->kernels->stream, to, from, bytes);
    else if (bytes > SMALL_BYTES && comes_from_memory(call))
        copy_by(call, mst_copy, to, from, bytes);
    else
        copy_through(call, to, from, bytes);
    mst_store_end(policy, bytes);
}

bool mst_streams_out(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];

    if (call->plan.out_bytes < call->group->tuning.stream_bytes_min)
        return false;
    return !shape->reduces ||
           !mst_overlap(call->request->in, call->plan.in_bytes, call->request->out, call->plan.out_bytes);
}

void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes)
{
    unsigned char *to = (unsigned char *)call->request->out + at;

    if (mst_streams_out(call) && to != from)
        copy_by(call, call->group->kernels->stream, to, from, bytes);
    else
        copy_through(call, to, from, bytes);
}
