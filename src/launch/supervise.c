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

#include "shm/atomic.h"
#include "shm/cgroup.h"
#include "shm/holders.h"
#include "shm/liveness.h"
#include "shm/os.h"
#include "shm/poison.h"
#include "src/launch/respawn.h"

#define GRACE_NS (2 * MST_NS_PER_S)
#define LAST_OUTPUT_NS (MST_NS_PER_S)         /* for descendants that keep a rank's output open */
#define LOOK_AT_TIME_NS (250 * MST_NS_PER_MS) /* so that time in which the job was stopped is noticed */
#define REPEAT_NS MST_NS_PER_S                /* of looks for endings that have been wiped out */
#define LOOK_MS 20                            /* between looks where the system gives no watches */

static void signal_all(const mst_supervision *all, int signal)
{
    for (int i = 0; i < all->count; i++)
        mst_rank_signal(&all->processes[i], signal);
}

/* ---- endings ---- */

/* Whether the rank has ended; it is a zombie then, and stays one until reap(). */
static bool has_ended(mst_rank_process *process)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        if (errno != ECHILD)
            return false;
        /* Somebody else reaped it (the program waits for any child): how it ended is lost. */
        process->ending = (muster_ending){ MUSTER_ENDED_VANISHED, 0 };
        return true;
    }
    if (info.si_pid == 0)
        return false;
    if (info.si_code == CLD_EXITED)
        process->ending = (muster_ending){ MUSTER_ENDED_EXITED, info.si_status };
    else
        process->ending = (muster_ending){ MUSTER_ENDED_SIGNALED, info.si_status };
    process->dumped_core = info.si_code == CLD_DUMPED;
    return true;
}

/* Of a rank that was killed: whether the system has killed one more of the control group meanwhile, since its
 * memory was used up. */
static void look_for_memory_kill(mst_supervision *all, mst_rank_process *process)
{
    if (process->ending.kind != MUSTER_ENDED_SIGNALED || process->ending.code != SIGKILL || all->stopping)
        return;
    uint64_t kills = mst_cgroup_memory_kills("");
    process->out_of_memory = kills > all->memory_kills;
    all->memory_kills += process->out_of_memory; /* each counts for one of them */
}

static void reap(mst_supervision *all, mst_rank_process *process)
{
    mst_liveness_record(all->geometry, (uint32_t)process->seat, process->ending);
    mst_liveness_record_gone(all->geometry, (uint32_t)process->seat);
    if (process->own_group)
        kill(-process->pid, SIGKILL); /* what it left behind; the zombie still holds the number */
    waitpid(process->pid, NULL, 0);
    mst_os_held_close(&process->watch);
    process->running = false;
    process->ended_ns = mst_os_now_ns();
    all->running--;
}

/* Where damage has wiped out what was said of a rank that has ended, its peers would wait for it. */
static void repeat_endings(const mst_supervision *all)
{
    for (int i = 0; i < all->count; i++) {
        const mst_rank_process *process = &all->processes[i];

        if (process->running || process->ended_ns == 0 ||
            mst_liveness_ending(all->geometry, (uint32_t)process->seat).kind != MUSTER_ENDED_NOT)
            continue;
        mst_liveness_record(all->geometry, (uint32_t)process->seat, process->ending);
        mst_liveness_record_gone(all->geometry, (uint32_t)process->seat);
    }
}

bool mst_rank_failed(const mst_rank_process *process)
{
    return process->ending.kind != MUSTER_ENDED_EXITED || process->ending.code != 0;
}

void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes)
{
    muster_ending ending = process->ending;

    if (ending.kind == MUSTER_ENDED_SIGNALED)
        snprintf(text, bytes, "rank %d was killed by signal %d (%s)%s", process->rank, ending.code,
                 strsignal(ending.code),
                 process->dumped_core     ? ", core dumped"
                 : process->out_of_memory ? "; its memory control group was out of memory"
                                          : "");
    else if (ending.kind == MUSTER_ENDED_EXITED)
        snprintf(text, bytes, "rank %d exited with status %d", process->rank, ending.code);
    else if (process->pid == 0)
        snprintf(text, bytes, "rank %d could not be started", process->rank);
    else
        snprintf(text, bytes, "rank %d ended, and its status went to somebody else", process->rank);
}

/* When several are found at once, the killed one is the cause and the others' exits the effect. */
static bool is_likelier_cause(const mst_rank_process *process, const mst_rank_process *other)
{
    return !other ||
           (process->ending.kind == MUSTER_ENDED_SIGNALED && other->ending.kind != MUSTER_ENDED_SIGNALED);
}

/* Whether the ranks have recorded that one which has not ended yet was killed, or is gone. */
static bool is_known_to_be_killed(const mst_supervision *all, const mst_rank_process *process)
{
    muster_ending_kind kind = mst_liveness_ending(all->geometry, (uint32_t)process->seat).kind;

    return process->running && mst_respawn_was_inside(all, process) &&
           (kind == MUSTER_ENDED_SIGNALED || kind == MUSTER_ENDED_CRASHED || kind == MUSTER_ENDED_VANISHED);
}

/* Whose exit broke the world for the rank that failed; its own seat if nobody's did. */
static int breaker_of(const mst_supervision *all, const mst_rank_process *failed)
{
    const mst_cell *cell = mst_layout_cell(all->geometry, (uint32_t)failed->seat, MST_WORLD_CELL);
    uint64_t word = mst_load64_acq(&cell->poison); /* E7 */
    mst_poison poison = mst_poison_unpack(word);

    if (failed->seat >= all->config->size || poison.kind != MST_POISON_EXITED || poison.code == 0 ||
        poison.rank < 0 || poison.rank >= all->config->size)
        return failed->seat;
    return poison.rank;
}

/*
 * A rank with much memory takes long to die: its peers know that it is dead, fail for that, and are gone
 * before it. So what the ranks have noted counts for who was first.
 */
static int find_first_failed(const mst_supervision *all, const mst_rank_process *cause)
{
    if (cause->ending.kind == MUSTER_ENDED_SIGNALED)
        return cause->seat;
    for (int i = 0; i < all->count; i++)
        if (is_known_to_be_killed(all, &all->processes[i]))
            return i;
    return breaker_of(all, cause);
}

static void collect_endings(mst_supervision *all)
{
    const mst_rank_process *cause = NULL;
    int running = all->running;

    for (int i = 0; i < all->count; i++) {
        mst_rank_process *process = &all->processes[i];

        if (!process->running || !has_ended(process))
            continue;
        look_for_memory_kill(all, process);
        reap(all, process);
        if (mst_respawn_decide(all, process) && is_likelier_cause(process, cause))
            cause = process;
    }
    if (all->running < running && all->config->on_failure != MUSTER_ON_FAILURE_KILL)
        mst_holders_release_dead(all->geometry, all->released);
    if (cause && all->first_failed < 0 && !all->stopping)
        all->first_failed = find_first_failed(all, cause);
}

/* ---- stopping ---- */

static void stop_all(mst_supervision *all)
{
    int64_t grace_ns = all->config->grace_ns > 0 ? all->config->grace_ns : GRACE_NS;

    if (all->stopping)
        return;
    all->stopping = true;
    all->kill_at_ns = mst_os_now_ns() + grace_ns;
    signal_all(all, SIGTERM);
    signal_all(all, SIGCONT); /* a stopped rank cannot act on TERM */
}

static void act_on_time(mst_supervision *all)
{
    int64_t now_ns = mst_os_now_ns();

    mst_deadline_count(&all->time, now_ns, LOOK_AT_TIME_NS);
    if (mst_deadline_used_up(&all->time) && !all->stopping) {
        all->timed_out = true;
        stop_all(all);
    }
    if (all->first_failed >= 0 && all->config->on_failure == MUSTER_ON_FAILURE_KILL)
        stop_all(all);
    if (all->kill_at_ns && now_ns >= all->kill_at_ns)
        signal_all(all, SIGKILL);
}

/* A signal that asks to end is passed on, and starts the grace after which nothing is asked. */
static void pass_on_signals(mst_supervision *all)
{
    unsigned char signals[64];
    ssize_t got = read(all->config->signal_fd, signals, sizeof signals);

    for (ssize_t i = 0; i < got; i++) {
        int signal = signals[i];

        signal_all(all, signal);
        if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT)
            all->asked_to_end = true;
        if ((signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) && all->kill_at_ns == 0) {
            int64_t grace_ns = all->config->grace_ns > 0 ? all->config->grace_ns : GRACE_NS;

            all->kill_at_ns = mst_os_now_ns() + grace_ns;
        }
    }
}

/* ---- the loop ---- */

static int64_t earlier_of(int64_t a_ns, int64_t b_ns) /* 0: never */
{
    return a_ns && (a_ns < b_ns || !b_ns) ? a_ns : b_ns;
}

static int poll_timeout_ms(const mst_supervision *all, bool watched)
{
    int64_t until_ns = earlier_of(all->kill_at_ns, mst_respawn_next_ns(all));

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

/* Fills in what to poll: watches, relays, the signals; returns how many. */
static nfds_t list_polled(mst_supervision *all, struct pollfd *polled, bool *watched)
{
    nfds_t count = 0;

    *watched = true;
    for (int i = 0; i < all->count; i++) {
        mst_rank_process *process = &all->processes[i];

        if (mst_os_held_is_lost(&process->watch)) /* its number is the program's by now */
            process->watch.fd = -1;
        if (process->running && process->watch.fd >= 0)
            polled[count++] = (struct pollfd){ .fd = process->watch.fd, .events = POLLIN };
        else if (process->running)
            *watched = false;
        for (int r = 0; r < 2; r++)
            if (process->relays[r].from.fd >= 0)
                polled[count++] = (struct pollfd){ .fd = process->relays[r].from.fd, .events = POLLIN };
    }
    if (all->config->signal_fd > 0)
        polled[count++] = (struct pollfd){ .fd = all->config->signal_fd, .events = POLLIN };
    return count;
}

/* Relays what has come; returns how many relays are still open. */
static int pump_relays(mst_supervision *all)
{
    int open = 0;

    for (int i = 0; i < all->count; i++) {
        for (int r = 0; r < 2; r++) {
            mst_relay *relay = &all->processes[i].relays[r];

            if (relay->from.fd >= 0 && !mst_relay_pump(relay))
                mst_relay_close(relay);
            open += relay->from.fd >= 0;
        }
    }
    return open;
}

static void close_relays(mst_supervision *all)
{
    for (int i = 0; i < all->count; i++)
        for (int r = 0; r < 2; r++)
            mst_relay_close(&all->processes[i].relays[r]);
}

/* The last output of ranks that have ended is in the pipes, or will be as descendants end. */
static void drain_relays(mst_supervision *all, struct pollfd *polled)
{
    int64_t until_ns = mst_os_now_ns() + LAST_OUTPUT_NS;
    bool watched;

    while (pump_relays(all) > 0 && mst_os_now_ns() < until_ns)
        poll(polled, list_polled(all, polled, &watched), LOOK_MS);
    close_relays(all);
}

void mst_supervise(mst_supervision *all)
{
    size_t seats = (size_t)all->config->size + (size_t)mst_respawn_seats(all->config);
    struct pollfd *polled = calloc(seats * 3 + 1, sizeof *polled);
    bool watched = false;

    while (all->running > 0) {
        nfds_t count = polled ? list_polled(all, polled, &watched) : 0;

        poll(polled, count, poll_timeout_ms(all, watched));
        if (all->config->signal_fd > 0 && polled && polled[count - 1].revents)
            pass_on_signals(all);
        pump_relays(all);
        collect_endings(all);
        repeat_endings(all);
        act_on_time(all);
        mst_respawn_act(all);
    }
    if (all->first_failed < 0)
        all->first_failed = mst_respawn_unreplaced(all);
    if (polled)
        drain_relays(all, polled);
    close_relays(all);
    free(polled);
}
