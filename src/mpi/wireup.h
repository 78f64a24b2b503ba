/*
 * How ranks that MPI has started come to share an arena, those of each host one.
 *
 * The first of a host makes it, as a launcher does, and tells the others there its process, its descriptor,
 * and which file that is; they open that of /proc, and compare. The arena has no name, so nothing is left,
 * whoever dies when. In each step every rank tells all others whether its part has succeeded: one that cannot
 * go on fails all, in its words, and nobody waits for it.
 */
#ifndef MST_MPI_WIREUP_H
#define MST_MPI_WIREUP_H

#include "src/mpi/job.h"

/* Begins MPI, and makes or opens the arena: *fd, to be closed on exec. `mine`: what this rank knows already
 * of its part, whose sentence is the thread's latest error. Where there are several
 * hosts, the job then has a wire. */
muster_status mst_mpi_wire_up(mst_mpi_job *job, const muster_config *config, muster_status mine, int *fd);

#endif
