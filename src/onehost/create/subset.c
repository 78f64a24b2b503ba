/*
 * subset: a group of some members of a group, made by those alone.
 *
 * The others take no part: they may be in any call, or make subsets of their own. So a subset uses no round
 * of the group. Each member claims its cell, tells every other member of the subset where it is, by the
 * record of their pair (shm/group/pairs.h), and waits for theirs, one after another. Then all have the same
 * parts, in the order of the list that they gave, and no further agreement is needed.
 *
 * A member that could not claim its part tells that instead, and all fail alike. A member that has told the
 * others has read nothing yet, so what it told stays valid until they have come, too; if it dies before they
 * have, the group is broken, and their subset fails. Cost: one record and one wait per member.
 */
#include "src/onehost/create/subset.h"

#include <stdio.h>
#include <stdlib.h>

#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "src/onehost/create/child.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"
#include "src/onehost/wait/stall.h"

typedef struct subset {
    mst_group *group;
    const int *ranks;
    int count;
    mst_member own; /* our part of the new group */
    int awaited;    /* the member that it waits for now */
    mst_waiting waiting;
    mst_waiter waiter; /* for all, under one deadline */
} subset;

/* ---- lists of ranks ---- */

/* Ranks that give the same hash have given the same list: FNV-1a of 64 bits over the ranks, in order. */
static uint64_t hash_of(const subset *subset)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ (uint64_t)subset->count;

    for (int i = 0; i < subset->count; i++)
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ ((uint32_t)subset->ranks[i] >> (8 * byte) & 0xff)) * 0x100000001b3ULL;
    return hash;
}

/* "ranks 2 0 1", in the order given; "..." stands for those that do not fit. */
static void write_ranks(const int *ranks, int count, char *text, size_t bytes)
{
    const size_t more = sizeof " ... 1023";
    size_t used = (size_t)snprintf(text, bytes, count == 1 ? "rank" : "ranks");

    for (int i = 0; i < count && used < bytes; i++) {
        bool last = used + more >= bytes;

        used += (size_t)snprintf(text + used, bytes - used, last ? " ..." : " %d", ranks[i]);
        if (last)
            return;
    }
}

static void describe(const void *arg, char *text, size_t bytes)
{
    const subset *subset = arg;
    char ranks[48];

    write_ranks(subset->ranks, subset->count, ranks, sizeof ranks);
    snprintf(text, bytes, "subset #%llu, of %s of a group of %d", (unsigned long long)subset->group->subset,
             ranks, subset->group->base.size);
}

/* ---- telling ---- */

static void begin(subset *subset)
{
    mst_group *group = subset->group;

    mst_group_begin(group);
    group->subset++;
    /* `latest` counts calls of the whole group, which ranks are compared by; a subset is none of them. */
    mst_group_show(group, MUSTER_CALL_SPLIT, group->split + group->regroups,
                   &(mst_doing){ .kind = MST_DOING_SUBSET, .peer = -1, .operation = group->subset });
}

static void tell_all(const subset *subset, muster_status claimed)
{
    mst_pair_record record = { .list = hash_of(subset),
                               .membership = subset->own.membership,
                               .cell = subset->own.cell,
                               .status = (uint32_t)claimed };

    for (int i = 0; i < subset->count; i++)
        if (subset->ranks[i] != subset->group->base.rank)
            mst_pairs_tell(&subset->group->pairs, subset->ranks[i], &record);
}

/* ---- waiting ---- */

static bool has_told(const void *arg)
{
    const subset *subset = arg;
    mst_pair_record unused;

    return mst_pairs_look(&subset->group->pairs, subset->awaited, &unused) != MST_PAIR_NOT_YET;
}

static muster_status await(subset *subset)
{
    mst_group *group = subset->group;
    mst_cell *cell = group->cell;
    char doing[120], late[24];

    if (has_told(subset))
        return MUSTER_OK;
    mst_group_awaits(group, MUSTER_CALL_SPLIT, subset->awaited);
    mst_wait_result result = mst_wait_until(&subset->waiter, mst_eventcount_parking(&cell->doorbell),
                                            has_told, subset, subset->awaited);
    if (result == MST_WAIT_READY)
        return MUSTER_OK;
    describe(subset, doing, sizeof doing);
    snprintf(late, sizeof late, "rank %d", subset->awaited);
    return mst_group_wait_failed(group, result, doing, late, subset->awaited);
}

/* ---- what the members told ---- */

/* Both ranks see it; the sentence begins with the lower one, whichever tells it. */
static muster_status mismatch(const subset *subset, int rank)
{
    mst_group *group = subset->group;
    int theirs[64], count = mst_pairs_list(&group->pairs, rank, theirs, 64);
    char own_text[80], their_text[80];
    bool own_first = group->base.rank < rank;

    write_ranks(subset->ranks, subset->count, own_text, sizeof own_text);
    write_ranks(theirs, count, their_text, sizeof their_text);
    return mst_group_poison_pair(
        group, own_first ? rank : group->base.rank, own_first ? group->base.rank : rank,
        "rank %d made a subset of %s and rank %d a subset of %s; each is in the other's, "
        "and both must give the same list",
        own_first ? group->base.rank : rank, own_first ? own_text : their_text,
        own_first ? rank : group->base.rank, own_first ? their_text : own_text);
}

/* Waits for the member at that place of the list, and learns its part, into the group's records of splits.
 * *refused: it has none. */
static muster_status meet(subset *subset, int place, bool *refused)
{
    mst_group *group = subset->group;
    mst_pair_record record = { 0 };

    subset->awaited = subset->ranks[place];
    muster_status status = await(subset);
    if (status != MUSTER_OK)
        return status;
    mst_pair_answer answer = mst_pairs_look(&group->pairs, subset->awaited, &record);
    if (answer == MST_PAIR_DAMAGED)
        return mst_group_poison(group, MST_POISON_DAMAGE,
                                "rank %d says that its table of pairs is outside its region: the arena is "
                                "damaged",
                                subset->awaited);
    *refused = answer == MST_PAIR_REFUSED || record.status != MUSTER_OK;
    if (answer == MST_PAIR_TOLD && record.list != hash_of(subset))
        return mismatch(subset, subset->awaited);
    group->split_records[place] = (mst_split_record){ .cell = record.cell, .membership = record.membership };
    return MUSTER_OK;
}

/* Meets all, also when one has no part: what we told the others must not be overwritten before they came. */
static muster_status meet_all(subset *subset)
{
    muster_status status = MUSTER_OK;
    int first_refused = -1;

    for (int place = 0; place < subset->count && status == MUSTER_OK; place++) {
        bool refused = false;

        if (subset->ranks[place] != subset->group->base.rank)
            status = meet(subset, place, &refused);
        if (refused && first_refused < 0)
            first_refused = subset->ranks[place];
    }
    mst_group_awaits(subset->group, MUSTER_CALL_SPLIT, -1);
    if (status == MUSTER_OK && first_refused >= 0)
        return mst_fail_about(
            first_refused, MUSTER_ERR_NO_SPACE,
            "rank %d could not get memory for its part of the new group; the parent group is unchanged",
            first_refused);
    return status;
}

/* ---- the whole call ---- */

static muster_status form(subset *subset, mst_group **made)
{
    mst_group *group = subset->group;
    mst_member *members = calloc((size_t)subset->count, sizeof *members);
    int own_place = 0;

    mst_fault_point("subset.met");
    if (!members) {
        mst_member_abandon(group->subarena->attachment, &subset->own);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", subset->count);
    }
    for (int place = 0; place < subset->count; place++) {
        members[place] = mst_child_member(group, subset->ranks[place], &group->split_records[place]);
        if (subset->ranks[place] != group->base.rank)
            continue;
        members[place] = subset->own;
        own_place = place;
    }
    muster_status status = mst_child_create(group, members, own_place, subset->count, &subset->own, made);
    free(members);
    return status;
}

/* Frees our part of a group that did not come about. */
static void give_up(const subset *subset, muster_status why)
{
    mst_attachment *attachment = subset->group->subarena->attachment;

    if (why == MUSTER_ERR_NO_SPACE) /* all members see it, so nobody uses the part */
        mst_member_release(attachment, &subset->own);
    else
        mst_member_abandon(attachment, &subset->own);
}

static void prepare_to_wait(subset *subset)
{
    static const mst_wait_kind kind = { .describe = describe };
    mst_group *group = subset->group;
    const mst_subarena *subarena = group->subarena;

    subset->waiting = (mst_waiting){ &kind, group, subset };
    subset->waiter = mst_attachment_waiter(subarena->attachment);
    subset->waiter.poison = &subarena->cells[group->base.rank]->poison;
    subset->waiter.no_poison = subarena->no_poison[group->base.rank];
    subset->waiter.deadline.limit_ns = group->base.timeout_ns;
    subset->waiter.watch = mst_waiting_watch(&subset->waiting);
}

static muster_status run(subset *subset, mst_group **made)
{
    mst_group *group = subset->group;
    mst_error_copy why;

    begin(subset);
    muster_status claimed = mst_pairs_begin(&group->pairs, subset->ranks, subset->count);
    if (claimed != MUSTER_OK)
        return claimed;
    prepare_to_wait(subset);
    claimed = mst_member_claim(group->subarena->attachment, &subset->own);
    if (claimed != MUSTER_OK)
        mst_error_keep(&why);
    tell_all(subset, claimed); /* even if claiming failed: the others must know */
    muster_status status = meet_all(subset);
    if (status == MUSTER_OK)
        mst_group_arrived(group, MUSTER_CALL_SPLIT, &subset->waiter);
    if (claimed != MUSTER_OK)
        return status == MUSTER_OK ? mst_error_again(&why) : status;
    if (status == MUSTER_OK)
        return form(subset, made);
    give_up(subset, status);
    return status;
}

muster_status mst_subset(muster_group *of, const int *ranks, int count, muster_group **made)
{
    mst_group *group = mst_group_of(of), *child = NULL;
    subset subset = { .group = group, .ranks = ranks, .count = count };

    muster_status status = mst_group_ready(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return status;
    status = run(&subset, &child);
    mst_group_shown(group, MUSTER_CALL_SPLIT);
    if (status == MUSTER_OK)
        *made = &child->base;
    return status;
}
