/* Breaks groups, and turns poison into messages, as described in broken.h. */
#include "src/onehost/wait/broken.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/plain.h"
#include "shm/death/terminations.h"

/* ---- poison into messages ---- */

#define MEMBER_BYTES 60

/* A member's number in the world, where that says something and is known: not of a replacement, and not in a
 * part of a group of several hosts. -1: it is not. */
static int number_in_world(const mst_group *group, int rank)
{
    const mst_subarena *subarena = group->subarena;

    if (group->base.is_part || rank < 0 || rank >= group->base.size)
        return -1;
    uint32_t seat = subarena->members[rank].seat; /* of a first process: its rank */
    return seat < subarena->attachment->geometry.size ? (int)seat : -1;
}

static const char *name_member(const mst_group *group, int rank, char text[MEMBER_BYTES])
{
    int number = number_in_world(group, rank);

    if (number >= 0 && number != rank)
        snprintf(text, MEMBER_BYTES, "rank %d of the group (rank %d of the world)", rank, number);
    else
        snprintf(text, MEMBER_BYTES, "rank %d", rank);
    return text;
}

static bool is_numbered_as_world(const mst_group *group)
{
    int rank = 0;

    while (rank < group->base.size &&
           (number_in_world(group, rank) == rank || number_in_world(group, rank) < 0))
        rank++;
    return rank == group->base.size;
}

static muster_status explain_termination(const mst_group *group, int rank, muster_termination termination)
{
    char member[MEMBER_BYTES];
    bool of_itself =
        termination.kind == MUSTER_TERMINATION_EXITED || termination.kind == MUSTER_TERMINATION_EXECED;
    char ended[120];

    muster_termination_describe(termination, ended, sizeof ended);
    mst_fail(MUSTER_ERR_PEER_DIED, "%s %s%s", name_member(group, rank, member), ended,
             of_itself ? " without leaving the group, which is broken now" : "; the group is broken");
    mst_error_about(rank, termination);
    return MUSTER_ERR_PEER_DIED;
}

static muster_status explain_death(const mst_group *group, const mst_poison *poison)
{
    char member[MEMBER_BYTES];

    switch (poison->kind) {
    case MST_POISON_LEFT:
        return mst_fail_about(poison->rank, MUSTER_ERR_PEER_DIED,
                              poison->code
                                  ? "%s left the group (its program ended) while another rank still needed it"
                                  : "%s left the group (freed it, or its program ends) while another rank "
                                    "still needed it",
                              name_member(group, poison->rank, member));
    case MST_POISON_REGROUPS:
        return mst_fail_about(poison->rank, MUSTER_ERR_PEER_DIED,
                              "%s has called shrink or grow of the group, while another rank still needed "
                              "it; call the same, and go on in the new group",
                              name_member(group, poison->rank, member));
    case MST_POISON_LAUNCHER:
        return mst_fail(MUSTER_ERR_PEER_DIED, "the launcher of these ranks is gone, and the job with it");
    default:
        return explain_termination(group, poison->rank, mst_poison_termination(poison));
    }
}

/* A peer's message: its length is read once and bounded, and it is never used as a format. */
static muster_status explain_report(const mst_group *group, const mst_poison *poison)
{
    muster_status status = mst_poison_status(poison);
    bool known = poison->code > 0 && poison->code <= group->base.size;
    char text[MST_REASON_BYTES + 1] = "", where[100] = "";
    int64_t limit_ns = 0;
    uint32_t pair = 0;

    if (poison->rank < group->base.size) {
        const mst_cell *cell = group->subarena->cells[poison->rank];
        uint32_t bytes = cell->reason_bytes;

        memcpy(text, cell->reason, bytes < MST_REASON_BYTES ? bytes : MST_REASON_BYTES);
        mst_plain_make(text);
        limit_ns = cell->reason_limit_ns;
        pair = cell->reason_pair;
    }
    int about = known ? poison->code - 1 : -1, number = number_in_world(group, about);
    if (number >= 0 && !is_numbered_as_world(group))
        snprintf(where, sizeof where, " (in a group of %d, where rank %d of the world is rank %d)",
                 group->base.size, number, about);
    mst_fail_about(about, status, "%s%s", text[0] ? text : muster_status_string(status), where);
    if (known && pair >= 1 && pair <= (uint32_t)group->base.size)
        mst_error_about_pair(about, (int)pair - 1, group->base.rank);
    mst_error_late(limit_ns);
    return status;
}

muster_status mst_group_error(const mst_group *group, muster_status status)
{
    mst_error_in_group(group->base.name, group->base.number);
    return status;
}

static __attribute__((noinline)) muster_status explain(const mst_group *group, uint64_t word, uint64_t none)
{
    mst_subarena_keep_freed(group->subarena); /* before the program has its buffers back */
    if (!mst_poison_is_of(word, none))
        return mst_group_error(group,
                               mst_fail(MUSTER_ERR_BAD_ARENA,
                                        "the group's poison word belongs to another group: the arena is "
                                        "damaged"));
    mst_poison poison = mst_poison_unpack(word);
    bool is_death = mst_poison_status(&poison) == MUSTER_ERR_PEER_DIED;
    return mst_group_error(group, is_death ? explain_death(group, &poison) : explain_report(group, &poison));
}

muster_status mst_group_broken(const mst_group *group)
{
    uint64_t word = mst_load64_acq(&group->cell->poison); /* E7 */
    uint64_t none = group->subarena->no_poison[group->base.rank];

    return word == none ? MUSTER_OK : explain(group, word, none);
}

/* Every reason is decided in rank 0's cell before any member learns of it (mst_poison_spread). So one that
 * read there that nothing is decided has read before any member returned with an error. */
muster_status mst_group_was_whole(mst_group *group)
{
    const mst_subarena *subarena = group->subarena;
    uint64_t word = mst_load64_behind(&subarena->cells[0]->poison); /* E7: after what was read */

    if (word == subarena->no_poison[0])
        return MUSTER_OK;
    if (!mst_poison_is_of(word, subarena->no_poison[0]))
        return mst_group_poison(group, MST_POISON_DAMAGE,
                                "rank %d found the poison word of rank 0 overwritten: the arena is damaged",
                                group->base.rank);
    mst_poison poison = mst_poison_unpack(word);
    mst_group_spread(group, poison.kind, poison.rank, poison.code); /* our own cell may not have it yet */
    return mst_group_broken(group);
}

/* ---- entering a call ---- */

/* Where there are pending operations, each call looks here (mst_group_want_progress). */
static void proceed(mst_group *group)
{
    if (!mst_load32_rlx(&group->wants_progress))
        return;
    mst_background_progress(&group->subarena->attachment->waits.background, false);
    if (mst_load32_rlx(&group->wants_progress))
        mst_group_want_progress(group);
}

/* Logs it when this rank learns of it for the first time; the sentence is the thread's last error. */
static muster_status tell_broken(mst_group *group, muster_status status)
{
    if (status != MUSTER_OK && mst_log_wanted(group->base.log, MUSTER_LOG_WARN) && !group->base.hidden &&
        mst_cmpxchg32_sc(&group->told_broken, 0, 1) == 0)
        mst_log_line(group->base.log, MUSTER_LOG_WARN, "a group of %d is broken: %s", group->base.size,
                     mst_error_sentence());
    return status;
}

static muster_status look_around(mst_group *group, muster_call_class class, bool proceeds)
{
    mst_attachment *attachment = group->subarena->attachment;
    uint32_t terminations = mst_termination_count(&attachment->geometry);

    if (attachment->kept && mst_load32_rlx(attachment->kept)) /* malloc waits for it */
        mst_subarenas_reclaim(attachment);
    if (terminations != mst_load32_rlx(&group->terminations_seen[class])) {
        mst_store32_rlx(&group->terminations_seen[class], terminations);
        mst_subarena_look_at_terminations(group->subarena);
        if (proceeds)
            proceed(group);
        else if (mst_load32_rlx(&group->wants_progress))
            mst_group_want_progress(group);
    }
    return tell_broken(group, mst_group_broken(group));
}

muster_status mst_group_look_around(mst_group *group, muster_call_class class)
{
    return look_around(group, class, true);
}

muster_status mst_group_ready_to_wait(mst_group *group, muster_call_class class)
{
    return mst_group_is_unchanged(group, class) ? MUSTER_OK : look_around(group, class, false);
}

/* ---- breaking ---- */

void mst_group_spread(mst_group *group, mst_poison_kind kind, int rank, int code)
{
    mst_poison poison = { kind, rank, code };

    mst_poison_spread(group->subarena->cells, group->subarena->no_poison, group->base.size, &poison);
}

/* A reason in words, and what it is about: a rank, -1: none, and a limit that passed, 0: none. `pair`: 1 +
 * the rank with which that one disagrees, 0: none. */
typedef struct report {
    mst_poison_kind kind;
    int rank, pair;
    int64_t limit_ns;
    char text[MST_REASON_BYTES];
} report;

static muster_status tell(mst_group *group, const report *report)
{
    mst_cell *cell = group->cell;
    mst_poison poison = { report->kind, group->base.rank, report->rank + 1 };

    if (mst_cmpxchg32_sc(&group->reason_taken, 0, 1) == 0) {
        memcpy(cell->reason, report->text, sizeof report->text);
        cell->reason_limit_ns = report->limit_ns;
        cell->reason_pair = (uint32_t)report->pair;
        cell->reason_bytes = (uint32_t)strlen(report->text); /* published by E7 */
        mst_group_spread(group, report->kind, group->base.rank, report->rank + 1);
    }
    muster_status status = mst_group_broken(group);
    if (status != MUSTER_OK)
        return status;
    /* Another thread of this rank is poisoning right now: its message is not published yet. */
    mst_fail_about(report->rank, mst_poison_status(&poison), "%s", report->text);
    mst_error_late(report->limit_ns);
    return mst_group_error(group, mst_poison_status(&poison));
}

muster_status mst_group_poison(mst_group *group, mst_poison_kind kind, const char *format, ...)
{
    report report = { .kind = kind, .rank = -1 };
    va_list args;

    va_start(args, format);
    vsnprintf(report.text, sizeof report.text, format, args);
    va_end(args);
    return tell(group, &report);
}

muster_status mst_group_poison_about(mst_group *group, mst_poison_kind kind, int rank, const char *format,
                                     ...)
{
    report report = { .kind = kind, .rank = rank };
    va_list args;

    va_start(args, format);
    vsnprintf(report.text, sizeof report.text, format, args);
    va_end(args);
    return tell(group, &report);
}

muster_status mst_group_poison_pair(mst_group *group, int rank, int other, const char *format, ...)
{
    report report = { .kind = MST_POISON_MISMATCH, .rank = rank, .pair = 1 + other };
    va_list args;

    va_start(args, format);
    vsnprintf(report.text, sizeof report.text, format, args);
    va_end(args);
    return tell(group, &report);
}

void mst_group_abort(muster_group *group, const char *reason)
{
    mst_group_poison_about(mst_group_of(group), MST_POISON_ABORT, group->rank,
                           "rank %d aborted the group%s%s", group->rank, reason ? ": " : "",
                           reason ? reason : "");
}

/* A program may ask this and nothing else; then nobody but its own thread has looked, if it has one. */
muster_status mst_group_status(const muster_group *base)
{
    const mst_group *group = mst_group_of_const(base);
    muster_status status = mst_group_broken(group);

    if (status != MUSTER_OK || base->size == 1)
        return status;
    mst_liveness_scan(&group->subarena->attachment->liveness);
    return mst_subarena_look_at_terminations(group->subarena) ? mst_group_broken(group) : MUSTER_OK;
}

bool mst_group_seems_whole(const muster_group *base)
{
    const mst_group *group = mst_group_of_const(base);

    return mst_load64_acq(&group->cell->poison) == group->subarena->no_poison[base->rank]; /* E7 */
}

muster_status mst_group_interrupted(const mst_group *group, const char *doing)
{
    if (mst_load64_rlx(&group->interrupted) == MST_ORPHANED)
        return mst_group_error(group, explain_death(group, &(mst_poison){ .kind = MST_POISON_LAUNCHER }));
    return mst_group_error(group, mst_fail_about(group->base.rank, MUSTER_ERR_ABORTED,
                                                 "rank %d was interrupted in %s", group->base.rank, doing));
}

muster_status mst_group_late(mst_group *group, int64_t limit_ns, const char *doing, const char *missing,
                             int rank)
{
    report late = { .kind = MST_POISON_LATE, .rank = rank >= 0 ? rank : -1, .limit_ns = limit_ns };

    snprintf(late.text, sizeof late.text, "rank %d waited %.3g s in %s for %s", group->base.rank,
             (double)limit_ns / MST_NS_PER_S, doing, missing);
    return tell_broken(group, tell(group, &late));
}

muster_status mst_group_wait_failed(mst_group *group, mst_wait_result result, const char *doing,
                                    const char *missing, int rank)
{
    muster_status status;

    if (result == MST_WAIT_POISONED) {
        status = mst_group_broken(group);
        if (status == MUSTER_OK)
            status =
                mst_fail(MUSTER_ERR_BAD_ARENA,
                         "the group was broken, and the reason has been overwritten: the arena is damaged");
        return tell_broken(group, status);
    }
    return mst_group_late(group, group->base.timeout_ns, doing, missing, rank);
}
