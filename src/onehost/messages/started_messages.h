/* Started messages: pending operations (pending.h) that are transfers, and progress for all of a group. */
#ifndef MST_STARTED_MESSAGES_H
#define MST_STARTED_MESSAGES_H

#include "src/onehost/group/group.h"

/* For the backend's table. */
muster_status mst_message_start(muster_group *group, muster_call_class class, const mst_message *message,
                                uint64_t *number);
muster_status mst_message_cancel(muster_group *group, uint64_t number, bool *over);

/* The group moves no messages any more: a call has failed, and its transfers will be gone. Takes the lock. */
void mst_message_stop(mst_group *group);

/* Frees what is kept for further messages. */
void mst_message_destroy(mst_group *group);

/* Whether a thread that is in a call of messages of that direction must hold the lock to move them. */
static inline bool mst_message_is_shared(const mst_group *group, bool receives)
{
    return mst_load32_rlx(&group->traffic.started[receives]) != 0;
}

#endif
