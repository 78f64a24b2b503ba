/*
 * Carries out one blocking call: one message, or one in each direction at once, between this rank and one
 * peer for each.
 */
#ifndef MST_EXCHANGE_H
#define MST_EXCHANGE_H

#include "src/onehost/stall.h"
#include "src/onehost/started_messages.h"

typedef struct mst_exchange {
    mst_group *group;
    const mst_message *message;
    bool sent, received;      /* or nothing is to be */
    bool locks;               /* other threads of the rank may move the same messages: it is shared */
    bool shows_out, shows_in; /* has a published activity, as a wait */
    bool added;               /* the transfers below are in use */
    mst_transfer out, in;     /* of what does not pass at once */
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

/* Moves both directions until they are done. The channel to the receiver must be open. The second is for one
 * that is shared with other threads. */
muster_status mst_exchange_run(mst_exchange *exchange);
muster_status mst_exchange_run_shared(mst_exchange *exchange);

#endif
