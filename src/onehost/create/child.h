/*
 * Creates a new group from its members' parts, which each member has learned: what split and shrink have in
 * common once the members are agreed.
 */
#ifndef MST_CHILD_H
#define MST_CHILD_H

#include "src/onehost/group/group.h"

/* Converts a member's part to its record, and back; `rank` is the member's in the group of the record. */
mst_split_record mst_child_record(const mst_member *member, muster_status claimed);
mst_member mst_child_member(const mst_group *group, int rank, const mst_split_record *record);

/*
 * Creates the child of `group` with these members, this rank as number `rank`; if that fails, abandons its
 * part `own`. The child inherits what does not change from group to group.
 */
muster_status mst_child_create(mst_group *group, const mst_member *members, int rank, int size,
                               const mst_member *own, mst_group **child);

#endif
