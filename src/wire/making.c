/* subset and dup, for making.h. */
#include "src/wire/making.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/wire/arrive.h"
#include "src/wire/early.h"
#include "src/wire/group.h"
#include "src/wire/message.h"

/* What a member tells. */
typedef struct told {
    uint64_t number; /* of the group: the first member's */
    uint64_t list;   /* what stands for the list that it was given */
    int32_t status;  /* of its part */
    int32_t count;
} told;

static uint64_t hash_of(const int *ranks, int count)
{
    uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a, by number */

    for (int i = 0; i < count; i++)
        hash = (hash ^ (uint32_t)ranks[i]) * 0x100000001b3ULL;
    return hash;
}

static uint64_t next_number(mst_wire *wire)
{
    return MST_WIRE_NUMBER_OF_WHOLE | (uint64_t)wire->frames->rank << MST_WIRE_COUNT_BITS | 2 * ++wire->made;
}

/* Whether it can be the number of a new group whose first member is that process. */
static bool is_number(const mst_wire *wire, uint64_t number, int first)
{
    uint64_t count = number - (MST_WIRE_NUMBER_OF_WHOLE | (uint64_t)first << MST_WIRE_COUNT_BITS);

    return count > 0 && count < 1ULL << MST_WIRE_COUNT_BITS && number == mst_wire_original(number) &&
           !mst_wire_group_find(wire, number);
}

static mst_message message_with(const char *name, int rank, told *what, bool sends)
{
    return (mst_message){ .name = name,
                          .dtype = MUSTER_UINT64,
                          .sends = sends,
                          .receives = !sends,
                          .destination = rank,
                          .source = rank,
                          .send_tag = MST_WIRE_TAG_SUBSETS,
                          .receive_tag = MST_WIRE_TAG_SUBSETS,
                          .out = what,
                          .in = what,
                          .out_count = sizeof *what / sizeof(uint64_t),
                          .in_count = sizeof *what / sizeof(uint64_t),
                          .out_bytes = sizeof *what,
                          .in_bytes = sizeof *what };
}

/* Tells all others, and waits for each. */
static muster_status tell_all(muster_group *group, const int *ranks, int count, told *all, int own)
{
    muster_status status = MUSTER_OK;
    char name[40];

    snprintf(name, sizeof name, "subset #%llu", (unsigned long long)++mst_wire_of(group)->subsets);
    for (int i = 0; i < count && status == MUSTER_OK; i++) {
        mst_message message = message_with(name, ranks[i], &all[own], true);

        if (i != own)
            status = mst_wire_message(group, &message);
    }
    for (int i = 0; i < count && status == MUSTER_OK; i++) {
        mst_message message = message_with(name, ranks[i], &all[i], false);

        if (i != own)
            status = mst_wire_message(group, &message);
    }
    return status;
}

static muster_status check_number(mst_wire_group *group, int first, uint64_t number)
{
    muster_status status = MUSTER_OK;

    pthread_mutex_lock(&group->wire->lock);
    if (!is_number(group->wire, number, group->seats[first]))
        status = mst_wire_break(group, first, MUSTER_ERR_BAD_ARENA, 0,
                                "rank %d told rank %d %llx as the number of a new group, which it cannot be",
                                first, group->base.rank, (unsigned long long)number);
    pthread_mutex_unlock(&group->wire->lock);
    return mst_wire_in_group(&group->base, status);
}

static muster_status compare(mst_wire_group *group, const int *ranks, int count, const told *all, int own)
{
    for (int i = 0; i < count; i++) {
        if (all[i].count == all[own].count && all[i].list == all[own].list)
            continue;
        pthread_mutex_lock(&group->wire->lock);
        muster_status status = mst_wire_break_pair(
            group, ranks[i], group->base.rank,
            "rank %d gave subset a list of %d ranks, and rank %d another one, of %d; all members "
            "must give the same list",
            group->base.rank, all[own].count, ranks[i], (int)all[i].count);
        pthread_mutex_unlock(&group->wire->lock);
        return mst_wire_in_group(&group->base, status);
    }
    muster_status status = check_number(group, ranks[0], all[0].number);
    for (int i = 0; i < count && status == MUSTER_OK; i++)
        if (all[i].status != MUSTER_OK)
            return i == own ? mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", count)
                            : mst_fail_about(ranks[i], MUSTER_ERR_NO_SPACE,
                                             "rank %d could not make its part of a group; the parent is as "
                                             "before",
                                             ranks[i]);
    return status;
}

/* This rank's part, without a number; NULL: no memory. */
static mst_wire_group *make_part(mst_wire_group *group, const int *ranks, int count, int own)
{
    int *seats = malloc((size_t)count * sizeof *seats);
    mst_wire_group *part = NULL;

    for (int i = 0; seats && i < count; i++)
        seats[i] = group->seats[ranks[i]];
    if (seats)
        part = mst_wire_group_create(group->wire, seats, count, own, &group->base);
    free(seats);
    return part;
}

static void enlist(mst_wire_group *part, uint64_t number)
{
    pthread_mutex_lock(&part->wire->lock);
    mst_wire_group_enlist(part, number);
    mst_wire_arrive_early(part);
    pthread_mutex_unlock(&part->wire->lock);
}

/* Until it is over, frames for the group are kept; then those for one that will not be there are dropped. */
static void be_making(mst_wire_group *parent, bool makes)
{
    pthread_mutex_lock(&parent->wire->lock);
    parent->makes = makes;
    if (!makes)
        mst_wire_drop_early(parent->wire);
    pthread_mutex_unlock(&parent->wire->lock);
}

muster_status mst_wire_subset(muster_group *of, const int *ranks, int count, muster_group **made)
{
    mst_wire_group *group = mst_wire_of(of);
    told *all = calloc((size_t)count, sizeof *all);
    int own = 0;

    if (!all)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", count);
    while (own < count - 1 && ranks[own] != of->rank)
        own++;
    mst_wire_group *part = make_part(group, ranks, count, own);
    be_making(group, true);
    pthread_mutex_lock(&group->wire->lock);
    all[own] = (told){ .number = own == 0 ? next_number(group->wire) : 0,
                       .list = hash_of(ranks, count),
                       .status = part ? MUSTER_OK : MUSTER_ERR_NO_MEMORY,
                       .count = count };
    pthread_mutex_unlock(&group->wire->lock);
    muster_status status = tell_all(of, ranks, count, all, own);
    if (status == MUSTER_OK)
        status = compare(group, ranks, count, all, own);
    if (part && status == MUSTER_OK) { /* it has refused what is without a part */
        part->parent = of->number;
        enlist(part, all[0].number);
        *made = &part->base;
    } else if (part) {
        mst_wire_group_destroy(part);
    }
    be_making(group, false);
    free(all);
    return status;
}

/* The next ones are made as other groups are. */
static muster_status dup_again(muster_group *of, muster_group **copy)
{
    int *ranks = calloc((size_t)of->size, sizeof *ranks);

    if (!ranks)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", of->size);
    for (int rank = 0; rank < of->size; rank++)
        ranks[rank] = rank;
    muster_status status = mst_wire_subset(of, ranks, of->size, copy);
    free(ranks);
    return status;
}

muster_status mst_wire_dup(muster_group *of, muster_group **copy)
{
    mst_wire_group *group = mst_wire_of(of);

    if (group->copied || of->number != mst_wire_original(of->number))
        return dup_again(of, copy);
    mst_wire_group *part = mst_wire_group_create(group->wire, group->seats, of->size, of->rank, of);
    if (!part)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", of->size);
    group->copied = true;
    part->parent = group->parent;
    enlist(part, of->number + 1);
    *copy = &part->base;
    return MUSTER_OK;
}
