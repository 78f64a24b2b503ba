/* Watches processes, and records the ends that the watches show, for watches.h. */
#include "shm/death/watches.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/death/terminations.h"

enum {
    WATCH_CLOSED = -1,  /* not opened yet */
    WATCH_NONE = -2,    /* not needed */
    WATCH_REFUSED = -3, /* refused by the system */
    WATCH_FIRED = -4,
    WATCH_LATER = -5 /* refused for now: no descriptors left */
};

bool mst_watches_init(mst_watches *watches, const mst_geometry *geometry, uint32_t self,
                      const mst_launcher *launcher)
{
    size_t count = (size_t)geometry->seats + 1;

    *watches = (mst_watches){
        .geometry = *geometry,
        .self = self,
        .self_pid = mst_os_process_id(),
        .self_namespace = mst_os_process_namespace(),
        .launcher = *launcher,
        .held = malloc(count * sizeof(mst_os_held)),
        .fired = calloc(count, sizeof(bool)),
    };
    if (!watches->held || !watches->fired) {
        free(watches->held);
        free(watches->fired);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        watches->held[i] = mst_os_hold(WATCH_CLOSED);
    uint32_t own_namespace = (uint32_t)watches->self_namespace;
    bool elsewhere = launcher->pid_namespace && own_namespace && launcher->pid_namespace != own_namespace;
    if (launcher->pid == 0 || launcher->pid == watches->self_pid ||
        elsewhere) /* its pid means another process here */
        watches->held[geometry->seats] = mst_os_hold(WATCH_NONE);
    return true;
}

void mst_watches_destroy(mst_watches *watches)
{
    for (uint32_t i = 0; i <= watches->geometry.seats; i++)
        mst_os_held_close(&watches->held[i]);
    free(watches->held);
    free(watches->fired);
}

/* ---- one process ---- */

static bool is_to_be_opened(const mst_os_held *watch)
{
    return watch->fd == WATCH_CLOSED || watch->fd == WATCH_LATER;
}

static bool is_refused(const mst_os_held *watch)
{
    return watch->fd == WATCH_REFUSED || watch->fd == WATCH_LATER;
}

/* Opens a watch on the process with this pid, start time and, if known, identity; *gone if that process has
 * ended. */
static mst_os_held open_watch(int32_t pid, uint64_t start, uint64_t identity, bool *gone)
{
    int watch = mst_os_process_watch(pid);

    *gone = watch == -ESRCH;
    if (watch == -EMFILE || watch == -ENFILE)
        return mst_os_hold(WATCH_LATER);
    if (watch < 0)
        return mst_os_hold(WATCH_REFUSED); /* this detection method is not available here */
    uint64_t found = identity ? mst_os_watch_identity(watch) : 0;
    bool other = found && found != identity;
    if (!found) {
        found = mst_os_process_start(pid); /* 0: unknown, or already gone: the poll will tell */
        other = start && found && found != start;
    }
    if (!other)
        return mst_os_hold_watch(watch, pid);
    mst_os_close(watch);
    *gone = true;
    return mst_os_hold(WATCH_NONE);
}

void mst_watches_open(mst_watches *watches, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&watches->geometry, seat);
    bool gone;

    if (!is_to_be_opened(&watches->held[seat]))
        return;
    /* A thread of this process cannot die alone; a pid of another namespace means another process here. */
    if (entry->pid == watches->self_pid || !mst_watches_shares_namespace(watches, entry)) {
        watches->held[seat].fd = WATCH_NONE;
        return;
    }
    watches->held[seat] = open_watch(entry->pid, entry->process_start, entry->process_identity, &gone);
    if (!gone)
        return;
    watches->held[seat].fd = WATCH_FIRED;
    if (mst_load64_acq(&mst_layout_entry(&watches->geometry, seat)->termination) == 0) /* E8 */
        mst_termination_record(&watches->geometry, seat,
                               (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 });
    mst_termination_record_gone(&watches->geometry, seat);
}

/* Whether a process has ended, as far as can be seen without a watch. Seeing nothing proves nothing: /proc
 * may be hidden from us, or there may be no descriptor left to read it with. */
static bool is_seen_ended(int32_t pid, uint64_t start, mst_os_termination *how, int *code)
{
    uint64_t found;

    *how = mst_os_process_termination(pid, start, -1, code);
    if (*how == MST_OS_EXITED || *how == MST_OS_SIGNALED || !mst_os_process_is_there(pid))
        return true;
    found = *how == MST_OS_UNKNOWN && start ? mst_os_process_start(pid) : 0;
    return found != 0 && found != start;
}

/* A fired watch: the whole process has ended. False: left for later. */
static bool record_fired(mst_watches *watches, uint32_t seat, bool killed_only)
{
    mst_rank_entry *entry = mst_layout_entry(&watches->geometry, seat);
    mst_os_held *watch = &watches->held[seat];
    int code = 0;

    mst_os_termination found =
        mst_os_process_termination(entry->pid, entry->process_start, mst_os_held_fd(watch), &code);
    if (found == MST_OS_RUNNING) { /* the number was the program's own pidfd, of another process */
        watch->fd = WATCH_CLOSED;
        return true;
    }
    if (mst_termination_is_for_later(mst_termination_of_process(found, code), killed_only))
        return false;
    if (mst_load64_acq(&entry->termination) == 0) /* E8 */
        mst_termination_record(&watches->geometry, seat, mst_termination_of_process(found, code));
    mst_termination_record_gone(&watches->geometry, seat);
    mst_os_held_close(watch);
    watch->fd = WATCH_FIRED;
    return true;
}

/* Checks a rank that cannot be watched, if no launcher will report its termination. */
static void look_for_unwatched(mst_watches *watches, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&watches->geometry, seat);
    mst_os_termination how;
    int code = 0;

    if ((watches->launcher.pid != 0 && !watches->launcher_gone) ||
        !is_seen_ended(entry->pid, entry->process_start, &how, &code))
        return;
    mst_termination_record(&watches->geometry, seat, mst_termination_of_process(how, code));
    mst_termination_record_gone(&watches->geometry, seat);
    watches->held[seat].fd = WATCH_FIRED;
}

/* ---- all of them ---- */

static bool has_introduced_itself(const mst_watches *watches, uint32_t seat)
{
    uint32_t state = mst_load32_acq(&mst_layout_entry(&watches->geometry, seat)->state); /* E1 */

    return state == MST_RANK_ATTACHED || state == MST_RANK_WAITING;
}

/* Opens the watches that are not open yet: a rank can be watched once it has written its identity. */
static void open_watches(mst_watches *watches)
{
    for (uint32_t seat = 0; seat < watches->geometry.seats; seat++)
        if (seat != watches->self && has_introduced_itself(watches, seat))
            mst_watches_open(watches, seat);
}

void mst_watches_look_at_launcher(mst_watches *watches)
{
    mst_os_held *watch = &watches->held[watches->geometry.seats];
    const mst_launcher *launcher = &watches->launcher;
    mst_os_termination how;
    bool gone = false;
    int code = 0;

    if (is_to_be_opened(watch))
        *watch = open_watch(launcher->pid, launcher->start, 0, &gone);
    if (watch->fd >= 0)
        mst_os_process_poll(watch, 1, &gone);
    else if (is_refused(watch))
        gone = is_seen_ended(launcher->pid, launcher->start, &how, &code);
    watches->launcher_gone = watches->launcher_gone || gone;
}

/* Records those that have fired, and leaves the others in `fired`. */
static void look_at_fired(mst_watches *watches, bool killed_only)
{
    for (uint32_t seat = 0; seat < watches->geometry.seats; seat++)
        if (watches->fired[seat])
            watches->fired[seat] = !record_fired(watches, seat, killed_only);
}

void mst_watches_look(mst_watches *watches)
{
    uint32_t seats = watches->geometry.seats;

    open_watches(watches);
    mst_os_process_poll(watches->held, seats, watches->fired);
    look_at_fired(watches, true);
    look_at_fired(watches, false);
    for (uint32_t seat = 0; seat < seats; seat++) {
        const mst_os_held *watch = &watches->held[seat];

        if (is_refused(watch))
            look_for_unwatched(watches, seat);
        else if (watch->fd == WATCH_FIRED) /* if its termination was overwritten by damage */
            mst_termination_record(&watches->geometry, seat,
                                   (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 });
    }
}
