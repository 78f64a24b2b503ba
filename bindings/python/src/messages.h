/* send, recv, sendrecv and probes. */
#ifndef MUSTER_PYTHON_MESSAGES_H
#define MUSTER_PYTHON_MESSAGES_H

#include "bindings/python/src/function.h"

SLOW_FUNCTION(send);
SLOW_FUNCTION(send_start);
SLOW_FUNCTION(recv_into);
SLOW_FUNCTION(recv_into_start);
SLOW_FUNCTION(sendrecv);
SLOW_FUNCTION(probe);
SLOW_FUNCTION(iprobe);

#endif
