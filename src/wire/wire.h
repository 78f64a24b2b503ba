/*
 * Messages between processes that share no memory, over frames: what a link of src/hosts needs of a backend.
 * Its groups have send, receive, probe, cancel, subset, status and abort, and no collectives. There is one
 * wire per process and job; its groups end before it does.
 *
 * Whatever of this is called moves frames, and nothing else does: there is no thread here.
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

/* ---- the end of the process: all processes end together, or none does so ---- */

/* Tells all that this process has left: it needs nothing of them, and they get nothing of it. Again: nothing
 * is told. */
void mst_wire_leave(mst_wire *wire);

/* Whether all others have left, and nothing is under way from this process. Moves frames. The other: whether
 * nothing is under way from it, but to those who are known to have died. */
bool mst_wire_is_quiet(mst_wire *wire);
bool mst_wire_has_sent(mst_wire *wire);

/* Tells all that this process does not end together with them. */
void mst_wire_give_up(mst_wire *wire);
/* Whether another process has told that, or the wire has failed. */
bool mst_wire_has_given_up(mst_wire *wire);
/* Whether a process of the job is known to have died. */
bool mst_wire_knows_death(mst_wire *wire);

/* Whether all end together: process 0 decides that, when all are ready. The first call tells it that this one
 * is. */
bool mst_wire_all_end(mst_wire *wire);
/* Whether this process must not give up any more, unless a process of the job is gone. */
bool mst_wire_is_bound(mst_wire *wire);

/* From now on nothing is sent or received, and what carries frames is not called. */
void mst_wire_stop(mst_wire *wire);

/* What a progress thread does: moves frames, unless a thread that waits does so. *under_way: something that
 * was started, or is being sent, is not over. *moved: something has come. */
void mst_wire_advance(const muster_group *group, bool *under_way, bool *moved);

/* Whether something is; by a glance, in which nothing but what has been sent is looked at. */
bool mst_wire_is_under_way(const muster_group *group);

/* Where a member is, in words; NULL: it is not known. */
const char *mst_wire_where(const muster_group *group, int rank);

/* Why this thread may not be in a call of the group; NULL: it may. It may abort the group, ask for its
 * status, and close it: what it has to tell, another thread sends. */
const char *mst_wire_refusal(const muster_group *group);

#endif
