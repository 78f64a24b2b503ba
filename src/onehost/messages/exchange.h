/*
 * Carries out one blocking call: one message, or one in each direction at once, between this rank and one
 * peer for each.
 */
#ifndef MST_EXCHANGE_H
#define MST_EXCHANGE_H

#include "src/onehost/messages/exchange_wait.h"

/* Moves both directions until they are done. The channel to the receiver must be open. The second is for one
 * that is shared with other threads. */
muster_status mst_exchange_run(mst_exchange *exchange);
muster_status mst_exchange_run_shared(mst_exchange *exchange);

#endif
