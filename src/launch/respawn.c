/* Decides and carries out respawns, as described in respawn.h. */
#include "src/launch/respawn.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/death/successor.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "shm/wait/rendezvous.h"

#define DELAY_NS (100 * MST_NS_PER_MS)
#define DELAY_NS_MAX (10 * MST_NS_PER_S) /* a process that lives longer is not short-lived */
#define DOUBLINGS_MAX 20

int mst_respawn_seats(const muster_launch_config *config)
{
    if (config->on_failure != MUSTER_ON_FAILURE_RESPAWN)
        return 0;
    if (config->restarts)
        return config->restarts;
    int room = MST_RANKS_MAX - config->size;
    return room < MST_RESTARTS_DEFAULT ? room : MST_RESTARTS_DEFAULT;
}

/* ---- members of the world ---- */

static uint32_t state_of(const mst_job *job, const mst_rank_process *process)
{
    return mst_load32_acq(&mst_layout_entry(job->geometry, (uint32_t)process->seat)->state); /* E1 */
}

bool mst_respawn_was_inside(const mst_job *job, const mst_rank_process *process)
{
    uint64_t list_offset;
    uint32_t list_seat;

    return process->seat < job->config->size ||
           (mst_successor_admitted(job->geometry, (uint32_t)process->seat, &list_seat, &list_offset) &&
            list_offset != 0);
}

static bool is_inside(const mst_job *job, const mst_rank_process *process)
{
    return process->running && state_of(job, process) != MST_RANK_LEFT &&
           mst_respawn_was_inside(job, process);
}

static bool anyone_inside(const mst_job *job)
{
    for (int i = 0; i < job->count; i++)
        if (is_inside(job, &job->processes[i]))
            return true;
    return false;
}

static bool has_begun(const mst_job *job)
{
    return mst_rendezvous_read(job->geometry).outcome == MST_OUTCOME_COMPLETE;
}

/* ---- deciding ---- */

static void notice(const mst_job *job, const mst_rank_process *failed, const char *consequence)
{
    char what[300], line[420];

    mst_rank_describe(failed, what, sizeof what);
    snprintf(line, sizeof line, "%s; %s", what, consequence);
    mst_output_notice(job->output, line);
}

/* How many consecutive processes of the rank were short-lived, this one included. */
static int short_lives(const mst_rank_process *failed)
{
    return failed->ended_ns - failed->start_at_ns < DELAY_NS_MAX ? failed->short_lives + 1 : 0;
}

static int64_t delay_of(const mst_job *job, int short_lived)
{
    int64_t delay_ns = job->config->restart_delay_ns ? job->config->restart_delay_ns : DELAY_NS;

    if (short_lived == 0)
        return 0;
    for (int i = 1; i < short_lived && i < DOUBLINGS_MAX && delay_ns < DELAY_NS_MAX; i++)
        delay_ns *= 2;
    return delay_ns < DELAY_NS_MAX ? delay_ns : DELAY_NS_MAX;
}

static bool may_respawn(const mst_job *job, const mst_rank_process *failed)
{
    return job->config->on_failure == MUSTER_ON_FAILURE_RESPAWN && !job->stopping && !job->asked_to_end &&
           !failed->unwanted && has_begun(job) && anyone_inside(job);
}

/* Schedules the replacement in the next seat, where the process is recorded at once. */
static void schedule(mst_job *job, mst_rank_process *failed)
{
    mst_rank_process *next = &job->processes[job->count];
    char when[32] = "at once", consequence[100];

    *next = (mst_rank_process){ .rank = failed->rank,
                                .seat = job->count,
                                .restarts = failed->restarts + 1,
                                .short_lives = short_lives(failed),
                                .watch = { .fd = -1 },
                                .polled_at = -1,
                                .scheduled = true,
                                .replaced_by = -1 };
    next->start_at_ns = failed->ended_ns + delay_of(job, next->short_lives);
    mst_relay_init(&next->relays[0], job->output, -1, 1, next->rank);
    mst_relay_init(&next->relays[1], job->output, -1, 2, next->rank);
    job->count++;
    job->restarts++;
    failed->replaced_by = next->seat;
    mst_successor_decide(job->geometry, (uint32_t)failed->seat, (uint32_t)next->seat);
    if (next->start_at_ns > failed->ended_ns)
        snprintf(when, sizeof when, "in %.3g s",
                 (double)(next->start_at_ns - failed->ended_ns) / MST_NS_PER_S);
    snprintf(consequence, sizeof consequence, "starting it again %s (restart %d of %d)", when, job->restarts,
             mst_respawn_seats(job->config));
    notice(job, failed, consequence);
}

bool mst_respawn_decide(mst_job *job, mst_rank_process *process)
{
    process->replaced_by = -1;
    if (mst_rank_failed(process) && may_respawn(job, process)) {
        if (job->restarts < mst_respawn_seats(job->config)) {
            schedule(job, process);
            return false;
        }
        notice(job, process, "no restarts are left, and the others go on without it");
    }
    mst_successor_decide(job->geometry, (uint32_t)process->seat, MST_NO_SEAT);
    return mst_rank_failed(process) && mst_respawn_was_inside(job, process);
}

/* ---- starting and stopping ---- */

/* Cancels a scheduled process: ranks that wait for it must know. */
static void cancel(mst_job *job, mst_rank_process *process)
{
    process->scheduled = false;
    process->termination = (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
    process->ended_ns = mst_os_now_ns();
    mst_termination_record(job->geometry, (uint32_t)process->seat, process->termination);
    mst_termination_record_gone(job->geometry, (uint32_t)process->seat);
}

static void start(mst_job *job, mst_rank_process *process)
{
    fflush(NULL); /* otherwise the rank would print what is still buffered */
    if (mst_spawn(job->plan, process) == 0) {
        process->scheduled = false;
        job->running++;
        return;
    }
    cancel(job, process); /* no process could be created; perhaps later */
    mst_respawn_decide(job, process);
}

static void dismiss(mst_job *job, mst_rank_process *process)
{
    if (process->scheduled) {
        cancel(job, process);
        mst_successor_decide(job->geometry, (uint32_t)process->seat, MST_NO_SEAT);
    } else if (process->running && !process->unwanted && !mst_respawn_was_inside(job, process)) {
        process->unwanted = true;
        mst_rank_signal(process, SIGKILL);
    }
}

void mst_respawn_act(mst_job *job)
{
    int64_t now_ns = mst_os_now_ns();
    int count = job->count;

    if (count == job->config->size) /* no respawned ranks so far */
        return;
    bool ending = job->stopping || job->asked_to_end, useless = !anyone_inside(job);
    for (int i = job->config->size; i < count; i++) {
        mst_rank_process *process = &job->processes[i];

        if (useless || (ending && process->scheduled))
            dismiss(job, process);
        else if (process->scheduled && now_ns >= process->start_at_ns)
            start(job, process);
    }
}

int64_t mst_respawn_next_ns(const mst_job *job)
{
    int64_t next_ns = 0;

    for (int i = job->config->size; i < job->count; i++) {
        const mst_rank_process *process = &job->processes[i];

        if (process->scheduled && (next_ns == 0 || process->start_at_ns < next_ns))
            next_ns = process->start_at_ns;
    }
    return next_ns;
}

/* ---- the report ---- */

int mst_respawn_unreplaced(const mst_job *job)
{
    int found = -1;

    for (int i = 0; i < job->count; i++) {
        const mst_rank_process *process = &job->processes[i];
        int next = process->replaced_by;

        if (!mst_rank_failed(process) || !mst_respawn_was_inside(job, process))
            continue;
        while (next >= 0 && !mst_respawn_was_inside(job, &job->processes[next]))
            next = job->processes[next].replaced_by;
        if (next < 0 && (found < 0 || process->ended_ns < job->processes[found].ended_ns))
            found = i;
    }
    return found;
}
