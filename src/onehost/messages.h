/* send, recv and sendrecv: the backend's message function. exchange.c moves the messages. */
#ifndef MST_MESSAGES_H
#define MST_MESSAGES_H

#include "src/backend.h"

muster_status mst_message_move(muster_group *group, const mst_message *message);

#endif
