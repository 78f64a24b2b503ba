/*
 * Rounds: the one synchronisation that collectives are made of.
 *
 * Every member has two arrival lines per sequence and uses them in turn. It writes what the others should
 * read (a request and a small payload in the line itself, larger things elsewhere), then the number of
 * the round, and waits until every other member's line has that number. No counter is ever reset and
 * no line has two writers (but for the poison bit), so a fast rank may be a round ahead without harm. A
 * round costs one line transfer per peer and no system call unless someone sleeps.
 *
 * What makes two lines, and double-buffered memory in general, enough: whatever a member wrote before
 * it arrived at round s is seen by all after they have waited for s (E2), and whoever has waited for
 * round s + 1 knows that all have finished what they did after round s. Memory used at round s may be
 * written again for round s + 2.
 *
 * A group has several sequences: one for collectives, one for splits, so that one thread can split while
 * another is in a collective, and some for operations that are started now and finished later.
 */
#ifndef MST_BARRIER_H
#define MST_BARRIER_H

#include "shm/group/subarena.h"

/* MST_SEQUENCE_NONBLOCKING + i is the sequence of started operations number i. */
typedef enum mst_sequence_kind {
    MST_SEQUENCE_COLLECTIVES,
    MST_SEQUENCE_SPLITS,
    MST_SEQUENCE_NONBLOCKING
} mst_sequence_kind;

typedef struct mst_sequence {
    mst_subarena *subarena;
    mst_sequence_kind kind;
    uint32_t round;      /* the last one we arrived at */
    uint64_t work;       /* how many of them work came after that was shared (chunks.h) */
    uint64_t operations; /* that have begun on this sequence: picks what they use in turn */
    mst_waiter waiter;
} mst_sequence;

void mst_sequence_init(mst_sequence *sequence, mst_subarena *subarena, mst_sequence_kind kind,
                       int64_t timeout_ns);

/* A new operation begins: its deadline counts from its first slow wait, and `watch` is for its waits. */
void mst_sequence_begin(mst_sequence *sequence, mst_watch watch);

/* Our line of the next round, to be filled in before arriving; and that of the round that we are at. */
mst_arrival *mst_sequence_next(const mst_sequence *sequence);
mst_arrival *mst_sequence_own(const mst_sequence *sequence);

/* The line of `rank` at the round that we are at; to be read once all have come. */
const mst_arrival *mst_sequence_arrival(const mst_sequence *sequence, int rank);

/* Arrives at the next round and waits for all. On failure *missing is a rank that has not come. */
mst_wait_result mst_sequence_round(mst_sequence *sequence, int *missing);

/* The two halves of a round, for those who have other things to do in between: for long, and so who sleeps is
 * woken first, or for a moment. */
void mst_sequence_arrive(mst_sequence *sequence);
void mst_sequence_publish(mst_sequence *sequence);
mst_wait_result mst_sequence_wait(mst_sequence *sequence, int *missing);

/* Waits for all, or until instead(arg), which says that all have come. */
mst_wait_result mst_sequence_wait_unless(mst_sequence *sequence, bool (*instead)(const void *arg),
                                         const void *arg, int *missing);

/* After a round: prefetches our next arrival, with so many bytes of payload. Before a wait: what lies of the
 * others' payloads beyond the line of the flag, so that it comes with that. */
void mst_sequence_prefetch(const mst_sequence *sequence, size_t payload_bytes);
void mst_sequence_prefetch_others(const mst_sequence *sequence, size_t payload_bytes);

/* Whether a member has arrived at the round that this one is at. */
bool mst_sequence_has_arrived(const mst_sequence *sequence, int rank);

/* Who has not, in words. */
void mst_sequence_list_missing(const mst_sequence *sequence, char *text, size_t bytes);

#endif
