/* Claims, agrees and opens, for hidden.h: as split does, for all members and with blocks of any size. */
#include "src/onehost/create/hidden.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "src/onehost/create/child.h"
#include "src/onehost/group/showing.h"

#define MIB 1048576.0

/* A rank's block as sentences have it. */
typedef struct block_words {
    char text[32];
} block_words;

static block_words describe(const mst_hidden *plan, const mst_split_record *record, int rank, int size)
{
    block_words words = { "block" };
    uint64_t bytes = plan->bytes(record, rank, size);

    if (bytes)
        snprintf(words.text, sizeof words.text, "%.1f MiB", (double)bytes / MIB);
    return words;
}

static muster_status claim(const mst_group *parent, const mst_hidden *plan, mst_member *own)
{
    own->block_bytes = plan->bytes(&plan->own, parent->base.rank, parent->base.size);
    if (own->block_bytes == 0)
        return mst_fail(MUSTER_ERR_NO_SPACE, "it is more than any arena can hold");
    return mst_member_claim_block(parent->subarena->attachment, own);
}

static muster_status explain_own(const mst_group *parent, const mst_hidden *plan, const char *why)
{
    return mst_fail_about(parent->base.rank, MUSTER_ERR_NO_SPACE,
                          "%s: this rank could not get its %s, so no rank gets any: %s", plan->name,
                          describe(plan, &plan->own, parent->base.rank, parent->base.size).text, why);
}

/* The first rank that could not get its block. */
static muster_status check_claims(const mst_group *parent, const mst_hidden *plan)
{
    for (int rank = 0; rank < parent->base.size; rank++) {
        const mst_split_record *record = &parent->split_records[rank];

        if (record->status != MUSTER_OK)
            return mst_fail_about(
                rank, MUSTER_ERR_NO_SPACE,
                "%s: rank %d could not get its %s (%s), so no rank gets any; the group is as before",
                plan->name, rank, describe(plan, record, rank, parent->base.size).text,
                muster_status_string((muster_status)record->status));
    }
    return MUSTER_OK;
}

static muster_status open_group(mst_group *parent, const mst_hidden *plan, const mst_member *own,
                                mst_group **made)
{
    int size = parent->base.size;

    for (int rank = 0; rank < size; rank++) {
        const mst_split_record *record = &parent->split_records[rank];
        uint64_t bytes = plan->bytes(record, rank, size);

        plan->members[rank] = mst_child_member(parent, rank, record);
        plan->members[rank].block_bytes = bytes ? bytes : UINT64_MAX; /* damaged: opening it refuses */
    }
    muster_status status = mst_child_create(parent, plan->members, parent->base.rank, size, own, made);
    if (status == MUSTER_OK && parent->base.name[0]) {
        memcpy((*made)->base.name, parent->base.name, sizeof parent->base.name);
        mst_group_show_name(&(*made)->base);
    }
    return status;
}

static muster_status create(mst_agreement *agreement, mst_hidden *plan, muster_status prepared,
                            mst_group **made)
{
    mst_group *parent = agreement->group;
    mst_attachment *attachment = parent->subarena->attachment;
    mst_member own = { 0 };
    char why[300];

    muster_status claimed = prepared == MUSTER_OK ? claim(parent, plan, &own) : prepared;
    mst_split_record record = mst_child_record(&own, claimed);
    record.color = plan->own.color;
    for (int i = 0; i < 2; i++)
        record.details[i] = plan->own.details[i];
    /* After the wait the thread's last error may be another one (mst_error_copy). */
    snprintf(why, sizeof why, "%s", claimed == MUSTER_OK ? "" : mst_error_sentence());
    muster_status status = mst_agree(agreement, &record); /* even if claiming failed: the others must know */
    if (status == MUSTER_OK && plan->compare)
        status = plan->compare(parent);
    if (claimed != MUSTER_OK)
        return status == MUSTER_OK ? explain_own(parent, plan, why) : status;
    if (status != MUSTER_OK) {
        mst_member_abandon(attachment, &own);
        return status;
    }
    status = check_claims(parent, plan);
    if (status != MUSTER_OK) {
        mst_member_release(attachment, &own);
        return status;
    }
    return open_group(parent, plan, &own, made);
}

muster_status mst_hidden_create(mst_group *parent, mst_hidden *plan, muster_status prepared, mst_group **made)
{
    mst_agreement agreement;

    muster_status status = mst_agree_begin(&agreement, parent, plan->makes);
    if (status != MUSTER_OK)
        return status;
    status = create(&agreement, plan, prepared, made);
    mst_agree_end(&agreement);
    return status;
}
