/*
 * muster_launch: creates an arena, starts the ranks as processes or threads, watches them, and reports. This
 * process keeps the arena until the last rank has ended, so that it can record every termination.
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/base/error.h"
#include "shm/port/cgroup.h"
#include "shm/port/os.h"
#include "src/launch/cause.h"
#include "src/launch/respawn.h"
#include "src/launch/supervise.h"
#include "src/launch/threads.h"
#include "src/onehost/choice.h"
#include "src/pure/config.h"
#include "src/pure/sized.h"

#define STATUS_TIMED_OUT 124
#define STATUS_OUTPUT_LOST 1

static muster_status check(const muster_launch_config *config, muster_rank_fn fn)
{
    bool command = config->command && config->command[0];

    if (config->size < 1 || config->size > MST_RANKS_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "%d ranks are not between 1 and %d", config->size, MST_RANKS_MAX);
    if ((fn != NULL) == command)
        return mst_fail(MUSTER_ERR_INVALID, "expected either a function or a command for the ranks to run");
    if (config->prepare && !command)
        return mst_fail(MUSTER_ERR_INVALID, "prepare is for ranks that execute a command");
    if (config->threads && (command || config->prefix_output || config->output || config->timeout_ns ||
                            config->on_failure == MUSTER_ON_FAILURE_RESPAWN))
        return mst_fail(MUSTER_ERR_INVALID, "ranks that are threads run a function, without prefix_output, "
                                            "output, timeout_ns and restarts");
    if (config->terminal && (!command || !(config->prefix_output || config->output)))
        return mst_fail(MUSTER_ERR_INVALID, "terminal is for ranks that execute a command, with "
                                            "prefix_output or output");
    if (config->timeout_ns < 0 || config->grace_ns < 0 || config->op_timeout_ns < 0 ||
        config->restart_delay_ns < 0)
        return mst_fail(MUSTER_ERR_INVALID, "a timeout is negative");
    if (config->on_failure < MUSTER_ON_FAILURE_KILL || config->on_failure > MUSTER_ON_FAILURE_RESPAWN)
        return mst_fail(MUSTER_ERR_INVALID, "on_failure is %d; expected KILL, CONTINUE or RESPAWN",
                        (int)config->on_failure);
    if (config->restarts < 0 || config->restarts > MST_RANKS_MAX - config->size)
        return mst_fail(MUSTER_ERR_INVALID,
                        "%d restarts are not between 0 and %d, which is %d less the ranks", config->restarts,
                        MST_RANKS_MAX - config->size, MST_RANKS_MAX);
    return MUSTER_OK;
}

/* ---- the report ---- */

static int exit_status_of(muster_termination termination)
{
    if (termination.kind == MUSTER_TERMINATION_SIGNALED)
        return 128 + termination.code;
    return termination.kind == MUSTER_TERMINATION_EXITED ? termination.code : 1;
}

/* The launcher's own reason for stopping the ranks: the time limit, or output that nobody reads. */
static bool describe_stop(const mst_job *job, muster_report *report)
{
    if (job->timed_out) {
        report->exit_status = STATUS_TIMED_OUT;
        snprintf(report->summary, sizeof report->summary, "timed out after %.3g s; the ranks were stopped",
                 (double)job->config->timeout_ns / MST_NS_PER_S);
    } else if (job->unread) {
        report->exit_status = 128 + SIGPIPE;
        snprintf(report->summary, sizeof report->summary,
                 "nobody reads what the ranks print any more (SIGPIPE); they were stopped");
    }
    return report->exit_status != 0;
}

static void fill_in(const mst_job *job, muster_report *report)
{
    char lost[160];

    for (int i = 0; report->terminations && i < job->count; i++)
        if (mst_respawn_was_inside(job, &job->processes[i])) /* a replacement has a later seat */
            report->terminations[job->processes[i].rank] = job->processes[i].termination;
    report->timed_out = job->timed_out;
    report->restarts = job->restarts;
    report->stopped_by = job->stopped_by;
    report->output_lost = mst_output_lost(job->output, lost, sizeof lost);
    report->first_failed = job->first_failed < 0 ? -1 : job->processes[job->first_failed].rank;
    if (describe_stop(job, report))
        return;
    if (job->first_failed >= 0) {
        report->first = job->processes[job->first_failed].termination;
        report->exit_status = exit_status_of(report->first);
        mst_cause_describe(job, report->summary, sizeof report->summary);
    } else if (report->output_lost) {
        report->exit_status = STATUS_OUTPUT_LOST;
        snprintf(report->summary, sizeof report->summary, "%s", lost);
    }
}

static muster_status conclude(const muster_report *report)
{
    if (report->timed_out)
        return mst_fail(MUSTER_ERR_TIMED_OUT, "%s", report->summary);
    if (report->first_failed >= 0)
        return mst_fail(MUSTER_ERR_PEER_DIED, "%s", report->summary);
    if (report->exit_status)
        return mst_fail(MUSTER_ERR_SYSTEM, "%s", report->summary);
    return MUSTER_OK;
}

/* ---- processes ---- */

/* Starts all ranks; if one cannot be started, none remains. */
static muster_status start_all(mst_spawn_plan *plan, mst_job *job)
{
    for (int rank = 0; rank < plan->config->size; rank++) {
        mst_rank_process *process = &job->processes[rank];

        *process = (mst_rank_process){ .rank = rank, .seat = rank, .polled_at = -1, .replaced_by = -1 };
        int error = mst_spawn(plan, process);
        if (error) {
            job->stopping = true;
            for (int i = 0; i < job->count; i++)
                mst_rank_signal(&job->processes[i], SIGKILL);
            mst_supervise(job);
            return mst_fail(MUSTER_ERR_SYSTEM, "cannot start rank %d of %d: %s; %s, or use fewer ranks", rank,
                            plan->config->size, strerror(-error), mst_descriptors_remedy(error));
        }
        job->count++;
        job->running++;
    }
    return MUSTER_OK;
}

static bool reserve(mst_job *job)
{
    size_t seats = (size_t)job->config->size + (size_t)mst_respawn_seats(job->config);

    job->processes = calloc(seats, sizeof *job->processes);
    job->released = calloc(seats, sizeof *job->released);
    job->polled = calloc(seats * MST_POLLED_PER_SEAT + MST_POLLED_BESIDE, sizeof *job->polled);
    return job->processes && job->released && job->polled;
}

static muster_status watch_ranks(mst_spawn_plan *plan, mst_job *job, muster_report *report)
{
    fflush(NULL); /* otherwise every rank would print what is still buffered */
    if (!plan->fn)
        mst_guard_start(&plan->guard, plan->arena);
    muster_status status = start_all(plan, job);
    if (status == MUSTER_OK) {
        job->time.limit_ns = plan->config->timeout_ns;
        mst_deadline_resume(&job->time, mst_os_now_ns(), 0);
        mst_supervise(job);
        mst_cause_settle(job);
        fill_in(job, report);
        status = conclude(report);
    }
    mst_guard_stop(&plan->guard);
    return status;
}

static muster_status launch_processes(mst_spawn_plan *plan, muster_report *report)
{
    mst_output output;
    mst_job job = { .plan = plan,
                    .config = plan->config,
                    .geometry = &plan->arena->geometry,
                    .output = &output,
                    .first_failed = -1,
                    .memory_kills = mst_cgroup_memory_kills("") };

    mst_output_init(&output, plan->config, &plan->arena->geometry);
    plan->output = &output;
    muster_status status =
        reserve(&job) ? watch_ranks(plan, &job, report)
                      : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to watch %d ranks", plan->config->size);
    mst_output_close(&output);
    free(job.processes);
    free(job.released);
    free(job.polled);
    return status;
}

/* Output that nobody reads is an error here; SIGPIPE must not end this process. */
static void block_pipe_signal(sigset_t *before)
{
    sigset_t pipe_signal;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, before);
}

static void unblock_pipe_signal(const sigset_t *before)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t pipe_signal;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if (!sigismember(before, SIGPIPE))
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static muster_status launch_in(mst_arena *arena, mst_spawn_plan *plan, muster_report *report)
{
    plan->arena = arena;
    if (plan->config->threads)
        return mst_launch_threads(plan->config, arena, plan->fn, plan->arg, report);
    int complaints[2];

    if (pipe2(complaints, O_CLOEXEC) < 0)
        return mst_fail(MUSTER_ERR_SYSTEM, "cannot open a pipe: %s; %s", strerror(errno),
                        mst_descriptors_remedy(-errno));
    fcntl(complaints[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++)
        plan->complaints[i] = mst_os_hold(complaints[i]);
    block_pipe_signal(&plan->mask);
    muster_status status = launch_processes(plan, report);
    unblock_pipe_signal(&plan->mask);
    for (int i = 0; i < 2; i++)
        mst_os_held_close(&plan->complaints[i]);
    return status;
}

static muster_status launch(mst_spawn_plan *plan, muster_report *report)
{
    const muster_launch_config *config = plan->config;
    mst_choice choice;
    mst_arena_plan arena_plan = { .size = config->size,
                                  .thresholds = &choice.thresholds,
                                  .spare_seats = mst_respawn_seats(config),
                                  .arena_bytes = config->arena_bytes,
                                  .staging_bytes = config->staging_bytes,
                                  .launched = true };
    mst_arena *arena;

    muster_status status = mst_choice_make(&choice);
    if (status == MUSTER_OK)
        status = mst_choice_pages(&arena_plan, muster_cpu_count());
    if (status == MUSTER_OK)
        status = mst_arena_create(&arena_plan, &arena);
    if (status != MUSTER_OK)
        return status;
    if (config->arena && !config->arena(arena->held.fd, config->arena_arg))
        status = mst_fail(MUSTER_ERR_SYSTEM, "the launch config's arena function has refused");
    else
        status = launch_in(arena, plan, report);
    mst_arena_close(arena);
    return status;
}

static muster_status launch_checked(const muster_launch_config *config, muster_rank_fn fn, void *arg,
                                    muster_report *report)
{
    mst_spawn_plan plan = {
        .config = config, .fn = fn, .arg = arg, .guard = { .control = { { .fd = -1 }, { .fd = -1 } } }
    };

    if (!config->threads)
        mst_descriptors_prepare(&plan.descriptors, config->size);
    muster_status status = launch(&plan, report);
    if (!config->threads)
        mst_descriptors_restore(&plan.descriptors);
    return status;
}

muster_status muster_launch(const muster_launch_config *given, muster_rank_fn fn, void *arg,
                            muster_report *given_report)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_launch_config config;
    muster_status status = MUSTER_OK;

    if (given_report)
        status = mst_sized_take(&report, sizeof report, given_report, "MUSTER_REPORT_INIT");
    if (status != MUSTER_OK)
        return status;
    report = (muster_report){ .terminations = report.terminations, .first_failed = -1 };
    status = mst_launch_config_accept(given, &config);
    if (status == MUSTER_OK)
        status = check(&config, fn);
    if (status == MUSTER_OK)
        status = mst_config_sizes_from_environment(&config.arena_bytes, &config.staging_bytes);
    if (status == MUSTER_OK)
        status = launch_checked(&config, fn, arg, &report);
    if (given_report)
        mst_sized_give(given_report, &report, sizeof report);
    return status;
}
