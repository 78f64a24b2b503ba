/*
 * The membership list of a new group, on which the survivors of the old one agree.
 *
 * Survivors may see different deaths, so one proposal must win: a survivor writes its list into its heap and
 * proposes it by compare-and-swap in the cell of rank 0, whose memory outlives rank 0; the first proposal
 * wins, and all use it (E12). Nobody waits for a decision, so a death cannot interrupt one: a list is
 * complete before it is proposed.
 */
#ifndef MST_DECISION_H
#define MST_DECISION_H

#include "shm/join/member_list.h"
#include "src/onehost/wait/stall.h"

/* One call of shrink or grow. */
typedef struct mst_regroup_call {
    mst_group *group;
    uint64_t number; /* of this regroup in the group, from 1 */
    bool grows;
    mst_member own;       /* our part of the new group */
    uint64_t list_offset; /* of our proposal */
    mst_member_list list; /* first what we propose, then what was decided */
    mst_waiting waiting;
    mst_waiter waiter; /* of all that it waits for, under one deadline */
} mst_regroup_call;

const char *mst_regroup_name(const mst_regroup_call *regroup);

/* Whether a member has published its part of the new group, and whether it never will: it has ended or left.
 */
bool mst_regroup_has_arrived(const mst_regroup_call *regroup, int rank);
bool mst_regroup_never_comes(const mst_group *group, int rank);

/* What a member publishes. */
mst_regroup_record *mst_regroup_record_of(const mst_regroup_call *regroup, int rank);

/* Proposes the members that are seen alive and, in grow, the respawned ranks. False: one of these has died
 * since they were all there, nobody has proposed, and another may come in its place, which is to be awaited.
 */
bool mst_decision_propose(mst_regroup_call *regroup);

/* Reads the list that has won into `regroup->list`, and where it is. NO_SPACE and MISMATCH: all members find
 * the same, and may try again. */
muster_status mst_decision_read(mst_regroup_call *regroup, uint32_t *list_seat, uint64_t *list_offset);

#endif
