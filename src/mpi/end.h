/*
 * The end of a rank that MPI has started.
 *
 * MPI_Finalize waits for all ranks, also for dead ones. So the rank first leaves its world, as whoever waits
 * for it there must get away; then it starts a barrier and tests it until all have come; then it ends MPI. If
 * its program has failed, or a process of the job is gone, that lasts one second at most, and the process
 * ends without MPI_Finalize, from which the launcher knows that the job has failed. A rank that has left a
 * step in which others may wait for it begins no barrier, and ends so at once.
 *
 * A barrier that is over does not say that all others will call MPI_Finalize: one of them may have given up
 * just then. On one host the first rank whose barrier is over, or that gives up, decides for all, by one word
 * that they share. On several, each rank tells the first one of the job when it is ready to end MPI, and
 * waits for its decision, without a limit while all live; whoever gives up before that tells all, as one does
 * whose program has failed, when all have come. So all end MPI or none does, unless one dies meanwhile.
 */
#ifndef MST_MPI_END_H
#define MST_MPI_END_H

#include "src/mpi/job.h"

/* Leaves the world, and waits; `failed`: the program has. True: MPI may be ended. */
bool mst_mpi_end(mst_mpi_job *job, bool failed);

#endif
