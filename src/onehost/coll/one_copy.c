/* Reads private inputs where they are, as one_copy.h describes. */
#include "src/onehost/coll/one_copy.h"

#include "src/onehost/coll/round.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/group/remote.h"

bool mst_one_copy_wanted(const mst_call *call)
{
    const mst_group *group = call->group;
    size_t bytes = call->request->count * call->request->element_bytes;

    return group->one_copy && mst_methods[call->request->collective]->read &&
           bytes >= group->tuning.one_copy_bytes_min && bytes <= group->tuning.one_copy_bytes_max;
}

void mst_one_copy_lend(mst_call *call)
{
    if (call->in_offset == 0 && call->plan.in_bytes)
        call->in_offset = mst_address_mark(call->request->in);
    call->reads = call->group->reads_all ? MST_READS_ALL : MST_READS_REFUSED;
}

/* ---- reading, by one thread or several ---- */

#define PART_BYTES_MIN (128 * 1024) /* of one read: each is a system call, and looks whose memory it is */

typedef struct lent {
    const mst_call *call;
    int rank;
    unsigned char *to;
    uint64_t address;
    _Atomic uint32_t *refused; /* 1: some part could not be read */
} lent;

static void read_part(const void *work, mst_part part)
{
    const lent *lent = work;

    if (!mst_remote_read(lent->call->group, lent->rank, lent->to + part.at, lent->address + part.at,
                         part.bytes))
        mst_store32_rlx(lent->refused, 1);
}

static bool read_remote(const mst_call *call, int rank, unsigned char *to, uint64_t address, size_t bytes)
{
    _Atomic uint32_t refused = 0;
    lent lent = { call, rank, to, address, &refused };

    if (!mst_team_shares(call->team, bytes))
        return mst_remote_read(call->group, rank, to, address, bytes);
    mst_team_do(
        call->team,
        (mst_team_job){ .fn = read_part, .work = &lent, .bytes = bytes, .part_bytes_min = PART_BYTES_MIN });
    return !mst_load32_rlx(&refused);
}

bool mst_read_lent(const mst_call *call, int rank, size_t in_at, size_t out_at, size_t bytes)
{
    uint64_t place = call->group->records[rank].in_offset;

    if (rank == call->group->base.rank)
        mst_deliver(call, out_at, (const unsigned char *)call->request->in + in_at, bytes);
    else if (mst_is_address(place))
        return read_remote(call, rank, (unsigned char *)call->request->out + out_at,
                           mst_address_of(place) + in_at, bytes);
    else if (place)
        mst_deliver(call, out_at, mst_view(call, rank, in_at, 0), bytes);
    return place != 0;
}

/* By the records, which all have: the same answer on all ranks. */
static bool can_all_read(const mst_call *call)
{
    for (int rank = 0; rank < call->group->base.size; rank++)
        if (call->group->records[rank].reads != MST_READS_ALL)
            return false;
    return true;
}

/* The last round. Each rank's `refused` is in its arrival line, in place of the request of a first round. */
static muster_status close_round(mst_call *call, bool *refused)
{
    mst_sequence_next(call->sequence)->request = *refused; /* published by E2 */
    muster_status status = mst_round(call, 0);
    for (int rank = 0; rank < call->group->base.size && status == MUSTER_OK; rank++)
        if (mst_sequence_arrival(call->sequence, rank)->request) /* E2: read once */
            *refused = true;
    return status;
}

/* All ranks come here in the same operation. Inputs in the arena are still read there. */
static void stage_from_now_on(mst_call *call)
{
    mst_group *group = call->group;

    group->one_copy = false;
    mst_log_line(group->base.log, MUSTER_LOG_INFO,
                 "a rank of a group of %d cannot read what a peer lends: the group stages from now on",
                 group->base.size);
    for (int rank = 0; rank < group->base.size; rank++)
        if (mst_is_address(group->records[rank].in_offset))
            group->records[rank].in_offset = 0;
    if (mst_is_address(call->in_offset))
        call->in_offset = 0;
    call->plan.one_copy = false;
    call->views = mst_any_input_in_arena(call);
}

muster_status mst_one_copy(mst_call *call, bool *done)
{
    muster_status status = call->met ? MUSTER_OK : mst_round(call, 0);
    bool refused = status != MUSTER_OK || !can_all_read(call);

    if (!refused) {
        refused = !mst_methods[call->request->collective]->read(call);
        status = close_round(call, &refused);
    }
    if (status == MUSTER_OK && refused)
        stage_from_now_on(call);
    *done = !refused;
    return status;
}
