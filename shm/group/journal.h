/*
 * Journals: what each member of a group has started, in order, for the others to read.
 *
 * A member appends an entry to its own journal for each operation that it starts: a record, and bytes for the
 * others. All members start the same operations in the same order, so the n-th entries of all journals belong
 * together. Three counts in a member's cell say how far it has come: the operations that it has started
 * (E32), those whose inputs it has all read (E33), and those of which it needs nothing any more (E34). Counts
 * only grow, and those of a member have one writer at a time. An operation is in a stage when the smallest
 * count of all members for that stage includes it, whatever the order in which the program asks for results.
 * So nobody has to wait for one operation in particular: looking at the counts now and then is enough.
 *
 * Entries lie in segments of the member's heap, one behind the other, and each has the offset of the next. A
 * reader follows them in order, once for each of the stages `read` and `done`. So the last entry that a
 * member is done with is still needed, for the offset in it, and a segment may be used again when all members
 * are done with an entry of a later one. Only memory limits how many operations may be pending.
 */
#ifndef MST_JOURNAL_H
#define MST_JOURNAL_H

#include "shm/group/subarena.h"

typedef enum mst_journal_stage {
    MST_JOURNAL_STARTED,
    MST_JOURNAL_READ,
    MST_JOURNAL_DONE,
    MST_JOURNAL_STAGES
} mst_journal_stage;

typedef struct mst_journal {
    mst_subarena *subarena;
    struct mst_segment *oldest, *newest; /* our own, in order */
    struct mst_segment *spare;           /* to be used again */
    int spare_count;
    mst_journal_entry *latest; /* our own */
    /* By stage, and by rank: the entry that we reached last. */
    const mst_journal_entry **positions[MST_JOURNAL_STAGES];
} mst_journal;

bool mst_journal_init(mst_journal *journal, mst_subarena *subarena); /* false: no memory; destroy it */
void mst_journal_destroy(mst_journal *journal);                      /* of arena memory, frees none */

/* Makes an entry, which no peer sees before mst_journal_advance, with `bytes` bytes behind it. *offset: of
 * these bytes. NO_SPACE, NO_MEMORY: nothing has happened. */
muster_status mst_journal_append(mst_journal *journal, uint64_t bytes, mst_journal_entry **entry,
                                 uint64_t *offset);

/* Publishes that we have reached entry number `count` in that stage, and wakes members that sleep. */
void mst_journal_advance(mst_journal *journal, mst_journal_stage stage, uint64_t count);

/* Our own count for that stage. */
uint64_t mst_journal_own(const mst_journal *journal, mst_journal_stage stage);
/* The smallest count of all members; acquires what they published before. */
uint64_t mst_journal_all(const mst_journal *journal, mst_journal_stage stage);

/* Whether a member's count for that stage is at least `count`. */
bool mst_journal_has_come(const mst_journal *journal, mst_journal_stage stage, int rank, uint64_t count);

/* Whether a member has started more than this rank, in whatever thread of the rank. */
bool mst_journal_is_ahead(const mst_subarena *subarena, int rank);
/* The first operation that a member has started and this rank has not, of a member that is ahead; NULL: its
 * entry is not valid. `journal`: this rank's; NULL: it has started nothing. */
const mst_journal_entry *mst_journal_first_ahead(const mst_subarena *subarena, const mst_journal *journal,
                                                 int rank);

/* The next entry of that member, for the stage `read` or `done`; NULL: it is not valid. */
const mst_journal_entry *mst_journal_next(mst_journal *journal, mst_journal_stage stage, int rank);

/* Reclaims the memory of entries that nobody needs any more. */
void mst_journal_reclaim(mst_journal *journal);

#endif
