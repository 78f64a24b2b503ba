/*
 * muster_launch: makes an arena, starts the ranks in it as processes or threads, watches them, and
 * reports. The arena is this process's until the last rank has ended, so that its word on how a rank
 * ended always has a place to go.
 */
#define _GNU_SOURCE /* pipe2 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/cgroup.h"
#include "shm/error.h"
#include "shm/os.h"
#include "src/config.h"
#include "src/launch/respawn.h"
#include "src/launch/threads.h"

#define STATUS_TIMED_OUT 124

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

static int exit_status_of(muster_ending ending)
{
    if (ending.kind == MUSTER_ENDED_SIGNALED)
        return 128 + ending.code;
    return ending.kind == MUSTER_ENDED_EXITED ? ending.code : 1;
}

static void fill_in(const mst_supervision *all, const mst_spawn_plan *plan, muster_report *report)
{
    char complaint[256];

    for (int i = 0; report->endings && i < all->count; i++)
        if (mst_respawn_was_inside(all, &all->processes[i])) /* seats are in the order of time */
            report->endings[all->processes[i].rank] = all->processes[i].ending;
    report->timed_out = all->timed_out;
    report->restarts = all->restarts;
    report->first_failed = all->first_failed < 0 ? -1 : all->processes[all->first_failed].rank;
    if (all->timed_out) {
        report->exit_status = STATUS_TIMED_OUT;
        snprintf(report->summary, sizeof report->summary, "timed out after %.3g s; the ranks were stopped",
                 (double)all->config->timeout_ns / MST_NS_PER_S);
    } else if (all->first_failed >= 0) {
        const mst_rank_process *first = &all->processes[all->first_failed];

        report->first = first->ending;
        report->exit_status = exit_status_of(first->ending);
        if (mst_spawn_complaint(plan, complaint, sizeof complaint))
            snprintf(report->summary, sizeof report->summary, "%s", complaint);
        else
            mst_rank_describe(first, report->summary, sizeof report->summary);
    }
}

static muster_status conclude(const muster_report *report)
{
    if (report->timed_out)
        return mst_fail(MUSTER_ERR_TIMED_OUT, "%s", report->summary);
    if (report->first_failed >= 0)
        return mst_fail(MUSTER_ERR_PEER_DIED, "%s", report->summary);
    return MUSTER_OK;
}

/* ---- processes ---- */

/* Starts all ranks; when one cannot be started, none stays. */
static muster_status start_all(const mst_spawn_plan *plan, mst_supervision *all)
{
    for (int rank = 0; rank < plan->config->size; rank++) {
        mst_rank_process *process = &all->processes[rank];

        *process = (mst_rank_process){ .rank = rank, .seat = rank, .replaced_by = -1 };
        int error = mst_spawn(plan, process);
        if (error) {
            all->stopping = true;
            for (int i = 0; i < all->count; i++)
                mst_rank_signal(&all->processes[i], SIGKILL);
            mst_supervise(all);
            return mst_fail(MUSTER_ERR_SYSTEM,
                            "cannot start rank %d of %d: %s; raise ulimit -u, or use "
                            "fewer ranks",
                            rank, plan->config->size, strerror(-error));
        }
        all->count++;
        all->running++;
    }
    return MUSTER_OK;
}

static muster_status launch_processes(mst_spawn_plan *plan, muster_report *report)
{
    const muster_launch_config *config = plan->config;
    mst_supervision all = { .plan = plan,
                            .config = config,
                            .geometry = &plan->arena->geometry,
                            .first_failed = -1,
                            .memory_kills = mst_cgroup_memory_kills("") };

    size_t seats = (size_t)config->size + (size_t)mst_respawn_seats(config);
    all.processes = calloc(seats, sizeof *all.processes);
    all.released = calloc(seats, sizeof *all.released);
    if (!all.processes || !all.released) {
        free(all.processes);
        free(all.released);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to watch %d ranks", config->size);
    }
    fflush(NULL); /* or every rank would print what is still buffered */
    muster_status status = start_all(plan, &all);
    if (status == MUSTER_OK) {
        all.time.limit_ns = config->timeout_ns;
        mst_deadline_resume(&all.time, mst_os_now_ns(), 0);
        mst_supervise(&all);
        fill_in(&all, plan, report);
        status = conclude(report);
    }
    free(all.processes);
    free(all.released);
    return status;
}

static muster_status launch_in(mst_arena *arena, const muster_launch_config *config, muster_rank_fn fn,
                               void *arg, muster_report *report)
{
    mst_spawn_plan plan = { .config = config, .fn = fn, .arg = arg, .arena = arena };

    if (config->threads)
        return mst_launch_threads(config, arena, fn, arg, report);
    int complaints[2];

    if (pipe2(complaints, O_CLOEXEC) < 0)
        return mst_fail(MUSTER_ERR_SYSTEM, "cannot open a pipe; raise ulimit -n");
    for (int i = 0; i < 2; i++)
        plan.complaints[i] = mst_os_hold(complaints[i]);
    muster_status status = launch_processes(&plan, report);
    for (int i = 0; i < 2; i++)
        mst_os_held_close(&plan.complaints[i]);
    return status;
}

muster_status muster_launch(const muster_launch_config *given, muster_rank_fn fn, void *arg,
                            muster_report *given_report)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_launch_config config;
    mst_arena *arena;

    muster_status status = mst_launch_config_accept(given, &config);
    if (status == MUSTER_OK)
        status = check(&config, fn);
    if (status == MUSTER_OK)
        status = mst_config_sizes_from_environment(&config.arena_bytes, &config.staging_bytes);
    if (status == MUSTER_OK && given_report && given_report->struct_size < sizeof report)
        status = mst_fail(MUSTER_ERR_INVALID, "the report's struct_size is not set; begin with "
                                              "MUSTER_REPORT_INIT");
    if (status != MUSTER_OK)
        return status;
    mst_arena_plan plan = { .size = config.size,
                            .spare_seats = mst_respawn_seats(&config),
                            .arena_bytes = config.arena_bytes,
                            .staging_bytes = config.staging_bytes,
                            .launched = true };
    status = mst_arena_create(&plan, &arena);
    if (status != MUSTER_OK)
        return status;
    if (given_report)
        report.endings = given_report->endings;
    if (config.arena && !config.arena(arena->held.fd, config.arena_arg))
        status = mst_fail(MUSTER_ERR_SYSTEM, "the launch config's arena function has refused");
    else
        status = launch_in(arena, &config, fn, arg, &report);
    mst_arena_close(arena);
    if (given_report)
        *given_report = report;
    return status;
}
