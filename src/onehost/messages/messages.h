/* send, recv, sendrecv and probe: the backend's functions for messages. exchange.c moves the messages. */
#ifndef MST_MESSAGES_H
#define MST_MESSAGES_H

#include "src/backend.h"

muster_status mst_message_move(muster_group *group, const mst_message *message);
muster_status mst_message_probe(muster_group *group, int source, int tag, bool waits, bool *found,
                                muster_message *result);

#endif
