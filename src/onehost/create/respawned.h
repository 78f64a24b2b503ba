/*
 * Respawned ranks, as the survivors of a group see them: whether they are ready, which of them join the new
 * group, and how they are admitted. Their own side is shm/join/replace.h.
 */
#ifndef MST_RESPAWNED_H
#define MST_RESPAWNED_H

#include "shm/join/member_list.h"
#include "src/onehost/group/group.h"

/* Whether every replacement that was announced is ready, or will not come. */
bool mst_respawned_are_here(const mst_group *group);

/* Adds the waiting replacements to the list, and sorts the list by rank in the world. False: one that was
 * there has died, and another may come in its place. */
bool mst_respawned_enrol(const mst_group *group, mst_member_list *list);

/* Tells the replacements on the membership list where the list is; INVALID if one of them is already on
 * another. */
muster_status mst_respawned_admit(mst_group *group, const mst_member_list *list, uint32_t list_seat,
                                  uint64_t list_offset);

/* Waits until each of them has read it, or never will. `waiter` has waited for them before, and its deadline
 * continues. */
muster_status mst_respawned_await(mst_group *group, const mst_member_list *list, mst_waiter *waiter);

#endif
