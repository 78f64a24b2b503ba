/*
 * The wait of a blocking message: whom it waits for, in words and for the search of wait cycles, and what
 * observers see of the call: its activities, its records and its line in the log.
 */
#ifndef MST_EXCHANGE_WAIT_H
#define MST_EXCHANGE_WAIT_H

#include "src/onehost/messages/started_messages.h"
#include "src/onehost/wait/pending.h"
#include "src/onehost/wait/stall.h"

typedef struct mst_exchange {
    mst_group *group;
    const mst_message *message;
    bool sent, received;      /* or nothing is to be */
    bool locks;               /* other threads of the rank may move the same messages: it is shared */
    bool shows_out, shows_in; /* has a published activity, as a wait */
    bool added;               /* the transfers below are in use */
    mst_flow flow;            /* of the receive, while nothing but it has to move */
    mst_transfer out, in;     /* of what does not pass at once; in.total: of all that is received */
    uint64_t numbers[2];      /* of the send and of the receive: how many the rank has entered with it */
    muster_status status;     /* of moving, in a wait */
    bool waits;               /* `waiting` is filled in */
    mst_waiting waiting;
} mst_exchange;

/* Makes it ready; the transfers stay untouched. */
static inline void mst_exchange_init(mst_exchange *exchange, mst_group *group, const mst_message *message)
{
    exchange->group = group;
    exchange->message = message;
    exchange->sent = !message->sends;
    exchange->received = !message->receives;
    exchange->locks = (message->sends && mst_message_is_shared(group, false)) ||
                      (message->receives && mst_message_is_shared(group, true));
    exchange->shows_out = exchange->shows_in = exchange->added = false;
    exchange->status = MUSTER_OK;
}

static inline void mst_exchange_lock(const mst_exchange *exchange)
{
    if (exchange->locks)
        mst_pending_lock(exchange->group);
}

static inline void mst_exchange_unlock(const mst_exchange *exchange)
{
    if (exchange->locks)
        mst_pending_unlock(exchange->group);
}

/* Sleeps on the rank's doorbell until `ready` holds; publishes the activity of each direction that is not
 * done. */
muster_status mst_exchange_wait(mst_exchange *exchange, mst_waiter *waiter, bool (*ready)(const void *arg));

/* Records what has been sent and received. With the lock, if other threads use it. */
void mst_exchange_record(mst_exchange *exchange, const mst_waiter *waiter);

/* Ends the activities, if it has any. With the lock, likewise. */
void mst_exchange_hide(const mst_exchange *exchange);

void mst_exchange_tell_entered(const mst_exchange *exchange);

#endif
