/* Finds the cause of a failure, as described in cause.h, from what ranks have written into the arena. */
#include "src/launch/cause.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/plain.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "shm/wait/poison.h"
#include "shm/wait/rendezvous.h"
#include "src/launch/respawn.h"

#define CELLS_SEARCHED 64 /* per rank, the world first */

/* ---- which rank was first ---- */

bool mst_cause_is_likelier(const mst_rank_process *process, const mst_rank_process *other)
{
    return !other || (process->termination.kind == MUSTER_TERMINATION_SIGNALED &&
                      other->termination.kind != MUSTER_TERMINATION_SIGNALED);
}

/* Whether the ranks have recorded that this one, which has not been reaped yet, was killed or has ended. */
static bool is_known_to_be_killed(const mst_job *job, const mst_rank_process *process)
{
    muster_termination_kind kind = mst_termination_of(job->geometry, (uint32_t)process->seat).kind;

    return process->running && mst_respawn_was_inside(job, process) &&
           (kind == MUSTER_TERMINATION_SIGNALED || kind == MUSTER_TERMINATION_CRASHED ||
            kind == MUSTER_TERMINATION_VANISHED);
}

/* What broke the world, in the cell of a process that was in it from the beginning; false: nothing. */
static bool read_world_poison(const mst_job *job, const mst_rank_process *process, mst_poison *poison)
{
    const mst_cell *cell = mst_layout_cell(job->geometry, (uint32_t)process->seat, MST_WORLD_CELL);
    uint64_t word = mst_load64_acq(&cell->poison); /* E7 */

    *poison = mst_poison_unpack(word);
    return mst_poison_is_one(word) && process->seat < job->config->size && poison->rank >= 0 &&
           poison->rank < job->config->size;
}

static bool is_failure(const mst_poison *poison)
{
    return (poison->kind == MST_POISON_EXITED && poison->code != 0) || poison->kind == MST_POISON_SIGNALED ||
           poison->kind == MST_POISON_CRASHED || poison->kind == MST_POISON_VANISHED;
}

/* The rank whose failure prevented the world, as the other ranks were told; -1: none, or the world was
 * complete. */
static int find_who_kept_away(const mst_job *job)
{
    mst_rendezvous settled = mst_rendezvous_read(job->geometry);
    const mst_rank_process *process = &job->processes[settled.rank];
    bool named = settled.outcome == MST_OUTCOME_ENDED || settled.outcome == MST_OUTCOME_LEFT ||
                 settled.outcome == MST_OUTCOME_REFUSED || settled.outcome == MST_OUTCOME_INTERRUPTED;

    return named && !process->running && mst_rank_failed(process) ? (int)settled.rank : -1;
}

/*
 * A rank with much memory takes long to die: its peers learn that it is dead, fail because of that, and end
 * before it. So what the ranks have recorded decides which rank was first.
 */
int mst_cause_find(const mst_job *job, const mst_rank_process *failed)
{
    int away = find_who_kept_away(job);
    mst_poison poison;

    if (away >= 0)
        return away;
    if (read_world_poison(job, failed, &poison) && is_failure(&poison) &&
        job->processes[poison.rank].replaced_by < 0)
        return poison.rank;
    if (failed->termination.kind == MUSTER_TERMINATION_SIGNALED)
        return failed->seat;
    for (int i = 0; i < job->count; i++)
        if (is_known_to_be_killed(job, &job->processes[i]))
            return i;
    return failed->seat;
}

void mst_cause_settle(mst_job *job)
{
    const mst_rank_process *first = job->first_failed >= 0 ? &job->processes[job->first_failed] : NULL;
    mst_poison poison;

    if (!first || !read_world_poison(job, first, &poison) ||
        (poison.kind != MST_POISON_LEFT && poison.kind != MST_POISON_ABORT))
        return;
    const mst_rank_process *breaker = &job->processes[poison.rank];
    bool of_itself = job->stopped_at_ns == 0 || breaker->ended_ns < job->stopped_at_ns;
    if (of_itself && breaker->replaced_by < 0 && breaker->termination.kind == MUSTER_TERMINATION_EXITED &&
        breaker->termination.code != 0)
        job->first_failed = breaker->seat;
}

/* ---- why ---- */

/* Reads a cell with pread: touching memory that is not committed could fault. */
static bool read_cell(const mst_job *job, int seat, uint32_t index, mst_cell *cell)
{
    uint64_t offset = mst_layout_cell_offset(job->geometry, (uint32_t)seat, index);

    return mst_os_object_read(mst_os_held_fd(&job->plan->arena->held), offset, cell, sizeof *cell) == 0;
}

/* Finds the cell of the member with that rank in that group; false: not found. */
static bool find_member(const mst_job *job, uint64_t group, int rank, mst_cell *cell, int *seat)
{
    for (*seat = 0; *seat < job->count; ++*seat)
        for (uint32_t index = 0; index < CELLS_SEARCHED; index++)
            if (read_cell(job, *seat, index, cell) && cell->group == group && (int)cell->group_rank == rank)
                return true;
    return false;
}

/* The message that a member wrote when it broke its group. */
static bool read_reason(const mst_cell *cell, char *text, size_t bytes)
{
    size_t length = cell->reason_bytes < MST_REASON_BYTES ? cell->reason_bytes : MST_REASON_BYTES;

    snprintf(text, bytes, "%.*s", (int)length, cell->reason);
    mst_plain_make(text); /* a program's own words, which end up on a terminal */
    return text[0] != '\0';
}

/* How a member left its group too early. */
static void describe_leaving(const mst_rank_process *process, const mst_poison *poison, char *text,
                             size_t bytes)
{
    muster_termination ended = process->termination;

    if (poison->kind == MST_POISON_EXECED)
        muster_termination_describe((muster_termination){ MUSTER_TERMINATION_EXECED, 0 }, text, bytes);
    else if (poison->kind == MST_POISON_REGROUPS)
        snprintf(text, bytes, "went to shrink or grow the group");
    else if (ended.kind == MUSTER_TERMINATION_EXITED && ended.code == 0)
        muster_termination_describe(ended, text, bytes);
    else
        snprintf(text, bytes, poison->code ? "ended" : "freed the group");
}

/* A copy of the world has its numbers. */
static bool is_numbered_as_world(const mst_job *job, const mst_cell *own)
{
    int found = 0;
    mst_cell cell;

    if (own->group == MST_WORLD_MEMBERSHIP || (int)own->group_size != job->config->size)
        return own->group == MST_WORLD_MEMBERSHIP;
    for (int seat = 0; seat < job->count; seat++)
        for (uint32_t index = 0; index < CELLS_SEARCHED; index++) {
            if (!read_cell(job, seat, index, &cell) || cell.group != own->group)
                continue;
            if ((int)cell.group_rank != job->processes[seat].rank)
                return false;
            found++;
            break;
        }
    return found >= job->config->size;
}

/* Why the process's group was broken, unless by a rank's failure: a member left too early, or wrote a
 * message. */
static bool explain(const mst_job *job, const mst_rank_process *failed, const mst_cell *own, char *text,
                    size_t bytes)
{
    mst_poison poison = mst_poison_unpack(mst_load64_acq(&own->poison)); /* E7 */
    mst_cell cell;
    int seat;

    if (poison.kind == MST_POISON_NONE || is_failure(&poison) || poison.kind == MST_POISON_LAUNCHER ||
        !find_member(job, own->group, poison.rank, &cell, &seat))
        return false;
    if (mst_poison_status(&poison) != MUSTER_ERR_PEER_DIED) {
        bool said = read_reason(&cell, text, bytes);
        size_t used = strlen(text);

        if (!is_numbered_as_world(job, own))
            snprintf(text + used, bytes - used, " (in a group of %d, where rank %d of the world is rank %d)",
                     (int)own->group_size, job->processes[seat].rank, poison.rank);
        return said;
    }
    const mst_rank_process *left = &job->processes[seat];
    char leaving[120];
    if (left == failed) /* its own failure says more */
        return false;
    describe_leaving(left, &poison, leaving, sizeof leaving);
    snprintf(text, bytes, "rank %d %s while others still needed it", left->rank, leaving);
    return true;
}

static bool find_reason(const mst_job *job, const mst_rank_process *failed, char *text, size_t bytes)
{
    mst_cell cell;

    for (uint32_t index = 0; index < CELLS_SEARCHED; index++)
        if (read_cell(job, failed->seat, index, &cell) && explain(job, failed, &cell, text, bytes))
            return true;
    return false;
}

/* A signal that does not ask to end, such as USR1, ends a rank that has no handler for it. */
static bool was_passed_on(const mst_job *job, muster_termination termination)
{
    return termination.kind == MUSTER_TERMINATION_SIGNALED && (job->passed_on >> termination.code % 64 & 1);
}

/* Describes what the launcher itself did, and why. */
static bool describe_stop(const mst_job *job, const mst_rank_process *first, char *text, size_t bytes)
{
    int64_t grace_ns = mst_job_grace_ns(job);
    bool ended_by_it = was_passed_on(job, first->termination);
    int signal = ended_by_it ? first->termination.code : job->stopped_by;
    char ended[200];

    if (!signal)
        return false;
    mst_rank_describe(first, ended, sizeof ended);
    if (ended_by_it)
        snprintf(text, bytes, "signal %d (%s) was passed on to the ranks, and ended them", signal,
                 strsignal(signal));
    else if (job->killed && first->termination.kind == MUSTER_TERMINATION_SIGNALED &&
             first->termination.code == SIGKILL)
        snprintf(
            text, bytes,
            "signal %d (%s) was passed on to the ranks; rank %d had not ended %.3g s later, and was killed",
            signal, strsignal(signal), first->rank, (double)grace_ns / MST_NS_PER_S);
    else
        snprintf(text, bytes, "signal %d (%s) was passed on to the ranks; %s", signal, strsignal(signal),
                 ended);
    return true;
}

void mst_cause_describe(const mst_job *job, char *text, size_t bytes)
{
    const mst_rank_process *first = &job->processes[job->first_failed];
    bool started = !mst_rank_could_not_start(first);
    char reason[300], ended[MST_COMPLAINT_BYTES];

    if (started && describe_stop(job, first, text, bytes))
        return;
    mst_rank_describe(first, ended, sizeof ended);
    if (started && find_reason(job, first, reason, sizeof reason))
        snprintf(text, bytes, "%s; then %s", reason, ended);
    else
        snprintf(text, bytes, "%s", ended);
}
