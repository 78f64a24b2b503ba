/*
 * What another backend has of a group on this host. Observers see its groups in the cells of those: their own
 * calls are parts of the other's, and are neither shown nor recorded. And the rank's progress thread does
 * what it has to do.
 */
#ifndef MST_GUEST_H
#define MST_GUEST_H

#include "src/backend.h"

uint64_t mst_guest_show_as(muster_group *group, const mst_seen_as *as, bool only_number);
void mst_guest_show(muster_group *group, const mst_shown *what);
void mst_guest_show_awaited(muster_group *group, const uint64_t *awaited);
void mst_guest_unshow(muster_group *group, muster_call_class call_class);
void mst_guest_record(muster_group *group, const mst_shown *what, int64_t entered_ns, int64_t arrived_ns);

muster_status mst_guest_do_besides(muster_group *world, int64_t (*turn)(void *arg), void *arg);
void mst_guest_ring(muster_group *world);
void mst_guest_in_program(muster_group *world, bool begins);

#endif
