/* Packs requests into a word and compares records, for agree.h. */
#include "src/onehost/coll/agree.h"

#include <stdio.h>
#include <string.h>

#include "src/onehost/coll/describe.h"
#include "src/onehost/group/remote.h"
#include "src/onehost/wait/broken.h"
#include "src/pure/dtype.h"

_Static_assert(MST_COLLECTIVE_COUNT <= 1 << 5 && MUSTER_DTYPE_COUNT < 1 << 5 && MST_OP_CODES <= 1 << 4 &&
                   MST_RANKS_MAX <= 1 << 10,
               "mst_request_packed has no room for more: requests that differ would look alike");

/* Varied counts differ by rank, and are compared by their balances. */
uint64_t mst_request_packed(const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];
    uint64_t asked = shape->varied ? 0 : call->request->count;
    uint64_t count = asked < MST_COUNT_PACKED_MAX ? asked : MST_COUNT_PACKED_MAX;
    uint64_t root = shape->rooted ? (uint64_t)call->request->root : 0,
             op = shape->reduces ? (uint64_t)call->request->op : 0,
             dtype = call->request->dtype < MUSTER_DTYPE_COUNT ? (uint64_t)call->request->dtype
                                                               : MUSTER_DTYPE_COUNT;

    return (uint64_t)call->request->collective | dtype << 5 | op << 10 | root << 14 | count << 24;
}

/* `varied`: the counts need not be equal. */
static bool same_request(const mst_call_record *a, const mst_call_record *b, bool varied)
{
    return a->operation == b->operation && a->collective == b->collective &&
           (varied || a->count == b->count) && a->dtype == b->dtype && a->op == b->op && a->root == b->root &&
           (a->op != MST_OP_USER || strcmp(a->made, b->made) == 0);
}

static muster_status mismatch(const mst_call *call, const mst_call_record *records, int rank)
{
    char first[100], other[100];

    mst_request_describe(&records[0], first, sizeof first);
    mst_request_describe(&records[rank], other, sizeof other);
    return mst_group_poison_pair(call->group, rank, 0,
                                 "rank 0 called %s and rank %d called %s, as operation %llu of the group",
                                 first, rank, other, (unsigned long long)call->operation);
}

/* Offsets come from a peer: they must be in that peer's own heap. */
static bool plausible(const mst_call *call, int rank, const mst_call_record *record)
{
    const mst_subarena *subarena = call->group->subarena;
    const mst_geometry *geometry = &subarena->attachment->geometry;
    uint32_t seat = subarena->members[rank].seat;
    const mst_shape *shape = &mst_shapes[call->request->collective];

    if (shape->varied) /* what they are is known from the counts, later */
        return true;
    return (record->in_offset == 0 || (call->plan.one_copy && mst_is_address(record->in_offset)) ||
            mst_layout_heap_at(geometry, seat, record->in_offset, mst_call_bytes(call, shape->in, rank))) &&
           (record->out_offset == 0 ||
            mst_layout_heap_at(geometry, seat, record->out_offset, mst_call_bytes(call, shape->out, rank)));
}

void mst_record_copy(mst_call_record *to, const mst_call_record *from)
{
    *to = *from;
    if (to->op == MST_OP_USER)
        to->made[sizeof to->made - 1] = '\0';
}

/* Every rank compares each record with rank 0's, so that all ranks report the same two sides. */
muster_status mst_records_compare(const mst_call *call, const mst_call_record *records)
{
    uint32_t collective = records[0].collective;
    bool varied = collective < MST_COLLECTIVE_COUNT && mst_shapes[collective].varied;

    for (int rank = 1; rank < call->group->base.size; rank++)
        if (!same_request(&records[0], &records[rank], varied))
            return mismatch(call, records, rank);
    for (int rank = 0; rank < call->group->base.size; rank++) {
        if ((records[rank].reads != MST_READS_STAGED) != call->plan.one_copy)
            return mst_group_poison(
                call->group, MST_POISON_DAMAGE,
                "rank %d and rank %d do not agree whether inputs are staged: the arena is "
                "damaged",
                call->group->base.rank, rank);
        if (!plausible(call, rank, &records[rank]))
            return mst_group_poison(
                call->group, MST_POISON_DAMAGE,
                "rank %d says that its buffer is outside its region: the arena is damaged", rank);
    }
    return MUSTER_OK;
}
