/* Tables and records of pairs.h. */
#include "shm/group/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/group/group_blocks.h"
#include "shm/wait/wait.h"

/* ---- tables ---- */

/* The entries, then the list: its length, and the ranks. */
static uint64_t table_bytes(const mst_subarena *subarena)
{
    return (uint64_t)subarena->size * (sizeof(mst_pair_entry) + sizeof(uint32_t)) + sizeof(uint32_t);
}

static uint32_t *list_of(const mst_subarena *subarena, mst_pair_entry *entries)
{
    return (uint32_t *)(void *)(entries + subarena->size);
}

void mst_pairs_init(mst_pairs *pairs, mst_subarena *subarena)
{
    *pairs = (mst_pairs){ .subarena = subarena };
}

void mst_pairs_destroy(mst_pairs *pairs)
{
    free(pairs->calls);
}

static _Atomic uint64_t *word_of(const mst_subarena *subarena, int rank)
{
    return &subarena->cells[rank]->pairs;
}

static void publish_table(const mst_pairs *pairs, uint64_t word)
{
    mst_fault_point("pairs.open");
    mst_store64_rel(word_of(pairs->subarena, pairs->subarena->rank), word); /* E26 */
    mst_fault_point("pairs.opened");
}

static muster_status claim_table(mst_pairs *pairs)
{
    mst_subarena *subarena = pairs->subarena;
    uint64_t offset;

    muster_status status = mst_subarena_claim_block(subarena, table_bytes(subarena), &offset);
    if (status != MUSTER_OK)
        return status;
    void *table = mst_layout_at(&subarena->attachment->geometry, subarena->own.seat, offset);
    memset(table, 0, table_bytes(subarena));
    pairs->entries = table;
    pairs->list = list_of(subarena, pairs->entries);
    publish_table(pairs, offset);
    return MUSTER_OK;
}

static void ring_for_all(const mst_subarena *subarena)
{
    for (int rank = 0; rank < subarena->size; rank++)
        if (rank != subarena->rank)
            mst_eventcount_advance(&subarena->cells[rank]->doorbell);
}

static muster_status open_table(mst_pairs *pairs)
{
    muster_status status = MUSTER_ERR_NO_SPACE;

    if (pairs->entries)
        return MUSTER_OK;
    if (mst_load64_rlx(word_of(pairs->subarena, pairs->subarena->rank)) == MST_PAIRS_REFUSED)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "this rank had no memory to make subsets of the group, and the others rely on that; "
                        "make them of another group, such as a copy by muster_group_dup");
    pairs->calls = calloc((size_t)pairs->subarena->size, sizeof *pairs->calls);
    if (pairs->calls)
        status = claim_table(pairs);
    else
        mst_fail(MUSTER_ERR_NO_SPACE, "no memory for subsets of a group of %d", pairs->subarena->size);
    if (status == MUSTER_OK)
        return MUSTER_OK;
    publish_table(pairs, MST_PAIRS_REFUSED);
    ring_for_all(pairs->subarena);
    return MUSTER_ERR_NO_SPACE;
}

muster_status mst_pairs_begin(mst_pairs *pairs, const int *ranks, int count)
{
    muster_status status = open_table(pairs);

    if (status != MUSTER_OK)
        return status;
    pairs->list[0] = (uint32_t)count;
    for (int i = 0; i < count; i++)
        pairs->list[1 + i] = (uint32_t)ranks[i]; /* published by E27, with the records */
    return MUSTER_OK;
}

/* ---- records ---- */

void mst_pairs_tell(mst_pairs *pairs, int rank, const mst_pair_record *record)
{
    uint64_t call = ++pairs->calls[rank];
    mst_pair_record *ours = &pairs->entries[rank].records[call & 1];

    ours->list = record->list;
    ours->membership = record->membership;
    ours->cell = record->cell;
    ours->status = record->status;
    mst_fault_point("pairs.tell");
    mst_store64_rel(&ours->call, call); /* E27 */
    mst_fault_point("pairs.told");
    mst_eventcount_advance(&pairs->subarena->cells[rank]->doorbell);
}

/* The member's table; NULL: it has none that can be read. */
static mst_pair_entry *find_entries(const mst_subarena *subarena, int rank, uint64_t offset)
{
    if (offset % MST_EXTENT_UNIT != 0)
        return NULL;
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset,
                              table_bytes(subarena));
}

mst_pair_answer mst_pairs_look(const mst_pairs *pairs, int rank, mst_pair_record *record)
{
    uint64_t word = mst_load64_acq(word_of(pairs->subarena, rank)); /* E26 */

    if (word == 0)
        return MST_PAIR_NOT_YET;
    if (word == MST_PAIRS_REFUSED)
        return MST_PAIR_REFUSED;
    mst_pair_entry *entries = find_entries(pairs->subarena, rank, word);
    if (!entries)
        return MST_PAIR_DAMAGED;
    mst_pair_record *theirs = &entries[pairs->subarena->rank].records[pairs->calls[rank] & 1];
    if (mst_load64_acq(&theirs->call) != pairs->calls[rank]) /* E27 */
        return MST_PAIR_NOT_YET;
    *record = (mst_pair_record){
        .list = theirs->list, .membership = theirs->membership, .cell = theirs->cell, .status = theirs->status
    };
    return MST_PAIR_TOLD;
}

int mst_pairs_list(const mst_pairs *pairs, int rank, int *ranks, int room)
{
    uint64_t word = mst_load64_acq(word_of(pairs->subarena, rank)); /* E26 */
    mst_pair_entry *entries = find_entries(pairs->subarena, rank, word);
    const uint32_t *list = entries ? list_of(pairs->subarena, entries) : NULL;
    uint32_t told = list ? list[0] : 0; /* E27: read once */
    int most = room < pairs->subarena->size ? room : pairs->subarena->size;
    int count = told < (uint32_t)most ? (int)told : most;

    for (int i = 0; i < count; i++)
        ranks[i] = (int)(list[1 + i] % MST_RANKS_MAX);
    return count;
}
