/*
 * One copy: every rank reads the private inputs of the others where they are (remote.h), for methods that
 * have `read`.
 *
 * In the first round nothing is staged: each rank's record says where its input is, in the arena or at an
 * address of its own, and whether it can read the memory of all. If all can, each reads what its output is
 * made of. In the last round each says whether it could, so that all know the same: either all are done, or
 * all begin again, by staging, and the group stages from then on. What makes it impossible (a system that
 * refuses, memory that the system does not copy, a rank that is dying) is an error only where staging is one.
 *
 * Cost for N bytes that a rank needs: two synchronisations, N bytes read by system calls, one for each rank
 * that has some of them.
 */
#ifndef MST_ONE_COPY_H
#define MST_ONE_COPY_H

#include "src/onehost/coll/call.h"

/* Whether a call of equal counts is to be tried so: the same answer on all ranks. */
bool mst_one_copy_wanted(const mst_call *call);

/* Where the others read `in`, `bytes` bytes, of which peers know `in_offset` if it is in the arena. */
void mst_one_copy_lend(mst_call *call);

/* Tries it; *done false: the operation is to be staged, of which nothing has been done yet. */
muster_status mst_one_copy(mst_call *call, bool *done);

/* For the method's `read`: what rank `rank` has at `in_at` of its input, to `out_at` of our output. */
bool mst_read_lent(const mst_call *call, int rank, size_t in_at, size_t out_at, size_t bytes);

#endif
