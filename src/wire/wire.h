/*
 * Messages between processes that share no memory, over frames: what a link of src/hosts needs of a backend.
 * Its groups have send, receive, probe, cancel, subset, status and abort, and no collectives. There is one
 * wire per process and job; its groups end before it does.
 *
 * Whatever of this is called moves frames, and nothing else does: no thread of ours.
 */
#ifndef MST_WIRE_H
#define MST_WIRE_H

#include "src/wire/backend.h"
#include "src/wire/frames.h"

/* NULL: no memory. `frames` lives as long. */
mst_wire *mst_wire_create(mst_frames *frames);
void mst_wire_destroy(mst_wire *wire);

/* The group of all processes, with the mark, log and settings of another one. Once. */
muster_status mst_wire_whole(mst_wire *wire, const muster_group *like, muster_group **made);

/* ---- the end of the process ---- */

/* Tells all that this process needs nothing any more, and gives nothing: once, however often it is called. */
void mst_wire_leave(mst_wire *wire);

/* Whether nothing is under way any more, from this process or to it: all others have left, too. Moves frames.
 */
bool mst_wire_is_quiet(mst_wire *wire);
bool mst_wire_has_sent(mst_wire *wire); /* nothing is under way from this process */

/* Tells all that MPI is not to be ended in the ordinary way; whether somebody has told so, or a process of
 * the job is known to have died. */
void mst_wire_give_up(mst_wire *wire);
bool mst_wire_has_given_up(mst_wire *wire);
bool mst_wire_knows_death(mst_wire *wire);

/* Whether all processes end MPI in the ordinary way, which process 0 decides when all are ready. The first
 * call says that this one is: from then on it must not give up, unless a process of the job is gone. */
bool mst_wire_all_end(mst_wire *wire);
bool mst_wire_is_bound(mst_wire *wire);

/* From now on nothing is sent or received, and what carries frames is not called. */
void mst_wire_stop(mst_wire *wire);

/* Where a member is, in words; NULL: it is not known. */
const char *mst_wire_where(const muster_group *group, int rank);

/* Why this thread may not be in a call of the group; NULL: it may. It may abort the group, ask for its
 * status, and close it: what it has to tell, another thread sends. */
const char *mst_wire_refusal(const muster_group *group);

#endif
