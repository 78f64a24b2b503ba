/*
 * Waits of calls on shares and queues. Such a call leaves nothing half done, so that a deadline, an
 * interruption or a death ends this call alone and breaks nothing. The caller may call again.
 *
 * Such a wait is for what one member has not done yet, and only the death of that member, or its leaving, is
 * an error. It sleeps on this rank's doorbell in the group of the share. Members ring it when they do
 * something for this rank, and so does the thread that learns of a death.
 */
#ifndef MST_ALONE_H
#define MST_ALONE_H

#include "src/onehost/wait/stall.h"

typedef struct mst_alone {
    mst_group *group;
    muster_call_class class;
    mst_doing doing;                    /* for observers, once it waits */
    bool (*there)(const void *call);    /* whether the call can go on; acquires what it waited for */
    int (*find_peer)(const void *call); /* who must act for that; -1: nobody any more */
    const void *call;
    int64_t timeout_ns; /* 0: the group's; below 0: none at all, it only looks */
    bool shown;         /* it has an activity: it waits, or has waited */
    char cycle[MST_REASON_BYTES];
} mst_alone;

/* A waiter for such waits in the group. */
mst_waiter mst_alone_waiter(mst_group *group);

/*
 * Waits until `there`. Returns MUSTER_OK; PEER_DIED, DEADLOCK, ABORTED or BAD_ARENA with the sentence; or
 * TIMED_OUT without one: the caller knows what is missing, and the sentence says for how long
 * (mst_alone_waited_s). It has looked once more after anything that ended the wait.
 */
muster_status mst_alone_wait(mst_alone *wait, mst_waiter *waiter);
double mst_alone_waited_s(const mst_alone *wait);

/* Adds to the error that the caller has made of TIMED_OUT: whom it waited for, and the limit. */
void mst_alone_late(const mst_alone *wait, int rank);

/* PEER_DIED with the sentence: that member is gone, in the middle of what this rank does. */
muster_status mst_alone_refuse(const mst_alone *wait, int rank);

/* Records the call, which has succeeded, for observers, and ends its activity; or only that, after an error.
 */
void mst_alone_end(const mst_alone *wait, const mst_waiter *waiter, muster_status status);

#endif
