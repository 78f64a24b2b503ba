/* Entries of started collectives with counts by rank, for varied_started.h. */
#include "src/onehost/coll/varied_started.h"

#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/disagree.h"
#include "src/onehost/coll/varied.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/wait/broken.h"
#include "src/pure/partition.h"

/* The three parts of an entry's numbers, each by rank. */
enum { GIVES, TAKES, PLACES, PARTS };

/* The blocks behind the numbers keep the alignment of their elements. */
static size_t numbers_bytes(const mst_group *group)
{
    return (sizeof(mst_varied_entry) + PARTS * (size_t)group->base.size * sizeof(uint64_t) + 15) / 16 * 16;
}

static uint64_t number_at(const mst_group *group, const mst_varied_entry *entry, int part, int rank)
{
    return entry->numbers[part * group->base.size + rank]; /* E32: read once */
}

/* The output would replace this rank's own input before that has been read: a copy behind the numbers is
 * read. */
static bool keeps_own(const mst_call *call)
{
    const mst_request *request = call->request;

    return call->plan.assembled && mst_overlap(request->in, request->in_elements * request->element_bytes,
                                               request->out, request->out_elements * request->element_bytes);
}

uint64_t mst_varied_plan(mst_call *call, bool *lends)
{
    const mst_request *request = call->request;
    bool reduces = mst_shapes[request->collective].reduces;
    size_t needed = reduces ? request->in_elements * request->element_bytes : mst_varied_needed(call), begin;

    mst_combine_plan(call);
    call->plan.in_bytes = needed;
    call->plan.out_bytes = request->out_elements * request->element_bytes;
    *lends = !keeps_own(call) && mst_varied_in_offset(call, needed, &begin) != 0;
    return numbers_bytes(call->group) + (*lends ? 0 : needed);
}

/* ---- filling ---- */

/* Where in the input the block for that rank is; *packed: the elements of the blocks before it. */
static size_t place_in(const mst_request *request, int rank, size_t *packed)
{
    size_t at = *packed;

    if (!request->gives.counts)
        return 0;
    *packed += mst_counts_of(&request->gives, rank);
    return request->in_blocks.displacements ? request->in_blocks.displacements[rank] : at;
}

/* Writes where each rank's block is: in the user's buffer, which begins at `lent`, or behind the numbers, at
 * `copied`, to which they are copied. */
static void fill_places(const mst_call *call, mst_varied_entry *entry, uint64_t lent, uint64_t copied)
{
    const mst_group *group = call->group;
    const mst_request *request = call->request;
    unsigned char *to = (unsigned char *)entry + numbers_bytes(group);
    bool is_copied = false;
    size_t packed = 0, used = 0;

    for (int rank = 0; rank < group->base.size; rank++) {
        size_t at = place_in(request, rank, &packed) * request->element_bytes;
        size_t bytes = mst_counts_of(&request->gives, rank) * request->element_bytes;
        bool needs =
            bytes && (rank != group->base.rank || keeps_own(call)); /* our own is read from the buffer */

        entry->numbers[PLACES * group->base.size + rank] = lent ? lent + at : copied + used;
        if (lent || !needs || is_copied)
            continue;
        group->kernels->copy(to + used, (const unsigned char *)request->in + at, bytes);
        if (request->gives.counts)
            used += bytes;
        else
            is_copied = true; /* the same block for all */
    }
}

void mst_varied_fill(mst_call *call, mst_journal_entry *journal_entry, uint64_t offset)
{
    const mst_group *group = call->group;
    const mst_request *request = call->request;
    mst_varied_entry *entry = (mst_varied_entry *)(journal_entry + 1);
    uint64_t lent = 0;
    size_t begin;

    entry->balance = mst_counts_balance(&request->gives, &request->takes, group->base.rank);
    for (int rank = 0; rank < group->base.size; rank++) {
        entry->numbers[GIVES * group->base.size + rank] = mst_counts_of(&request->gives, rank);
        entry->numbers[TAKES * group->base.size + rank] = mst_counts_of(&request->takes, rank);
    }
    if (journal_entry->lends)
        lent = mst_varied_in_offset(call, call->plan.in_bytes, &begin) - begin;
    fill_places(call, entry, lent, offset + numbers_bytes(group));
    call->in_offset = offset;
}

/* ---- reading ---- */

static const void *peer_at(const mst_group *group, int rank, uint64_t offset, size_t bytes)
{
    const mst_subarena *subarena = group->subarena;

    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset, bytes);
}

/* Every rank looks at all pairs in the same order. in: the entries. */
static muster_status disagree(const mst_call *call, const unsigned char *const *in)
{
    const mst_group *group = call->group;

    for (int taker = 0; taker < group->base.size; taker++)
        for (int giver = 0; giver < group->base.size; giver++) {
            const void *gives = in[giver], *takes = in[taker];
            mst_count_finding finding = { .given = number_at(group, gives, GIVES, taker),
                                          .taken = number_at(group, takes, TAKES, giver),
                                          .found = 1,
                                          .from = (uint32_t)giver };

            if (finding.given != finding.taken)
                return mst_varied_tell(call, taker, &finding);
        }
    return mst_varied_tell_none(call);
}

/* Where our own block is: in the buffer, which is in our cache. */
static const unsigned char *own_block(const mst_call *call)
{
    size_t packed = 0, at = 0;

    for (int rank = 0; rank <= call->group->base.rank; rank++)
        at = place_in(call->request, rank, &packed);
    return (const unsigned char *)call->request->in + at * call->request->element_bytes;
}

static muster_status find_blocks(const mst_call *call, const unsigned char **in)
{
    const mst_group *group = call->group;
    int own = group->base.rank;

    for (int rank = 0; rank < group->base.size; rank++) {
        const void *entry = in[rank];
        size_t bytes = mst_counts_of(&call->request->takes, rank) * call->request->element_bytes;

        if (bytes == 0)
            in[rank] = NULL;
        else if (rank == own && !keeps_own(call))
            in[rank] = own_block(call);
        else
            in[rank] = peer_at(group, rank, number_at(group, entry, PLACES, own), bytes);
        if (bytes && !in[rank])
            return mst_varied_damaged(call, rank);
    }
    return MUSTER_OK;
}

muster_status mst_varied_collect(const mst_call *call, const mst_call_record *records,
                                 const unsigned char **in)
{
    const mst_group *group = call->group;
    uint64_t balance = 0;

    for (int rank = 0; rank < group->base.size; rank++) {
        const mst_varied_entry *entry = peer_at(group, rank, records[rank].in_offset, numbers_bytes(group));

        if (!entry)
            return mst_varied_damaged(call, rank);
        in[rank] = (const unsigned char *)entry;
        balance += entry->balance; /* E32: read once */
    }
    return balance == 0 ? find_blocks(call, in) : disagree(call, in);
}
