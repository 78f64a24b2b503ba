/*
 * split: from one group, a group per color. dup: a split in which all have one color.
 *
 * Each rank that gives a color claims its part of the child (a cell in its own region), then all
 * exchange records in one round of the parent's split sequence. From the same records every rank computes the
 * same members in the same order; no further agreement is needed. A child is visible only to ranks that have
 * seen all records, so a rank that dies before it has published leaves none behind. Cost: one synchronisation
 * and one pass over the parent's records.
 */
#include "src/onehost/create/split.h"

#include <stdlib.h>

#include "shm/base/error.h"
#include "src/onehost/create/agree.h"
#include "src/onehost/create/child.h"

/* The members of this rank's color in the child's order, and this rank's place among them. */
typedef struct membership {
    mst_member *members;
    int rank;
    int size;
} membership;

/* ---- computing the members ---- */

typedef struct candidate {
    int key;
    int parent_rank;
} candidate;

static int by_key_then_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->parent_rank < y->parent_rank ? -1 : 1;
}

static muster_status check_members(const mst_group *group, const candidate *members, int size)
{
    for (int i = 0; i < size; i++) {
        const mst_split_record *record = &group->split_records[members[i].parent_rank];

        if (record->status != MUSTER_OK)
            return mst_fail_about(members[i].parent_rank, MUSTER_ERR_NO_SPACE,
                                  "rank %d could not get memory for its part of the new group (%s); the "
                                  "parent group is unchanged",
                                  members[i].parent_rank,
                                  muster_status_string((muster_status)record->status));
    }
    return MUSTER_OK;
}

static muster_status gather_members(mst_group *group, int color, membership *child)
{
    candidate *members = calloc((size_t)group->base.size, sizeof *members);
    muster_status status;
    int size = 0;

    child->members = calloc((size_t)group->base.size, sizeof *child->members);
    if (!members || !child->members) {
        free(members);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of up to %d", group->base.size);
    }
    for (int rank = 0; rank < group->base.size; rank++)
        if (group->split_records[rank].color == color)
            members[size++] = (candidate){ group->split_records[rank].key, rank };
    qsort(members, (size_t)size, sizeof *members, by_key_then_rank);
    status = check_members(group, members, size);
    child->size = size;
    for (int i = 0; i < size; i++) {
        int parent_rank = members[i].parent_rank;
        const mst_split_record *record = &group->split_records[parent_rank];

        child->members[i] = mst_child_member(group, parent_rank, record);
        if (parent_rank == group->base.rank)
            child->rank = i;
    }
    free(members);
    return status;
}

/* ---- the split itself ---- */

static muster_status make_child(mst_group *group, int color, const mst_member *own, mst_group **child)
{
    mst_attachment *attachment = group->subarena->attachment;
    membership members = { NULL, 0, 0 };

    muster_status status = gather_members(group, color, &members);
    if (status == MUSTER_ERR_NO_SPACE) {
        mst_member_release(attachment, own);
    } else if (status != MUSTER_OK) {
        mst_member_abandon(attachment, own);
    } else {
        status = mst_child_create(group, members.members, members.rank, members.size, own, child);
    }
    free(members.members);
    return status;
}

static muster_status split(mst_agreement *agreement, int color, int key, mst_group **child)
{
    mst_group *group = agreement->group;
    mst_attachment *attachment = group->subarena->attachment;
    mst_member own = { 0 };
    bool joins = color != MUSTER_COLOR_NONE;
    mst_error_copy why;

    muster_status claimed = joins ? mst_member_claim(attachment, &own) : MUSTER_OK;
    mst_split_record record = mst_child_record(&own, claimed);
    record.color = color;
    record.key = key;
    if (claimed != MUSTER_OK)
        mst_error_keep(&why);
    muster_status status = mst_agree(agreement, &record); /* even if claiming failed: the others must know */
    if (status != MUSTER_OK) {
        if (joins && claimed == MUSTER_OK)
            mst_member_abandon(attachment, &own);
        return status;
    }
    if (claimed != MUSTER_OK)
        return mst_error_again(&why);
    if (joins)
        return make_child(group, color, &own, child);
    return MUSTER_OK;
}

static muster_status run(mst_group *group, mst_makes makes, int color, int key, muster_group **child)
{
    mst_agreement agreement;
    mst_group *made = NULL;

    muster_status status = mst_agree_begin(&agreement, group, makes);
    if (status != MUSTER_OK)
        return status;
    status = split(&agreement, color, key, &made);
    mst_agree_end(&agreement);
    if (status == MUSTER_OK)
        *child = made ? &made->base : NULL;
    return status;
}

muster_status mst_split(muster_group *of, int color, int key, muster_group **child)
{
    return run(mst_group_of(of), MST_MAKES_GROUP, color, key, child);
}

muster_status mst_dup(muster_group *of, muster_group **copy)
{
    return run(mst_group_of(of), MST_MAKES_COPY, 0, of->rank, copy);
}
