/* Journals of started operations, for journal.h. */
#include "shm/group/journal.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/group/group_blocks.h"
#include "shm/wait/wait.h"

#define SEGMENT_BYTES (64 * 1024ULL)
#define SPARES_MAX 8  /* segments that are kept for the next operations */
#define SPARE_RATIO 4 /* a spare segment that many times larger than needed is left to larger ones */

/* A block of our heap with entries. */
typedef struct mst_segment {
    struct mst_segment *next;
    uint64_t offset, bytes, used;
    uint64_t last; /* number of the last entry in it */
} segment;

bool mst_journal_init(mst_journal *journal, mst_subarena *subarena)
{
    size_t size = (size_t)subarena->size;

    *journal = (mst_journal){ .subarena = subarena };
    journal->positions[MST_JOURNAL_READ] = calloc(size, sizeof(mst_journal_entry *));
    journal->positions[MST_JOURNAL_DONE] = calloc(size, sizeof(mst_journal_entry *));
    return journal->positions[MST_JOURNAL_READ] && journal->positions[MST_JOURNAL_DONE];
}

static void free_list(segment *first)
{
    for (segment *next; first; first = next) {
        next = first->next;
        free(first);
    }
}

void mst_journal_destroy(mst_journal *journal)
{
    free_list(journal->oldest);
    free_list(journal->spare);
    free(journal->positions[MST_JOURNAL_READ]);
    free(journal->positions[MST_JOURNAL_DONE]);
}

/* ---- counts ---- */

static mst_journal_lines *lines_of(const mst_journal *journal, int rank)
{
    return &journal->subarena->cells[rank]->journal;
}

static _Atomic uint64_t *count_of(mst_journal_lines *lines, mst_journal_stage stage)
{
    return stage == MST_JOURNAL_STARTED ? &lines->started
           : stage == MST_JOURNAL_READ  ? &lines->read
                                        : &lines->done;
}

uint64_t mst_journal_own(const mst_journal *journal, mst_journal_stage stage)
{
    /* E33, E34: another thread of this rank may have advanced it */
    return mst_load64_acq(count_of(lines_of(journal, journal->subarena->rank), stage));
}

bool mst_journal_has_come(const mst_journal *journal, mst_journal_stage stage, int rank, uint64_t count)
{
    return mst_load64_acq(count_of(lines_of(journal, rank), stage)) >= count; /* E32, E33, E34 */
}

uint64_t mst_journal_all(const mst_journal *journal, mst_journal_stage stage)
{
    uint64_t least = mst_journal_own(journal, stage);

    for (int rank = 0; rank < journal->subarena->size; rank++) {
        uint64_t count = mst_load64_acq(count_of(lines_of(journal, rank), stage)); /* E32, E33, E34 */

        least = count < least ? count : least;
    }
    return least;
}

void mst_journal_advance(mst_journal *journal, mst_journal_stage stage, uint64_t count)
{
    const mst_subarena *subarena = journal->subarena;

    mst_fault_point("journal.advance");
    /* E32, E33, E34: publishes what came before */
    mst_exchange64_sc(count_of(lines_of(journal, subarena->rank), stage), count);
    mst_fault_point("journal.advanced");
    for (int rank = 0; rank < subarena->size; rank++) { /* our own, too: another thread of ours may wait */
        mst_eventcount_ring(&subarena->cells[rank]->doorbell);
        mst_eventcount_ring(
            &mst_layout_entry(&subarena->attachment->geometry, subarena->members[rank].seat)->doorbell);
    }
}

/* ---- entries ---- */

/* The one behind `entry`; NULL is ahead of the first one. */
static const mst_journal_entry *behind(const mst_subarena *subarena, int rank, const mst_journal_entry *entry)
{
    uint64_t offset = entry ? entry->next : subarena->cells[rank]->journal.first; /* read once */

    if (offset % MST_CACHE_LINE_BYTES)
        return NULL;
    return mst_layout_heap_at(&subarena->attachment->geometry, subarena->members[rank].seat, offset,
                              sizeof *entry);
}

const mst_journal_entry *mst_journal_next(mst_journal *journal, mst_journal_stage stage, int rank)
{
    const mst_journal_entry **position = &journal->positions[stage][rank];
    const mst_journal_entry *entry = behind(journal->subarena, rank, *position);

    if (entry)
        *position = entry;
    return entry;
}

/* ---- whoever has started more ---- */

bool mst_journal_is_ahead(const mst_subarena *subarena, int rank)
{
    /* E32: only a thread of ours advances our own */
    return mst_load64_acq(&subarena->cells[rank]->journal.started) >
           mst_load64_acq(&subarena->cells[subarena->rank]->journal.started);
}

const mst_journal_entry *mst_journal_first_ahead(const mst_subarena *subarena, const mst_journal *journal,
                                                 int rank)
{
    const mst_journal_entry *entry = journal ? journal->positions[MST_JOURNAL_READ][rank] : NULL;
    uint64_t started = mst_load64_acq(&subarena->cells[subarena->rank]->journal.started); /* E32 */
    uint64_t at = journal ? mst_journal_own(journal, MST_JOURNAL_READ) : 0;

    do
        entry = behind(subarena, rank, entry);
    while (entry && at++ < started);
    return entry;
}

/* ---- segments ---- */

static segment *take_spare(mst_journal *journal, uint64_t bytes)
{
    for (segment **link = &journal->spare; *link; link = &(*link)->next) {
        segment *found = *link;

        if (found->bytes < bytes || (found->bytes > SEGMENT_BYTES && found->bytes / SPARE_RATIO > bytes))
            continue;
        *link = found->next;
        journal->spare_count--;
        return found;
    }
    return NULL;
}

static void release_spares(mst_journal *journal)
{
    for (segment *next, *at = journal->spare; at; at = next) {
        next = at->next;
        mst_subarena_release_block(journal->subarena, at->offset);
        free(at);
    }
    journal->spare = NULL;
    journal->spare_count = 0;
}

void mst_journal_reclaim(mst_journal *journal)
{
    if (journal->oldest == journal->newest)
        return;
    uint64_t done = mst_journal_all(journal, MST_JOURNAL_DONE);
    while (journal->oldest != journal->newest && journal->oldest->last < done) {
        segment *over = journal->oldest;

        journal->oldest = over->next;
        mst_fault_point("journal.reclaim");
        if (journal->spare_count == SPARES_MAX) {
            mst_subarena_release_block(journal->subarena, over->offset);
            free(over);
            continue;
        }
        over->next = journal->spare;
        journal->spare = over;
        journal->spare_count++;
    }
}

/* NULL and *status: it cannot. */
static segment *claim(mst_journal *journal, uint64_t bytes, muster_status *status)
{
    segment *made = calloc(1, sizeof *made);

    if (!made) {
        *status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for started operations");
        return NULL;
    }
    made->bytes = bytes < SEGMENT_BYTES ? SEGMENT_BYTES : bytes;
    *status = mst_subarena_claim_block(journal->subarena, made->bytes, &made->offset);
    if (*status == MUSTER_ERR_NO_SPACE && journal->spare) {
        release_spares(journal);
        *status = mst_subarena_claim_block(journal->subarena, made->bytes, &made->offset);
    }
    if (*status == MUSTER_OK)
        return made;
    free(made);
    return NULL;
}

static muster_status add_segment(mst_journal *journal, uint64_t bytes)
{
    muster_status status = MUSTER_OK;

    mst_journal_reclaim(journal);
    segment *added = take_spare(journal, bytes);
    if (!added)
        added = claim(journal, bytes, &status);
    if (!added)
        return status;
    added->next = NULL;
    added->used = 0;
    added->last = UINT64_MAX; /* until there is an entry in it */
    *(journal->newest ? &journal->newest->next : &journal->oldest) = added;
    journal->newest = added;
    return MUSTER_OK;
}

muster_status mst_journal_append(mst_journal *journal, uint64_t bytes, mst_journal_entry **entry,
                                 uint64_t *offset)
{
    mst_subarena *subarena = journal->subarena;
    uint64_t own = mst_journal_own(journal, MST_JOURNAL_STARTED);
    uint64_t all = sizeof **entry + (bytes + MST_LINE - 1) / MST_LINE * MST_LINE;

    if (!journal->newest || journal->newest->bytes - journal->newest->used < all) {
        muster_status status = add_segment(journal, all);
        if (status != MUSTER_OK)
            return status;
    }
    segment *segment = journal->newest;
    uint64_t at = segment->offset + segment->used;
    *entry = (mst_journal_entry *)mst_layout_at(&subarena->attachment->geometry, subarena->own.seat, at);
    *offset = at + sizeof **entry;
    **entry = (mst_journal_entry){ .next = 0 };
    if (journal->latest)
        journal->latest->next = at; /* published by E32 */
    else
        lines_of(journal, subarena->rank)->first = at;
    journal->latest = *entry;
    segment->used += all;
    segment->last = own + 1;
    return MUSTER_OK;
}
