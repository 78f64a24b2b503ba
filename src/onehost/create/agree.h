/*
 * One round of a group's sequence of splits, in which each member states what it brings to something new: a
 * group, memory that all map, a queue. From the same records all members compute the same result, so no
 * further agreement is needed.
 */
#ifndef MST_AGREE_H
#define MST_AGREE_H

#include "src/onehost/wait/stall.h"

/* What a record is for; members that make different things get MISMATCH. */
typedef enum mst_makes {
    MST_MAKES_GROUP, /* split */
    MST_MAKES_COPY,  /* dup: a split in which all give one color */
    MST_MAKES_SHARE, /* details: bytes of this rank's block */
    MST_MAKES_SEAL,  /* of a share, which a call makes read-only */
    MST_MAKES_QUEUE  /* color: the writer; details: entries, and bytes of each */
} mst_makes;

/* A call that agrees; must exist as long as the call. */
typedef struct mst_agreement {
    mst_group *group;
    mst_makes makes;
    mst_waiting waiting;
} mst_agreement;

/* Begins the call, in the call class of splits: returns what the group is broken by. */
muster_status mst_agree_begin(mst_agreement *agreement, mst_group *group, mst_makes makes);

/* Publishes this rank's record, and copies everyone's to group->split_records. */
muster_status mst_agree(mst_agreement *agreement, mst_split_record *own);

/* Ends the call, in any case. */
void mst_agree_end(const mst_agreement *agreement);

#endif
