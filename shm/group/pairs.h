/*
 * Pairs: what a rank tells single members of a group, for calls that only some members make (subsets).
 *
 * A sequence (barrier.h) cannot serve such a call: its rounds are everybody's. So each rank has a table with
 * an entry for each other member, and each pair of ranks counts the subsets that both are in. Two records per
 * entry are enough, used by the parity of that count: a rank reaches the pair's call k + 1 only after it has
 * read the other's record of call k, and writes record k + 2 only after it has seen the other at k + 1.
 *
 * Two ranks that are both in a subset wait for each other. So they must make the subsets that both are in in
 * the same order, and a record of the same count that tells another list is a mismatch, seen by both. Subsets
 * that have no two ranks in common know nothing of each other.
 *
 * A rank claims its table when it first makes a subset. If there is no memory for it the rank says so, for
 * good, and every subset that has it as a member fails on all its members.
 */
#ifndef MST_PAIRS_H
#define MST_PAIRS_H

#include "shm/group/subarena.h"

typedef struct mst_pairs {
    mst_subarena *subarena;
    uint64_t *calls; /* by rank: the latest call that the pair makes; NULL: none so far */
    mst_pair_entry *entries;
    uint32_t *list; /* in the table: the members of our latest subset */
} mst_pairs;

void mst_pairs_init(mst_pairs *pairs, mst_subarena *subarena);
void mst_pairs_destroy(mst_pairs *pairs);

/* Prepares to make a subset: claims the table unless it is there. NO_SPACE: the others know it, for good. */
muster_status mst_pairs_begin(mst_pairs *pairs, const int *ranks, int count);

/* Tells a member our record of the next call of the pair, and wakes it. */
void mst_pairs_tell(mst_pairs *pairs, int rank, const mst_pair_record *record);

typedef enum mst_pair_answer {
    MST_PAIR_NOT_YET,
    MST_PAIR_TOLD,
    MST_PAIR_REFUSED, /* the member has no table, and never will */
    MST_PAIR_DAMAGED
} mst_pair_answer;

/* What the member has told us of the pair's latest call. */
mst_pair_answer mst_pairs_look(const mst_pairs *pairs, int rank, mst_pair_record *record);

/* The list of a member that told us of another subset: up to `room` ranks. Returns how many. */
int mst_pairs_list(const mst_pairs *pairs, int rank, int *ranks, int room);

#endif
