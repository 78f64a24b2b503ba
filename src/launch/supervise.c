/* The event loop of supervise.h. */
#include "src/launch/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/death/references.h"
#include "shm/death/terminations.h"
#include "shm/port/cgroup.h"
#include "shm/port/os.h"
#include "src/launch/cause.h"
#include "src/launch/pump.h"
#include "src/launch/respawn.h"
#include "src/launch/signals.h"

#define LAST_WORDS_NS (100 * MST_NS_PER_MS) /* for the others to report a failure */
#define REPEAT_NS MST_NS_PER_S              /* of checks for overwritten terminations, and for lost watches */
#define LOOK_MS 20                          /* between looks if the system has no watches */

/* ---- terminations ---- */

static bool may_have_ended(const mst_job *job, const mst_rank_process *process)
{
    return process->watch.fd < 0 || process->polled_at < 0 || job->polled[process->polled_at].revents;
}

/* Whether the rank has ended; then it is a zombie, and remains one until reap(). */
static bool has_ended(mst_rank_process *process)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        if (errno != ECHILD)
            return false;
        /* Another wait in the program has reaped it: how it ended is unknown. */
        process->termination = (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
        return true;
    }
    if (info.si_pid == 0)
        return false;
    if (info.si_code == CLD_EXITED)
        process->termination = (muster_termination){ MUSTER_TERMINATION_EXITED, info.si_status };
    else
        process->termination = (muster_termination){ MUSTER_TERMINATION_SIGNALED, info.si_status };
    process->dumped_core = info.si_code == CLD_DUMPED;
    return true;
}

/* For a rank that was killed: whether the kernel has killed one more process of the control group for lack of
 * memory. */
static void look_for_memory_kill(mst_job *job, mst_rank_process *process)
{
    if (process->termination.kind != MUSTER_TERMINATION_SIGNALED || process->termination.code != SIGKILL ||
        job->stopping)
        return;
    uint64_t kills = mst_cgroup_memory_kills("");
    process->out_of_memory = kills > job->memory_kills;
    job->memory_kills += process->out_of_memory; /* each kill counts for one rank */
}

static void reap(mst_job *job, mst_rank_process *process)
{
    mst_termination_record(job->geometry, (uint32_t)process->seat, process->termination);
    mst_termination_record_gone(job->geometry, (uint32_t)process->seat);
    if (process->own_group) {
        kill(-process->pid, SIGKILL); /* its remaining processes; the zombie still reserves the number */
        mst_guard_remove(&job->plan->guard, process->pid);
    }
    waitpid(process->pid, NULL, 0);
    mst_os_held_close(&process->watch);
    process->running = false;
    process->ended_ns = mst_os_now_ns();
    job->running--;
}

/* Records terminations again that damage has overwritten; otherwise peers would wait for those ranks. */
static void repeat_terminations(const mst_job *job)
{
    for (int i = 0; i < job->count; i++) {
        const mst_rank_process *process = &job->processes[i];

        if (process->running || process->ended_ns == 0 ||
            mst_termination_of(job->geometry, (uint32_t)process->seat).kind != MUSTER_TERMINATION_NONE)
            continue;
        mst_termination_record(job->geometry, (uint32_t)process->seat, process->termination);
        mst_termination_record_gone(job->geometry, (uint32_t)process->seat);
    }
}

static void collect_terminations(mst_job *job)
{
    const mst_rank_process *cause = NULL;
    int running = job->running;

    for (int i = 0; i < job->count; i++) {
        mst_rank_process *process = &job->processes[i];

        if (!process->running || !may_have_ended(job, process) || !has_ended(process))
            continue;
        mst_spawn_take_complaints(job->plan, job->processes, job->count);
        look_for_memory_kill(job, process);
        reap(job, process);
        if (mst_respawn_decide(job, process) && mst_cause_is_likelier(process, cause))
            cause = process;
    }
    if (job->running < running && job->config->on_failure != MUSTER_ON_FAILURE_KILL)
        mst_references_release_dead(job->geometry, job->released);
    if (cause && job->first_failed < 0 && !job->stopping)
        job->first_failed = mst_cause_find(job, cause);
}

/* ---- stopping ---- */

static void stop_all(mst_job *job)
{
    if (job->stopping)
        return;
    job->stopping = true;
    job->output->failing = true;
    job->stopped_at_ns = mst_os_now_ns();
    job->kill_at_ns = job->stopped_at_ns + mst_job_grace_ns(job);
    mst_job_signal(job, SIGCONT); /* first: see signals.c */
    mst_job_signal(job, SIGTERM);
}

/* The others are about to learn of a failure, and may report it and end by themselves. */
static void expect_last_words(mst_job *job, int64_t now_ns)
{
    if (job->first_failed < 0 || job->config->on_failure != MUSTER_ON_FAILURE_KILL || job->stop_at_ns)
        return;
    job->stop_at_ns = now_ns + LAST_WORDS_NS;
    job->output->failing = true;
}

static void act_on_time(mst_job *job)
{
    int64_t now_ns = mst_os_now_ns();

    expect_last_words(job, now_ns);
    mst_deadline_count(&job->time, now_ns, MST_JOB_LOOK_NS);
    if (mst_deadline_used_up(&job->time) && !job->stopping && !job->stop_at_ns) {
        job->timed_out = true;
        stop_all(job);
    }
    if ((job->stop_at_ns && now_ns >= job->stop_at_ns) || job->unread)
        stop_all(job);
    if (job->kill_at_ns && now_ns >= job->kill_at_ns) {
        job->killed = true;
        mst_job_signal(job, SIGKILL);
    }
}

/* ---- the loop ---- */

static int64_t earlier_of(int64_t a_ns, int64_t b_ns) /* 0: never */
{
    return a_ns && (a_ns < b_ns || !b_ns) ? a_ns : b_ns;
}

/* When something is due without an event; 0: never. */
static int64_t next_deadline_ns(mst_job *job)
{
    int64_t until_ns = earlier_of(job->kill_at_ns, mst_respawn_next_ns(job));

    if (!job->stopping)
        until_ns = earlier_of(until_ns, job->stop_at_ns);
    return earlier_of(until_ns, mst_pump_show_parts(job));
}

static int poll_timeout_ms(mst_job *job, bool watched)
{
    int64_t until_ns = next_deadline_ns(job);

    if (job->unread && !job->stopping) /* it was set after polling, and no event of the ranks need follow */
        return 0;
    if (!watched)
        return LOOK_MS;
    /* Never without a bound: poll sees what a number is when it begins, and another thread of the program may
     * have put what is never ready in a watch's place since it was listed. */
    int64_t left_ns = until_ns ? until_ns - mst_os_now_ns() : REPEAT_NS;
    if (!job->stopping && job->time.limit_ns) {
        int64_t allowed_ns = job->time.limit_ns - job->time.total_ns;

        left_ns = left_ns < MST_JOB_LOOK_NS ? left_ns : MST_JOB_LOOK_NS;
        left_ns = left_ns < allowed_ns ? left_ns : allowed_ns;
    }
    /* After KILL no deadline remains, so look again soon for the zombies. */
    return left_ns <= 0 ? LOOK_MS : (int)(left_ns / MST_NS_PER_MS) + 1;
}

/* Lists what to poll, the signals first; *watched: whether all processes have watches. */
static nfds_t list_polled(mst_job *job, bool *watched)
{
    nfds_t count = 0;

    *watched = true;
    job->polled[count++] =
        (struct pollfd){ .fd = job->config->signal_fd > 0 ? job->config->signal_fd : -1, .events = POLLIN };
    for (int i = 0; i < job->count; i++) {
        mst_rank_process *process = &job->processes[i];

        process->polled_at = -1;
        if (mst_os_held_is_lost(&process->watch)) /* its number is the program's now */
            process->watch.fd = -1;
        if (process->running && process->watch.fd >= 0) {
            process->polled_at = (int)count;
            job->polled[count++] = (struct pollfd){ .fd = process->watch.fd, .events = POLLIN };
        } else if (process->running) {
            *watched = false;
        }
    }
    return mst_pump_list(job, count);
}

void mst_supervise(mst_job *job)
{
    while (job->running > 0) {
        bool watched;
        nfds_t count = list_polled(job, &watched);

        poll(job->polled, count, poll_timeout_ms(job, watched));
        if (job->polled[0].revents)
            mst_signals_pass_on(job);
        collect_terminations(job);
        repeat_terminations(job);
        act_on_time(job);
        mst_pump(job);
        mst_respawn_act(job); /* may add processes that were not polled */
    }
    if (job->first_failed < 0)
        job->first_failed = mst_respawn_unreplaced(job);
    mst_pump_drain(job);
}
