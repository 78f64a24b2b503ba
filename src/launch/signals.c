/* Passes on signals, and handles stopping and resizing, for signals.h. */
#include "src/launch/signals.h"

#include <signal.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "src/launch/streams.h"

static int64_t later(int64_t at_ns, int64_t by_ns) /* 0: never */
{
    return at_ns ? at_ns + by_ns : 0;
}

/* A terminal's user expects a job to stop as a whole. The time for which it is stopped does not count. */
static void stop_ourselves(mst_job *job)
{
    int64_t before_ns = mst_os_now_ns();

    raise(SIGSTOP);
    int64_t stopped_ns = mst_os_now_ns() - before_ns;
    mst_deadline_resume(&job->time, mst_os_now_ns(), MST_JOB_LOOK_NS);
    job->stop_at_ns = later(job->stop_at_ns, stopped_ns);
    job->kill_at_ns = later(job->kill_at_ns, stopped_ns);
}

/* Ranks ask their own terminals for the width, not ours. */
static void resize_terminals(const mst_job *job)
{
    for (int at = 0; at < 2 * job->count; at++) {
        const mst_relay *relay = &job->processes[at / 2].relays[at % 2];
        int terminal = relay->terminal ? mst_os_held_fd(&relay->from) : -1;

        if (terminal >= 0)
            mst_streams_set_size(terminal);
    }
}

/* Passes on a signal. One that asks to end starts the grace period, after which ranks are killed. One that
 * asks to stop is of no effect where the kernel would discard it: nobody could continue us, nor ranks. */
static void pass_on_signal(mst_job *job, int signal)
{
    if (signal == SIGTSTP && !mst_spawn_may_stop())
        return;
    if (signal == SIGWINCH)
        resize_terminals(job);
    if (job->first_failed < 0)
        job->passed_on |= UINT64_C(1) << signal % 64;
    bool ends = signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
    /* A stopped rank cannot handle it. Continued first: a SIGCONT behind it would take away the SIGSTOP by
     * which a tracer stops a rank that is ending, as LeakSanitizer does, which then waits for ever. */
    if (ends)
        mst_job_signal(job, SIGCONT);
    mst_job_signal(job, signal);
    if (signal == SIGTSTP)
        stop_ourselves(job);
    if (!ends)
        return;
    job->asked_to_end = true;
    job->output->failing = true;
    if (!job->stopped_by && job->first_failed < 0)
        job->stopped_by = signal;
    if (signal != SIGINT && job->kill_at_ns == 0)
        job->kill_at_ns = mst_os_now_ns() + mst_job_grace_ns(job);
}

void mst_signals_pass_on(mst_job *job)
{
    unsigned char signals[64];
    ssize_t got = read(job->config->signal_fd, signals, sizeof signals);

    for (ssize_t i = 0; i < got; i++)
        pass_on_signal(job, signals[i]);
}
