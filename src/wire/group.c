/* Groups, for group.h. */
#include "src/wire/group.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/plain.h"
#include "src/wire/early.h"
#include "src/wire/post.h"

/* ---- making ---- */

mst_wire_group *mst_wire_group_create(mst_wire *wire, const int *seats, int size, int rank,
                                      const muster_group *like)
{
    mst_wire_group *group = calloc(1, sizeof *group);
    size_t count = (size_t)size;

    if (!group)
        return NULL;
    group->base = (muster_group){ .backend = &mst_backend_wire,
                                  .rank = rank,
                                  .size = size,
                                  .here = like->here,
                                  .log = like->log,
                                  .timeout_ns = like->timeout_ns,
                                  .interrupt = like->interrupt,
                                  .interrupt_arg = like->interrupt_arg,
                                  .threads_multiple = like->threads_multiple };
    group->wire = wire;
    group->seats = malloc(count * sizeof *group->seats);
    group->gone = calloc(count, sizeof *group->gone);
    group->spent = calloc(count, sizeof *group->spent);
    group->owed = calloc(count, sizeof *group->owed);
    group->kept = calloc(count, sizeof *group->kept);
    group->offers = calloc(count, sizeof *group->offers);
    if (!group->seats || !group->gone || !group->spent || !group->owed || !group->kept || !group->offers ||
        !mst_table_init(&group->names) || !mst_matching_init(&group->matching, size)) {
        mst_wire_group_destroy(group);
        return NULL;
    }
    memcpy(group->seats, seats, count * sizeof *seats);
    for (int i = 0; i < size; i++)
        group->offers[i].may_go = group->offers[i].may_come = MST_WIRE_OFFERS_MAX;
    return group;
}

void mst_wire_group_destroy(mst_wire_group *group)
{
    for (int rank = 0; group->matching.by_source && rank < group->base.size; rank++)
        for (mst_match_node *at = group->matching.by_source[rank].first, *next; at; at = next) {
            next = at->list_next;
            free(at);
        }
    mst_matching_destroy(&group->matching);
    mst_table_destroy(&group->names);
    free(group->seats);
    free(group->gone);
    free(group->spent);
    free(group->owed);
    free(group->kept);
    free(group->offers);
    free(group);
}

void mst_wire_group_enlist(mst_wire_group *group, uint64_t number)
{
    group->base.number = number;
    group->next = group->wire->groups;
    group->wire->groups = group;
}

/* ---- the end ---- */

/* Nobody sends a frame for it any more: what a member sends last is that it has closed it. */
static void end_if_over(mst_wire_group *group)
{
    mst_wire_group **at = &group->wire->groups;

    if (!group->closed || group->gone_count < group->base.size - 1)
        return;
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    mst_wire_group_destroy(group);
}

void mst_wire_group_gone(mst_wire_group *group, int rank)
{
    if (group->gone[rank])
        return;
    group->gone[rank] = true;
    group->gone_count++;
    end_if_over(group);
}

/* The word of whoever has broken it may come later than this member's last. */
void mst_wire_group_pass_on(mst_wire_group *group)
{
    if (group->broken.status != MUSTER_OK && !group->closed)
        mst_wire_post_all(group, MST_WIRE_BROKEN, &group->broken, sizeof group->broken);
}

void mst_wire_group_close(mst_wire_group *group)
{
    mst_wire_group_pass_on(group);
    mst_wire_post_all(group, MST_WIRE_GONE, NULL, 0);
    group->closed = true;
    mst_wire_drop_early(group->wire);
    end_if_over(group);
}

bool mst_wire_is_gone(const mst_wire_group *group, int rank)
{
    return group->gone[rank] || group->wire->left[group->seats[rank]];
}

/* ---- where its members are ---- */

void mst_wire_name(const mst_wire_group *group, int rank, char *text)
{
    const char *where = mst_wire_host_of(group, rank);

    snprintf(text, MST_WIRE_NAME_BYTES, "rank %d%s%s", rank, where ? " on " : "", where ? where : "");
}

/* ---- what breaks it ---- */

muster_status mst_wire_explain(const mst_wire_group *group)
{
    const mst_wire_reason *reason = &group->broken;
    const mst_wire *wire = group->wire;

    if (reason->status == MUSTER_OK && !wire->why[0] && !wire->has_left)
        return MUSTER_OK;
    if (reason->status == MUSTER_OK)
        return mst_fail(MUSTER_ERR_SYSTEM, "%s", wire->why[0] ? wire->why : wire->frames->methods->farewell);
    mst_fail_about(reason->about, (muster_status)reason->status, "%s", reason->text);
    mst_error_about(reason->about,
                    (muster_termination){ (muster_termination_kind)reason->kind, reason->code });
    if (reason->pair)
        mst_error_about_pair(reason->about, reason->pair - 1, group->base.rank);
    mst_error_late(reason->limit_ns);
    return (muster_status)reason->status;
}

/* If a link's reason (src/hosts/carried.c) says that a rank has died: status, rank and kind in brackets. */
static void note_death(mst_wire_group *group, const char *text)
{
    const char *numbers = strchr(text, '[');
    char *end = NULL;

    if (!numbers)
        return;
    bool died = strtol(numbers + 1, &end, 10) == MUSTER_ERR_PEER_DIED;
    long rank = strtol(end, &end, 10);
    if (!died || strtol(end, NULL, 10) <= MUSTER_TERMINATION_NONE)
        return;
    group->wire->knows_death = true;
    if (rank >= 0 && rank < group->base.size)
        group->wire->dead[group->seats[rank]] = true;
}

/* The reason with these words; the first one stays. */
static muster_status __attribute__((format(printf, 3, 0)))
break_by(mst_wire_group *group, const mst_wire_reason *parts, const char *format, va_list args)
{
    mst_wire_reason *reason = &group->broken;

    if (reason->status == MUSTER_OK) {
        *reason = *parts;
        vsnprintf(reason->text, sizeof reason->text, format, args);
        note_death(group, reason->text);
        mst_wire_post_all(group, MST_WIRE_BROKEN, reason, sizeof *reason);
    }
    return mst_wire_explain(group);
}

muster_status mst_wire_break(mst_wire_group *group, int about, muster_status status, int64_t limit_ns,
                             const char *format, ...)
{
    mst_wire_reason parts = { .status = (int32_t)status, .about = about, .limit_ns = limit_ns };
    va_list args;

    va_start(args, format);
    status = break_by(group, &parts, format, args);
    va_end(args);
    return status;
}

muster_status mst_wire_break_pair(mst_wire_group *group, int rank, int other, const char *format, ...)
{
    mst_wire_reason parts = { .status = MUSTER_ERR_MISMATCH, .about = rank, .pair = 1 + other };
    va_list args;

    va_start(args, format);
    muster_status status = break_by(group, &parts, format, args);
    va_end(args);
    return status;
}

void mst_wire_told_broken(mst_wire_group *group, const mst_wire_reason *told)
{
    mst_wire_reason *reason = &group->broken;

    if (reason->status != MUSTER_OK)
        return;
    *reason = *told;
    reason->text[sizeof reason->text - 1] = '\0';
    mst_plain_make(reason->text);
    if (reason->status < MUSTER_ERR_INVALID || reason->status > MUSTER_ERR_UNAVAILABLE)
        reason->status = MUSTER_ERR_BAD_ARENA;
    if (reason->about < 0 || reason->about >= group->base.size)
        reason->about = -1;
    if (reason->about < 0 || reason->pair < 0 || reason->pair > group->base.size)
        reason->pair = 0;
    if ((unsigned)reason->kind > MUSTER_TERMINATION_CRASHED)
        reason->kind = MUSTER_TERMINATION_NONE;
    if (reason->limit_ns < 0)
        reason->limit_ns = 0;
    note_death(group, reason->text);
}

muster_status mst_wire_in_group(const muster_group *group, muster_status status)
{
    if (status >= MUSTER_ERR_PEER_DIED && status <= MUSTER_ERR_ABORTED && mst_error_parts()->group == 0)
        mst_error_in_group(group->name, group->number);
    return status;
}
