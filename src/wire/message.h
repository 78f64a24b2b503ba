/* Messages over frames: the backend's functions for them. */
#ifndef MST_WIRE_MESSAGE_H
#define MST_WIRE_MESSAGE_H

#include "src/wire/inside.h"

muster_status mst_wire_message(muster_group *group, const mst_message *message);
muster_status mst_wire_start(muster_group *group, muster_call_class call_class, const mst_message *message,
                             uint64_t *number);
muster_status mst_wire_test(muster_group *group, uint64_t number, bool *over);
muster_status mst_wire_cancel(muster_group *group, uint64_t number, bool *over);
muster_status mst_wire_find_message(muster_group *group, int source, int tag, bool waits, bool *found,
                                    muster_message *result);
muster_status mst_wire_wait(mst_wait_set *set, size_t *index);

#endif
