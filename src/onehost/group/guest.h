/*
 * What observers see of a group of another backend, in the cell of the group that it has on this host: that
 * one's own calls are parts of the other's, and are neither shown nor recorded.
 */
#ifndef MST_GUEST_H
#define MST_GUEST_H

#include "src/backend.h"

uint64_t mst_guest_show_as(muster_group *group, const mst_seen_as *as, bool only_number);
void mst_guest_show(muster_group *group, const mst_shown *what);
void mst_guest_show_awaited(muster_group *group, const uint64_t *awaited);
void mst_guest_unshow(muster_group *group, muster_call_class call_class);
void mst_guest_record(muster_group *group, const mst_shown *what, int64_t entered_ns, int64_t arrived_ns);

#endif
