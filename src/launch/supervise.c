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

#include "shm/death/liveness.h"
#include "shm/death/references.h"
#include "shm/port/cgroup.h"
#include "shm/port/os.h"
#include "src/launch/cause.h"
#include "src/launch/pump.h"
#include "src/launch/respawn.h"
#include "src/launch/streams.h"
#include "src/pure/atomic.h"

#define GRACE_NS (2 * MST_NS_PER_S)
#define LAST_WORDS_NS (100 * MST_NS_PER_MS)   /* for the others to say what they know of a failure */
#define LOOK_AT_TIME_NS (250 * MST_NS_PER_MS) /* so that time in which the job was stopped is noticed */
#define REPEAT_NS MST_NS_PER_S                /* of looks for terminations that have been wiped out */
#define LOOK_MS 20                            /* between looks where the system gives no watches */

int64_t mst_supervision_grace_ns(const mst_supervision *all)
{
    return all->config->grace_ns > 0 ? all->config->grace_ns : GRACE_NS;
}

static void signal_all(const mst_supervision *all, int signal)
{
    for (int i = 0; i < all->count; i++)
        mst_rank_signal(&all->processes[i], signal);
}

/* ---- terminations ---- */

static bool may_have_ended(const mst_supervision *all, const mst_rank_process *process)
{
    return process->watch.fd < 0 || process->polled_at < 0 || all->polled[process->polled_at].revents;
}

/* Whether the rank has ended; it is a zombie then, and stays one until reap(). */
static bool has_ended(mst_rank_process *process)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        if (errno != ECHILD)
            return false;
        /* Somebody else reaped it (the program waits for any child): how it ended is lost. */
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

/* Of a rank that was killed: whether the system has killed one more of the control group meanwhile, since its
 * memory was used up. */
static void look_for_memory_kill(mst_supervision *all, mst_rank_process *process)
{
    if (process->termination.kind != MUSTER_TERMINATION_SIGNALED || process->termination.code != SIGKILL ||
        all->stopping)
        return;
    uint64_t kills = mst_cgroup_memory_kills("");
    process->out_of_memory = kills > all->memory_kills;
    all->memory_kills += process->out_of_memory; /* each counts for one of them */
}

static void reap(mst_supervision *all, mst_rank_process *process)
{
    mst_liveness_record(all->geometry, (uint32_t)process->seat, process->termination);
    mst_liveness_record_gone(all->geometry, (uint32_t)process->seat);
    if (process->own_group) {
        kill(-process->pid, SIGKILL); /* what it left behind; the zombie still holds the number */
        mst_guard_remove(&all->plan->guard, process->pid);
    }
    waitpid(process->pid, NULL, 0);
    mst_os_held_close(&process->watch);
    process->running = false;
    process->ended_ns = mst_os_now_ns();
    all->running--;
}

/* Where damage has wiped out what was said of a rank that has ended, its peers would wait for it. */
static void repeat_terminations(const mst_supervision *all)
{
    for (int i = 0; i < all->count; i++) {
        const mst_rank_process *process = &all->processes[i];

        if (process->running || process->ended_ns == 0 ||
            mst_liveness_termination(all->geometry, (uint32_t)process->seat).kind != MUSTER_TERMINATION_NONE)
            continue;
        mst_liveness_record(all->geometry, (uint32_t)process->seat, process->termination);
        mst_liveness_record_gone(all->geometry, (uint32_t)process->seat);
    }
}

bool mst_rank_failed(const mst_rank_process *process)
{
    return process->termination.kind != MUSTER_TERMINATION_EXITED || process->termination.code != 0;
}

void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes)
{
    muster_termination termination = process->termination;

    if (termination.kind == MUSTER_TERMINATION_SIGNALED)
        snprintf(text, bytes, "rank %d was killed by signal %d (%s)%s", process->rank, termination.code,
                 strsignal(termination.code),
                 process->dumped_core     ? ", core dumped"
                 : process->out_of_memory ? "; its memory control group was out of memory"
                                          : "");
    else if (termination.kind == MUSTER_TERMINATION_EXITED)
        snprintf(text, bytes, "rank %d exited with status %d", process->rank, termination.code);
    else if (process->pid == 0)
        snprintf(text, bytes, "rank %d could not be started", process->rank);
    else
        snprintf(text, bytes, "rank %d ended, and its status went to somebody else", process->rank);
}

static void collect_terminations(mst_supervision *all)
{
    const mst_rank_process *cause = NULL;
    int running = all->running;

    for (int i = 0; i < all->count; i++) {
        mst_rank_process *process = &all->processes[i];

        if (!process->running || !may_have_ended(all, process) || !has_ended(process))
            continue;
        look_for_memory_kill(all, process);
        reap(all, process);
        if (mst_respawn_decide(all, process) && mst_cause_is_likelier(process, cause))
            cause = process;
    }
    if (all->running < running && all->config->on_failure != MUSTER_ON_FAILURE_KILL)
        mst_references_release_dead(all->geometry, all->released);
    if (cause && all->first_failed < 0 && !all->stopping)
        all->first_failed = mst_cause_find(all, cause);
}

/* ---- stopping ---- */

static void stop_all(mst_supervision *all)
{
    if (all->stopping)
        return;
    all->stopping = true;
    all->output->failing = true;
    all->stopped_at_ns = mst_os_now_ns();
    all->kill_at_ns = all->stopped_at_ns + mst_supervision_grace_ns(all);
    signal_all(all, SIGTERM);
    signal_all(all, SIGCONT);
}

/* The others are about to learn of a failure, and may end of themselves. */
static void expect_last_words(mst_supervision *all, int64_t now_ns)
{
    if (all->first_failed < 0 || all->config->on_failure != MUSTER_ON_FAILURE_KILL || all->stop_at_ns)
        return;
    all->stop_at_ns = now_ns + LAST_WORDS_NS;
    all->output->failing = true;
}

static void act_on_time(mst_supervision *all)
{
    int64_t now_ns = mst_os_now_ns();

    expect_last_words(all, now_ns);
    mst_deadline_count(&all->time, now_ns, LOOK_AT_TIME_NS);
    if (mst_deadline_used_up(&all->time) && !all->stopping && !all->stop_at_ns) {
        all->timed_out = true;
        stop_all(all);
    }
    if ((all->stop_at_ns && now_ns >= all->stop_at_ns) || all->unread)
        stop_all(all);
    if (all->kill_at_ns && now_ns >= all->kill_at_ns) {
        all->killed = true;
        signal_all(all, SIGKILL);
    }
}

static int64_t later(int64_t at_ns, int64_t by_ns) /* 0: never */
{
    return at_ns ? at_ns + by_ns : 0;
}

/* As a terminal's user expects of a job. The time that it is stopped for does not count. */
static void stop_ourselves(mst_supervision *all)
{
    int64_t before_ns = mst_os_now_ns();

    raise(SIGSTOP);
    int64_t stopped_ns = mst_os_now_ns() - before_ns;
    mst_deadline_resume(&all->time, mst_os_now_ns(), LOOK_AT_TIME_NS);
    all->stop_at_ns = later(all->stop_at_ns, stopped_ns);
    all->kill_at_ns = later(all->kill_at_ns, stopped_ns);
}

/* Ranks ask their own terminals how wide they are, not ours. */
static void resize_terminals(const mst_supervision *all)
{
    for (int at = 0; at < 2 * all->count; at++) {
        const mst_relay *relay = &all->processes[at / 2].relays[at % 2];
        int terminal = relay->terminal ? mst_os_held_fd(&relay->from) : -1;

        if (terminal >= 0)
            mst_streams_set_size(terminal);
    }
}

/* A signal that asks to end is passed on, and starts the grace after which nothing is asked. */
static void pass_on_signal(mst_supervision *all, int signal)
{
    if (signal == SIGWINCH)
        resize_terminals(all);
    if (all->first_failed < 0)
        all->passed_on |= UINT64_C(1) << signal % 64;
    signal_all(all, signal);
    if (signal == SIGTSTP)
        stop_ourselves(all);
    if (signal != SIGINT && signal != SIGTERM && signal != SIGHUP && signal != SIGQUIT)
        return;
    signal_all(all, SIGCONT); /* a stopped rank cannot act on it */
    all->asked_to_end = true;
    all->output->failing = true;
    if (!all->stopped_by && all->first_failed < 0)
        all->stopped_by = signal;
    if (signal != SIGINT && all->kill_at_ns == 0)
        all->kill_at_ns = mst_os_now_ns() + mst_supervision_grace_ns(all);
}

void mst_supervise_signals(mst_supervision *all)
{
    unsigned char signals[64];
    ssize_t got = read(all->config->signal_fd, signals, sizeof signals);

    for (ssize_t i = 0; i < got; i++)
        pass_on_signal(all, signals[i]);
}

/* ---- the loop ---- */

static int64_t earlier_of(int64_t a_ns, int64_t b_ns) /* 0: never */
{
    return a_ns && (a_ns < b_ns || !b_ns) ? a_ns : b_ns;
}

/* When there is something to do, whatever comes; 0: never. */
static int64_t next_deadline_ns(mst_supervision *all)
{
    int64_t until_ns = earlier_of(all->kill_at_ns, mst_respawn_next_ns(all));

    if (!all->stopping)
        until_ns = earlier_of(until_ns, all->stop_at_ns);
    return earlier_of(until_ns, mst_pump_show_parts(all));
}

static int poll_timeout_ms(mst_supervision *all, bool watched)
{
    int64_t until_ns = next_deadline_ns(all);

    if (all->unread && !all->stopping) /* has just come out, and no event of the ranks need follow */
        return 0;
    if (!watched)
        return LOOK_MS;
    bool some_have_ended = all->running < all->count;
    if (!until_ns && !some_have_ended && (all->stopping || !all->time.limit_ns))
        return -1;
    int64_t left_ns = until_ns ? until_ns - mst_os_now_ns() : REPEAT_NS;
    if (!all->stopping && all->time.limit_ns) {
        int64_t allowed_ns = all->time.limit_ns - all->time.total_ns;

        left_ns = left_ns < LOOK_AT_TIME_NS ? left_ns : LOOK_AT_TIME_NS;
        left_ns = left_ns < allowed_ns ? left_ns : allowed_ns;
    }
    /* After KILL the zombies come without further deadlines; look again soon in any case. */
    return left_ns <= 0 ? LOOK_MS : (int)(left_ns / MST_NS_PER_MS) + 1;
}

/* Fills in what to poll, the signals first; whether all processes have watches. */
static nfds_t list_polled(mst_supervision *all, bool *watched)
{
    nfds_t count = 0;

    *watched = true;
    all->polled[count++] =
        (struct pollfd){ .fd = all->config->signal_fd > 0 ? all->config->signal_fd : -1, .events = POLLIN };
    for (int i = 0; i < all->count; i++) {
        mst_rank_process *process = &all->processes[i];

        process->polled_at = -1;
        if (mst_os_held_is_lost(&process->watch)) /* its number is the program's by now */
            process->watch.fd = -1;
        if (process->running && process->watch.fd >= 0) {
            process->polled_at = (int)count;
            all->polled[count++] = (struct pollfd){ .fd = process->watch.fd, .events = POLLIN };
        } else if (process->running) {
            *watched = false;
        }
    }
    return mst_pump_list(all, count);
}

void mst_supervise(mst_supervision *all)
{
    while (all->running > 0) {
        bool watched;
        nfds_t count = list_polled(all, &watched);

        poll(all->polled, count, poll_timeout_ms(all, watched));
        if (all->polled[0].revents)
            mst_supervise_signals(all);
        collect_terminations(all);
        repeat_terminations(all);
        act_on_time(all);
        mst_pump(all);
        mst_respawn_act(all); /* which may add processes that were not polled */
    }
    if (all->first_failed < 0)
        all->first_failed = mst_respawn_unreplaced(all);
    mst_pump_drain(all);
}
