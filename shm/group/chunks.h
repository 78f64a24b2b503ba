/*
 * A round that work for all comes after, such as reducing: in chunks, which whoever runs takes.
 *
 * Where ranks outnumber CPUs, most members wait for a CPU when all have come. What each would do for itself,
 * one after the other, is done once for all, by those who run: a member takes a chunk by compare-and-swap of
 * its word in rank 0's cell, does it, and says that it is done; each waits until all chunks are. Who gets a
 * CPU late finds them done, and looks at nobody's arrival. What chunks are made from, and what they result
 * in, must stay until all have arrived at the next round, as after any round.
 *
 * Costs a compare-and-swap and an exchange per chunk, and no more switches of a CPU than the round, unless a
 * member that has taken a chunk loses its CPU.
 */
#ifndef MST_CHUNKS_H
#define MST_CHUNKS_H

#include "shm/group/barrier.h"

/* In place of waiting for all: until all have come, or somebody has taken a chunk, and so has seen that. */
mst_wait_result mst_chunks_meet(mst_sequence *sequence, int *missing);

/* The first chunk from `from` on that nobody had taken, for this member to do; `count`: all are taken. */
int mst_chunks_take(mst_sequence *sequence, int from, int count);

void mst_chunks_done(mst_sequence *sequence, int chunk);

/* Waits for a chunk that is taken; *by: who has done it, or was to. -1: its word makes no sense. */
mst_wait_result mst_chunks_wait(mst_sequence *sequence, int chunk, int *by);

#endif
