/* Messages of blocking calls to oneself. With the wire's lock. */
#ifndef MST_WIRE_ONESELF_H
#define MST_WIRE_ONESELF_H

#include "src/wire/inside.h"

/* INVALID: nobody would receive it. Where another thread might, it waits. */
muster_status mst_wire_check_to_oneself(const mst_wire_group *group, const mst_message *message);

#endif
