/*
 * Processes that replace dead ranks, as the survivors of a group see them: whether they are there, who of
 * them belongs to the new group, and their way into it. Theirs is shm/join/replace.h.
 */
#ifndef MST_RESPAWNED_H
#define MST_RESPAWNED_H

#include "shm/join/member_list.h"
#include "src/onehost/group.h"

/* Whether every replacement that was promised has come, or will not. */
bool mst_respawned_are_here(const mst_group *group);

/* Adds those who wait to the list, and puts all on it in the order of their ranks in the world. */
void mst_respawned_enrol(const mst_group *group, mst_member_list *list);

/* Tells those of the membership list who are not in the group where the membership list is; INVALID when one
 * of them is on another. */
muster_status mst_respawned_admit(mst_group *group, const mst_member_list *list, uint32_t list_seat,
                                  uint64_t list_offset);

/* Waits until each of them has read it, or never will; `waiter` has waited for them to come, and goes on. */
muster_status mst_respawned_await(mst_group *group, const mst_member_list *list, mst_waiter *waiter);

#endif
