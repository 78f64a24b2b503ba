/* Claims, initialises and frees the cells of cell.h. */
#include "shm/group/cell.h"

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/wait/poison.h"

#define SLOTS_BYTES (2 * MST_SMALL_BYTES)

static_assert(sizeof(mst_cell) == MST_EXTENT_UNIT && SLOTS_BYTES % MST_EXTENT_UNIT == 0,
              "cells and slots are committed one by one");

static void init_sequence(mst_sequence_lines *sequence)
{
    mst_store32_rlx(&sequence->even.word, 0);
    mst_store32_rlx(&sequence->odd.word, 0);
    mst_store32_rlx(&sequence->sleepers, 0);
}

void mst_cell_init(mst_cell *cell, uint64_t membership)
{
    mst_store64_rlx(&cell->poison, mst_poison_none(membership));
    mst_store64_rlx(&cell->channels, 0);
    mst_store64_rlx(&cell->regroups, 0);
    mst_store64_rlx(&cell->decided, 0);
    mst_store64_rlx(&cell->pairs, 0);
    for (int i = 0; i < MST_NAME_WORDS; i++)
        mst_store64_rlx(&cell->name[i], 0);
    mst_store32_rlx(&cell->chunks_word, 0);
    mst_store32_rlx(&cell->chunks_sleepers, 0);
    for (int i = 0; i < MST_CHUNKS_MAX; i++)
        mst_store64_rlx(&cell->chunks[i], 0);
    cell->staging_offset = 0;
    init_sequence(&cell->collectives);
    init_sequence(&cell->splits);
    mst_store32_rlx(&cell->gathered[0].word, 0);
    mst_store32_rlx(&cell->gathered[1].word, 0);
    mst_store32_rlx(&cell->release.word, 0);
    mst_store64_rlx(&cell->journal.started, 0);
    mst_store64_rlx(&cell->journal.read, 0);
    mst_store64_rlx(&cell->journal.done, 0);
    cell->journal.first = 0;
    mst_store32_rlx(&cell->doorbell.word, 0);
    mst_store32_rlx(&cell->doorbell.sleepers, 0);
    cell->reason_bytes = 0;
    cell->reason_limit_ns = 0;
    cell->reason_pair = 0;
    mst_fault_point("cell.open");
    mst_store64_rel(&cell->membership, membership); /* E10; peers read the cell after E1 or E3 */
}

void mst_cell_free(mst_attachment *attachment, uint32_t index)
{
    pthread_mutex_lock(&attachment->lock);
    attachment->cells.in_use[index] = false;
    pthread_mutex_unlock(&attachment->lock);
}

/* Cells and their slots are committed in order, and never released: at most 48 MiB per rank. */
static muster_status commit_cells(mst_attachment *attachment, uint32_t index)
{
    const mst_geometry *geometry = &attachment->geometry;
    mst_memory *memory = &attachment->memory;
    uint32_t seat = attachment->seat, next = attachment->cells.committed;

    if (index < next)
        return MUSTER_OK;
    muster_status status = mst_memory_commit(memory, mst_layout_cell(geometry, seat, next), sizeof(mst_cell),
                                             "a group's control lines");
    if (status == MUSTER_OK)
        status = mst_memory_commit(memory, mst_layout_slots(geometry, seat, next), SLOTS_BYTES,
                                   "a group's small slots");
    if (status == MUSTER_OK)
        attachment->cells.committed++;
    return status;
}

muster_status mst_cell_claim(mst_attachment *attachment, uint32_t *index, uint64_t *membership)
{
    muster_status status = MUSTER_OK;
    uint32_t at = 0;

    pthread_mutex_lock(&attachment->lock);
    while (at < MST_CELLS_MAX && attachment->cells.in_use[at])
        at++;
    if (at == MST_CELLS_MAX)
        status = mst_fail(MUSTER_ERR_NO_SPACE,
                          "rank %u is in %d groups, which is the maximum; free those, and shares and queues, "
                          "that are no longer needed",
                          attachment->rank, MST_CELLS_MAX);
    else
        status = commit_cells(attachment, at);
    if (status == MUSTER_OK) {
        attachment->cells.in_use[at] = true;
        attachment->cells.generations[at]++;
        *index = at;
        *membership = 2 * (uint64_t)attachment->cells.generations[at] + 1;
    }
    pthread_mutex_unlock(&attachment->lock);
    return status;
}

void mst_cell_leave(mst_attachment *attachment, uint32_t index, uint64_t membership)
{
    mst_cell *cell = mst_layout_cell(&attachment->geometry, attachment->seat, index);

    mst_fault_point("cell.leave");
    mst_store64_rel(&cell->membership, membership - 1); /* E10: our last access to peers' memory is before */
}
