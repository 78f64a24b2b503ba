/*
 * Publishes what a rank is doing, for observers outside the job (shm/wait/activity.h), and records it in the
 * flight recorder when it is done (shm/wait/recorder.h).
 */
#ifndef MST_SHOWING_H
#define MST_SHOWING_H

#include "shm/wait/activity.h"
#include "src/onehost/group/group.h"

/* Publishes what the rank is doing, until mst_group_shown. `latest`: number of the latest operation of that
 * class that it has entered. */
void mst_group_show(mst_group *group, muster_call_class class, uint64_t latest, const mst_doing *doing);

/* The same of a blocking collective that calls may repeat, and of one that repeats it, where
 * mst_group_can_repeat. */
void mst_group_show_repeatable(mst_group *group, const mst_doing *doing);
void mst_group_show_repeated(mst_group *group, uint64_t operation);

/* Whether the latest activity of collectives was shown by one of these. */
static inline bool mst_group_can_repeat(const mst_group *group)
{
    return group->repeats;
}

/* The same where several threads may be in calls of the class (threads_multiple). The caller holds the lock
 * of pending operations, as it must then to end and to record. False: the activity is another thread's. */
bool mst_group_show_beside(mst_group *group, muster_call_class class, uint64_t latest,
                           const mst_doing *doing);

/* The activity waits for that rank now; -1: for no one. */
void mst_group_awaits(const mst_group *group, muster_call_class class, int peer);

/* To be called before it: the name of the collective's operation, which the program made. */
/* Adds to the activity that it is the first of several of which any is awaited. */
void mst_group_show_any(mst_group *group, muster_call_class class, const mst_shown_any *any);

void mst_group_show_op(mst_group *group, const char *name);

/* What a message is as an activity, in one of its directions; the number is that of the operation. */
mst_doing mst_doing_of_message(const mst_message *message, bool out, uint64_t number);

/* Ends the activity, if there is one, and records the operation. */
void mst_group_shown(mst_group *group, muster_call_class class);

/* All others have arrived at the call with the activity, after the slow waits that `waiter` has counted. */
void mst_group_arrived(mst_group *group, muster_call_class class, const mst_waiter *waiter);

/* The current activity is not the end of an operation: it is not recorded. */
void mst_group_unrecorded(mst_group *group, muster_call_class class);

/* The time as records have it: reading it costs as much as a record, so who ends many operations reads it
 * once. */
int64_t mst_group_now_ns(const mst_group *group);

/* Records an operation that was too short for an activity, is over, and had what it needed at that time. */
void mst_group_record(mst_group *group, muster_call_class class, const mst_doing *doing, int64_t now_ns);

/* Writes the group's name where observers read it. */
void mst_group_show_name(const muster_group *group);

/* A name as observers have read it, which may be damaged: up to 31 bytes that can be shown. */
void mst_group_read_name(const mst_cell *cell, char name[MUSTER_GROUP_NAME_BYTES]);

/* Marks the beginning of a phase in the flight recorder. */
void mst_group_mark_phase(const muster_group *group, const char *name);

#endif
