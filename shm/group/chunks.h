/*
 * Shared work after a round, such as a reduction: divided into chunks that the running members take.
 *
 * Where ranks outnumber CPUs, most members wait for a CPU when all have arrived. Instead of every member
 * doing the same work, one after the other, the running members do it once for all: a member takes a chunk by
 * compare-and-swap of its word in rank 0's cell, does it, and marks it done; each member waits until all
 * chunks are done. A member that gets a CPU late finds them done, and need not check arrivals. The inputs and
 * outputs of chunks must remain unchanged until all have arrived at the next round, as after any round.
 *
 * Costs a compare-and-swap and an exchange per chunk, and no more context switches than the round, unless a
 * member that has taken a chunk loses its CPU.
 */
#ifndef MST_CHUNKS_H
#define MST_CHUNKS_H

#include "shm/group/barrier.h"

/* Replaces the wait for all: waits until all have arrived, or a member has taken a chunk, which implies
 * that. */
mst_wait_result mst_chunks_meet(mst_sequence *sequence, int *missing);

/* Takes the first untaken chunk from `from` on, for this member to do; `count`: all are taken. */
int mst_chunks_take(mst_sequence *sequence, int from, int count);

void mst_chunks_done(mst_sequence *sequence, int chunk);

/* Waits until a chunk that has been taken is done; *by: the member that has done it, or should have. -1: its
 * word is invalid. */
mst_wait_result mst_chunks_wait(mst_sequence *sequence, int chunk, int *by);

#endif
