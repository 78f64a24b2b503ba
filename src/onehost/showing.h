/*
 * What a rank does, for those who look from outside (shm/wait/activity.h), and its record in the flight
 * recorder when it is done (shm/wait/recorder.h).
 */
#ifndef MST_SHOWING_H
#define MST_SHOWING_H

#include "shm/wait/activity.h"
#include "src/onehost/group.h"

/* Shows what the rank is doing, until it is over. `latest`: the number of the latest operation of that class
 * that it has entered. */
void mst_group_show(mst_group *group, muster_call_class class, uint64_t latest, const mst_doing *doing);

/* It is over, and recorded, if it was shown. */
void mst_group_shown(mst_group *group, muster_call_class class);

/* All others have come to the call that is shown, after the slow waits that the waiter has counted. */
void mst_group_arrived(mst_group *group, muster_call_class class, const mst_waiter *waiter);

/* The call that is shown is not an operation's end: it goes unrecorded. */
void mst_group_unrecorded(mst_group *group, muster_call_class class);

/* Records an operation that was too short to be shown. */
void mst_group_record(mst_group *group, muster_call_class class, const mst_doing *doing);

/* Marks in the flight recorder that a phase begins. */
void mst_group_mark_phase(const muster_group *group, const char *name);

#endif
