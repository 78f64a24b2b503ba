/* Groups: their properties, groups made from groups, and settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/api/enter.h"
#include "src/api/init.h"

enum { ABORT_BYTES = 256 }; /* of a reason: more than what groups keep of one */

int muster_group_rank(const muster_group *group)
{
    return group ? group->rank : -1;
}

int muster_group_size(const muster_group *group)
{
    return group ? group->size : 0;
}

int muster_group_translate(const muster_group *group, int rank, const muster_group *other)
{
    if (!group || !other || group->backend != other->backend || rank < 0 || rank >= group->size)
        return -1;
    return group->backend->translate(group, rank, other);
}

/* ---- groups made from groups ---- */

muster_status muster_group_split(muster_group *group, int color, int key, muster_group **child)
{
    muster_status status = mst_check_place(child, "child");

    if (status == MUSTER_OK && color < 0 && color != MUSTER_COLOR_NONE)
        status = mst_fail(MUSTER_ERR_INVALID,
                          "color %d is negative; expected 0 or more, or MUSTER_COLOR_NONE to join no group",
                          color);
    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("split", status);
    status = group->backend->split(group, color, key < 0 ? group->rank : key, child);
    return mst_end(group, MUSTER_CALL_SPLIT, "split", status);
}

muster_status muster_group_dup(muster_group *group, muster_group **copy)
{
    muster_status status = mst_check_place(copy, "copy");

    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("dup", status);
    return mst_end(group, MUSTER_CALL_SPLIT, "dup", group->backend->dup(group, copy));
}

static bool is_listed(int rank, const int *ranks, int count)
{
    for (int i = 0; i < count; i++)
        if (ranks[i] == rank)
            return true;
    return false;
}

static muster_status check_list(const muster_group *group, const int *ranks, int count)
{
    if (!ranks || count < 1 || count > group->size)
        return mst_fail(MUSTER_ERR_INVALID, "subset: a list of %d ranks%s; expected 1 to %d", count,
                        ranks ? "" : ", which is NULL", group->size);
    for (int i = 0; i < count; i++) {
        if (ranks[i] < 0 || ranks[i] >= group->size)
            return mst_fail(MUSTER_ERR_INVALID, "subset: %d is not a rank of a group of %d", ranks[i],
                            group->size);
        if (is_listed(ranks[i], ranks, i))
            return mst_fail(MUSTER_ERR_INVALID, "subset: rank %d is in the list twice", ranks[i]);
    }
    if (!is_listed(group->rank, ranks, count))
        return mst_fail(MUSTER_ERR_INVALID,
                        "subset: rank %d, which calls it, is not in the list; only those in it call it",
                        group->rank);
    return MUSTER_OK;
}

muster_status muster_group_subset(muster_group *group, const int *ranks, int count, muster_group **subset)
{
    muster_status status = mst_check_place(subset, "subset");

    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    if (status != MUSTER_OK)
        return mst_named("subset", status);
    status = check_list(group, ranks, count);
    status =
        status == MUSTER_OK ? group->backend->subset(group, ranks, count, subset) : mst_refuse(group, status);
    return mst_end(group, MUSTER_CALL_SPLIT, "subset", status);
}

static muster_status regroup(muster_group *group, bool grows, muster_group **made)
{
    muster_status status = mst_check_place(made, "new group");

    if (status == MUSTER_OK)
        status = mst_enter(group, MUSTER_CALL_SPLIT);
    const char *name = grows ? "grow" : "shrink";
    if (status != MUSTER_OK)
        return mst_named(name, status);
    return mst_end(group, MUSTER_CALL_SPLIT, name, group->backend->regroup(group, grows, made));
}

muster_status muster_group_shrink(muster_group *group, muster_group **survivors)
{
    return regroup(group, false, survivors);
}

muster_status muster_group_grow(muster_group *group, muster_group **grown)
{
    return regroup(group, true, grown);
}

muster_status muster_group_free(muster_group *group)
{
    muster_status status = group ? mst_check_group(group) : MUSTER_OK;

    if (!group || status != MUSTER_OK)
        return status;
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        if (mst_load64_acq(&group->occupied[class]))
            return mst_fail(MUSTER_ERR_BUSY, "another thread is inside the group; free it after that call");
    uint64_t started = 0;
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        started += mst_load64_rlx(&group->started_count[class]);
    if (started)
        return mst_fail(MUSTER_ERR_BUSY,
                        "%llu started operation%s not completed; call muster_wait on each, "
                        "then free the group",
                        (unsigned long long)started,
                        started == 1 ? " of the group is" : "s of the group are");
    if (mst_load32_rlx(&group->threads) > 1 && group->backend->is_helped(group))
        return mst_fail(MUSTER_ERR_BUSY, "a thread is in muster_help of the group; free it after that call");
    if (!group->released || group->released(group)) {
        free(group->latest_counts);
        group->backend->close(group);
    }
    return MUSTER_OK;
}

/* ---- status and settings ---- */

muster_status muster_group_status(const muster_group *group)
{
    muster_status status = mst_check_group(group);

    return status == MUSTER_OK ? group->backend->status(group) : status;
}

muster_status muster_group_abort(muster_group *group, const char *reason)
{
    muster_status status = mst_check_group(group);
    char words[ABORT_BYTES] = ""; /* which end up on terminals */

    if (reason)
        snprintf(words, sizeof words, "%s", reason);
    mst_plain_make(words);
    if (status == MUSTER_OK)
        group->backend->abort_group(group, reason ? words : NULL);
    return status;
}

muster_status muster_group_set_interrupt(muster_group *group, muster_interrupt_fn fn, void *arg)
{
    muster_status status = mst_check_group(group);

    if (status != MUSTER_OK)
        return status;
    group->interrupt_arg = arg; /* first: another thread may look meanwhile */
    group->interrupt = fn;
    return MUSTER_OK;
}

/* Enters the first `classes` classes, or none. */
static muster_status enter_classes(muster_group *group, int classes)
{
    for (int class = 0; class < classes; class ++) {
        muster_status status = mst_enter(group, (muster_call_class) class);

        if (status == MUSTER_OK)
            continue;
        while (class -- > 0)
            mst_leave(group, (muster_call_class) class);
        return status;
    }
    return MUSTER_OK;
}

static void leave_all(muster_group *group)
{
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        mst_leave(group, (muster_call_class) class);
}

/* Settings: in all classes, so that no current call uses the old value. */
muster_status muster_group_set_timeout(muster_group *group, int64_t timeout_ns)
{
    muster_status status =
        timeout_ns >= 0
            ? enter_classes(group, MUSTER_CALL_CLASS_COUNT)
            : mst_fail(MUSTER_ERR_INVALID, "a timeout of %lld ns; expected 0 for no limit, or more",
                       (long long)timeout_ns);
    if (status != MUSTER_OK)
        return mst_named("set_timeout", status);
    group->timeout_ns = timeout_ns;
    if (group->backend->take_timeout)
        group->backend->take_timeout(group);
    leave_all(group);
    return MUSTER_OK;
}

/* It is shown on terminals, in lines. */
static muster_status check_name(const char *name)
{
    size_t bytes = strlen(name);
    unsigned control = mst_plain_control(name);

    if (bytes >= MUSTER_GROUP_NAME_BYTES)
        return mst_fail(MUSTER_ERR_INVALID, "a group's name of %zu bytes, \"%.40s...\"; expected up to %d",
                        bytes, name, MUSTER_GROUP_NAME_BYTES - 1);
    if (control)
        return mst_fail(MUSTER_ERR_INVALID, "a group's name with a control character, 0x%02x", control);
    return MUSTER_OK;
}

muster_status muster_group_set_name(muster_group *group, const char *name)
{
    char given[MUSTER_GROUP_NAME_BYTES] = "";

    muster_status status = name ? check_name(name) : MUSTER_OK;
    if (status == MUSTER_OK)
        status = enter_classes(group, MUSTER_CALL_CLASS_COUNT);
    if (status != MUSTER_OK)
        return mst_named("set_name", status);
    if (name)
        memcpy(given, name, strlen(name) + 1);
    memcpy(group->name, given, sizeof given);
    group->backend->show_name(group);
    leave_all(group);
    return MUSTER_OK;
}

const char *muster_group_name(const muster_group *group)
{
    return group ? group->name : "";
}

muster_status muster_report_crashes(muster_group *group)
{
    muster_status status = mst_check_group(group);

    return status == MUSTER_OK ? group->backend->report_crashes(group) : status;
}

muster_status muster_phase(const char *name, const muster_group *group)
{
    const size_t most = sizeof((muster_record *)NULL)->phase - 1;
    const char *said = name ? name : "";

    if (!group)
        group = mst_init_world();
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID,
                        "muster_phase(\"%.40s\", NULL) is for the world of muster_init, which "
                        "has not been called; or give it a group",
                        said);
    if (strlen(said) > most)
        return mst_fail(MUSTER_ERR_INVALID, "a phase's name of %zu bytes, \"%.40s...\"; expected up to %zu",
                        strlen(said), said, most);
    muster_status status = mst_check_group(group);
    if (status == MUSTER_OK)
        group->backend->mark_phase(group, said);
    return status;
}
