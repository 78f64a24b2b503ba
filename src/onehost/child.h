/*
 * A new group from the shares of its members, as each of them has learnt them: what split and shrink
 * have in common once it is agreed who belongs together.
 */
#ifndef MST_CHILD_H
#define MST_CHILD_H

#include "src/onehost/group.h"

/* A member's share as it says it in a record, and back; `rank` is the member's in the group the record
 * is of. */
mst_split_record mst_child_record(const mst_share *share, muster_status claimed);
mst_share mst_child_share(const mst_group *group, int rank, const mst_split_record *record);

/*
 * Makes the child of `group` with these members, this rank as number `rank`, whose own share is given up
 * if that fails. The child inherits what does not change from group to group.
 */
muster_status mst_child_create(mst_group *group, const mst_share *shares, int rank, int size,
                               const mst_share *own, mst_group **child);

#endif
