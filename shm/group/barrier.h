/*
 * Rounds: the one synchronisation that collectives are made of.
 *
 * Every member has two arrival lines per sequence and alternates between them. It writes what the others
 * should read (a request and a small payload in the line itself, larger data elsewhere), then the number of
 * the round, and waits until every other member's line has that number. No counter is ever reset and no line
 * has two writers (except for the poison bit), so a fast rank may be one round ahead without harm. A round
 * costs one line transfer per peer, and a system call only if someone sleeps.
 *
 * Why two lines, and double-buffered memory in general, are enough: whatever a member wrote before it arrived
 * at round s is visible to all who have waited for s (E2), and a member that has waited for round s + 1 knows
 * that all have finished what they did after round s. Memory used at round s may be written again for round s
 * + 2.
 *
 * A group has two sequences, one for collectives and one for splits, so that one thread can split while
 * another is in a collective.
 */
#ifndef MST_BARRIER_H
#define MST_BARRIER_H

#include "shm/group/subarena.h"

typedef enum mst_sequence_kind { MST_SEQUENCE_COLLECTIVES, MST_SEQUENCE_SPLITS } mst_sequence_kind;

typedef struct mst_sequence {
    mst_subarena *subarena;
    mst_sequence_lines *own; /* our lines */
    size_t lines_at;         /* where a member's lines are in its cell */
    uint32_t round;          /* the last one we arrived at */
    uint64_t work;           /* number of rounds so far that were followed by shared work (chunks.h) */
    uint64_t operations;     /* operations begun on this sequence; their parity selects call records */
    mst_waiter waiter;
} mst_sequence;

void mst_sequence_init(mst_sequence *sequence, mst_subarena *subarena, mst_sequence_kind kind,
                       int64_t timeout_ns);

/* Starts a new operation: its deadline counts from its first slow wait. The watch of its waits is
 * sequence->waiter.watch. */
static inline void mst_sequence_begin(mst_sequence *sequence)
{
    mst_deadline_begin(&sequence->waiter.deadline);
    sequence->waiter.waited_ns = 0;
}

/* Our line of the next round, to be filled in before arriving; and our line of the current round. */
mst_arrival *mst_sequence_next(const mst_sequence *sequence);
mst_arrival *mst_sequence_own(const mst_sequence *sequence);

/* The line of `rank` at the current round; to be read once all have arrived. */
const mst_arrival *mst_sequence_arrival(const mst_sequence *sequence, int rank);

/* Arrives at the next round and waits for all. On failure *missing is a rank that has not arrived. */
mst_wait_result mst_sequence_round(mst_sequence *sequence, int *missing);

/* Parts of a round, for callers with other work in between. `arrive` wakes sleepers at once, for long work;
 * `publish` leaves that to the wait. */
void mst_sequence_arrive(mst_sequence *sequence);
void mst_sequence_publish(mst_sequence *sequence);
mst_wait_result mst_sequence_wait(mst_sequence *sequence, int *missing);

/* Waits for all, or until instead(arg), which implies that all have arrived. */
mst_wait_result mst_sequence_wait_unless(mst_sequence *sequence, bool (*instead)(const void *arg),
                                         const void *arg, int *missing);

/* After a round: prefetches our next arrival, with this much payload, for writing. Before a wait: prefetches
 * the part of the others' payloads beyond the line of the flag. */
void mst_sequence_prefetch(const mst_sequence *sequence, size_t payload_bytes);
void mst_sequence_prefetch_others(const mst_sequence *sequence, size_t payload_bytes);

/* Whether a member has arrived at our current round. */
bool mst_sequence_has_arrived(const mst_sequence *sequence, int rank);

/* Whether a member has arrived at the round after that, already. */
bool mst_sequence_is_ahead(const mst_sequence *sequence, int rank);

/* Lists the members that have not arrived, as text. Returns the first of them; -1: all have. */
int mst_sequence_list_missing(const mst_sequence *sequence, char *text, size_t bytes);

#endif
