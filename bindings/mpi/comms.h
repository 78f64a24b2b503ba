/*
 * Communicators: groups behind handles, as MLX uses them.
 *
 * MLX frees a communicator when the program drops the group, also while operations on it wait in queues of
 * its streams, and operates on one group from as many threads as it has streams. So a group outlives its
 * handle until nothing can be queued on it, and the threads that operate on it take turns.
 */
#ifndef MUSTER_MPI_COMMS_H
#define MUSTER_MPI_COMMS_H

#include "bindings/mpi/abi.h"
#include "bindings/mpi/streams.h"
#include "muster/muster.h"

/* Operations of different kinds may run at the same time, as muster's call classes. */
typedef enum turn { TURN_COLLECTIVE, TURN_SEND, TURN_RECEIVE, TURN_COUNT } turn;

typedef struct communicator communicator;

/* The group, for what is no operation of a stream. Fails for MLX's function of that name, as mpi_fail does.
 */
muster_group *group_of(const char *function, MPI_Comm comm);

/* Waits until no other thread is in an operation of the kind. Until end_turn nothing may throw, and the group
 * is not freed. NULL: there is no such group, and *why says so. */
muster_group *begin_turn(MPI_Comm comm, turn turn, const char **why);
void end_turn(MPI_Comm comm, turn turn);

/* Those of the group, for whoever has TURN_COLLECTIVE. */
streams *streams_of(MPI_Comm comm);

/* The world is `group` from now on. */
void comms_set_world(muster_group *group);

/* A handle of a new group; NULL: no memory. */
MPI_Comm comms_make(muster_group *group);

/* The handle is used no more, but by what is queued. Local, from any thread, in any order on each rank, and
 * as often as anyone likes. */
void comms_drop(MPI_Comm comm);

#endif
