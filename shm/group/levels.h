/*
 * The wait for all of a round in two levels, for groups of many ranks (shm/base/hierarchy.h).
 *
 * Every rank arrives as in any round. The leader of a domain then waits for the lines of its domain, and says
 * in its own `gathered` that they have come (E36). It waits for `gathered` of every other leader, and says in
 * `release` that all ranks have come (E37). The other ranks of the domain look at `release` only. Leaders
 * compare the requests on the way and pass on whether they differ. They also pass on small payloads, in the
 * order of their domain, so that a rank reads one block for each domain in place of a line for each rank.
 * Nothing is reduced on the way: each rank reduces all payloads in rank order, as it does without levels, so
 * that the bits are the same.
 *
 * A rank that is not released, since the group broke or its time is over, looks at all arrival lines itself:
 * if all have come, the round is complete, as it is without levels. So an operation that all ranks entered
 * succeeds, although one of them has died since, a leader that had yet to release its domain included. A
 * leader that finds it so releases its domain, and says that each rank is to read all lines, too: another
 * leader may have passed on nothing yet.
 *
 * Whoever has been released knows that all have arrived, and has happened after that. So the rules of
 * barrier.h for memory that is used again hold, also for `gathered` and `release`.
 */
#ifndef MST_LEVELS_H
#define MST_LEVELS_H

#include "shm/group/barrier.h"

/* Arrives at the next round. Each rank has so many bytes of payload, which leaders should pass on if there is
 * room (`packed`); 0: they should not. The same on all ranks. */
static inline void mst_levels_publish(mst_sequence *sequence, size_t payload_bytes)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;

    if (hierarchy)
        sequence->packed =
            payload_bytes * (size_t)hierarchy->longest <= MST_GATHERED_BYTES ? payload_bytes : 0;
    mst_sequence_publish(sequence);
}

/* Waits for all, after mst_levels_publish. On failure some rank has not come; *missing: who was awaited. */
mst_wait_result mst_levels_wait(mst_sequence *sequence, int *missing);

/* The same for every operation of a group, since ranks find out by a round that they disagree. */
static inline mst_wait_result mst_levels_wait_for_all(mst_sequence *sequence, int *missing)
{
    return sequence->hierarchy ? mst_levels_wait(sequence, missing) : mst_sequence_wait(sequence, missing);
}

/* A whole round, of which leaders pass on nothing. */
static inline mst_wait_result mst_levels_round(mst_sequence *sequence, int *missing)
{
    mst_levels_publish(sequence, 0);
    return mst_levels_wait_for_all(sequence, missing);
}

/* After that: whether all ranks have published the same request, unless the wait found out by all lines
 * (`one_level`) that all have come; and, if `packed`, the payload of `rank`. */
bool mst_levels_same(const mst_sequence *sequence);
const unsigned char *mst_levels_payload(const mst_sequence *sequence, int rank);

#endif
