/*
 * A round that work for all comes after, such as reducing: in pieces, which whoever runs takes.
 *
 * Where ranks outnumber CPUs, most members wait for a CPU when all have come. What each would do for itself,
 * one after the other, is done once for all, by those who run: a member takes a piece by compare-and-swap of
 * its word in rank 0's cell, does it, and says that it is done; each waits until all pieces are. Who gets a
 * CPU late finds them done, and looks at nobody's arrival. What pieces are made from, and what they result
 * in, must stay until all have arrived at the next round, as after any round.
 *
 * Costs a compare-and-swap and an exchange per piece, and no more switches of a CPU than the round, unless a
 * member that has taken a piece loses its CPU.
 */
#ifndef MST_PIECES_H
#define MST_PIECES_H

#include "shm/group/barrier.h"

/* In place of waiting for all: until all have come, or somebody has taken a piece, and so has seen that. */
mst_wait_result mst_pieces_meet(mst_sequence *sequence, int *missing);

/* The first piece from `from` on that nobody had taken, for this member to do; `count`: all are taken. */
int mst_pieces_take(mst_sequence *sequence, int from, int count);

void mst_pieces_done(mst_sequence *sequence, int piece);

/* Waits for a piece that is taken; *by: who has done it, or was to. -1: its word makes no sense. */
mst_wait_result mst_pieces_wait(mst_sequence *sequence, int piece, int *by);

#endif
