/* Watches processes and records terminations, as liveness.h describes. */
#include "shm/death/liveness.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "shm/wait/wait.h"

enum {
    WATCH_CLOSED = -1,  /* not opened yet */
    WATCH_NONE = -2,    /* not needed */
    WATCH_REFUSED = -3, /* refused by the system */
    WATCH_FIRED = -4,
    WATCH_LATER = -5 /* refused for now: no descriptors left */
};

/* How long a death word may have been fallen before the termination is recorded as unknown: of a process that
 * shows no sign of an end, and of one that is about to end. Only one that gets no CPU time to die takes
 * longer than a moment; on a machine that is busy enough, a second. */
#define UNKNOWN_AFTER_NS (250 * MST_NS_PER_MS)
#define UNENDED_AFTER_NS (5 * MST_NS_PER_S)

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       const mst_launcher *launcher)
{
    size_t count = (size_t)geometry->seats + 1;

    *liveness = (mst_liveness){
        .geometry = *geometry,
        .self = self,
        .self_pid = mst_os_process_id(),
        .self_namespace = mst_os_process_namespace(),
        .launcher = *launcher,
        .watches = malloc(count * sizeof(mst_os_held)),
        .fired = calloc(count, sizeof(bool)),
        .fell_ns = calloc(count, sizeof(int64_t)),
    };
    if (!liveness->watches || !liveness->fired || !liveness->fell_ns) {
        free(liveness->watches);
        free(liveness->fired);
        free(liveness->fell_ns);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        liveness->watches[i] = mst_os_hold(WATCH_CLOSED);
    uint32_t own_namespace = (uint32_t)liveness->self_namespace;
    bool elsewhere = launcher->pid_namespace && own_namespace && launcher->pid_namespace != own_namespace;
    if (launcher->pid == 0 || launcher->pid == liveness->self_pid ||
        elsewhere) /* its pid means another process here */
        liveness->watches[geometry->seats] = mst_os_hold(WATCH_NONE);
    pthread_mutex_init(&liveness->lock, NULL);
    return true;
}

void mst_liveness_destroy(mst_liveness *liveness)
{
    for (uint32_t i = 0; i <= liveness->geometry.seats; i++)
        mst_os_held_close(&liveness->watches[i]);
    free(liveness->watches);
    free(liveness->fired);
    free(liveness->fell_ns);
    pthread_mutex_destroy(&liveness->lock);
}

void mst_liveness_introduce(mst_liveness *liveness)
{
    mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, liveness->self);
    int watch = mst_os_process_watch(liveness->self_pid);

    entry->pid = liveness->self_pid;
    entry->process_start = mst_os_process_start(entry->pid);
    entry->process_identity = watch >= 0 ? mst_os_watch_identity(watch) : 0;
    entry->process_namespace = liveness->self_namespace;
    entry->process_image = mst_os_process_image(entry->pid);
    mst_os_close(watch);
}

bool mst_liveness_launcher_gone(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    bool gone = liveness->launcher_gone;
    pthread_mutex_unlock(&liveness->lock);
    return gone;
}

/* ---- one peer's process ---- */

/* Whether the pid of another rank is valid in our pid namespace. */
static bool same_namespace(const mst_liveness *liveness, const mst_rank_entry *entry)
{
    return entry->process_namespace == liveness->self_namespace;
}

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

/* Opens the watch of a peer if possible; the lock is held. */
static void watch_peer(mst_liveness *liveness, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    bool gone;

    if (!is_to_be_opened(&liveness->watches[seat]))
        return;
    /* A thread of this process cannot die alone; a pid of another namespace means another process here. */
    if (entry->pid == liveness->self_pid || !same_namespace(liveness, entry)) {
        liveness->watches[seat].fd = WATCH_NONE;
        return;
    }
    liveness->watches[seat] = open_watch(entry->pid, entry->process_start, entry->process_identity, &gone);
    if (!gone)
        return;
    liveness->watches[seat].fd = WATCH_FIRED;
    if (mst_load64_acq(&mst_layout_entry(&liveness->geometry, seat)->termination) == 0) /* E8 */
        mst_termination_record(&liveness->geometry, seat,
                               (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 });
    mst_termination_record_gone(&liveness->geometry, seat);
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

/* Of several ends that are found at one look, those by a signal are recorded first (`killed_only`), then the
 * others. Which of them came first is not to be seen; but a rank that a signal ended did not end because of
 * another one, and a rank that exits may have learned of that death where nobody has recorded it here: by
 * another arena, or a socket. */
static bool is_for_later(muster_termination termination, bool killed_only)
{
    return killed_only && termination.kind != MUSTER_TERMINATION_SIGNALED &&
           termination.kind != MUSTER_TERMINATION_CRASHED;
}

static muster_termination termination_of(mst_os_termination found, int code)
{
    switch (found) {
    case MST_OS_EXITED:
        return (muster_termination){ MUSTER_TERMINATION_EXITED, code };
    case MST_OS_SIGNALED:
        return (muster_termination){ MUSTER_TERMINATION_SIGNALED, code };
    case MST_OS_DUMPING:
        return (muster_termination){ MUSTER_TERMINATION_CRASHED, 0 };
    default:
        return (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
    }
}

/* A fired watch: the whole process has ended. False: left for later. */
static bool record_fired(mst_liveness *liveness, uint32_t seat, bool killed_only)
{
    mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    mst_os_held *watch = &liveness->watches[seat];
    int code = 0;

    mst_os_termination found =
        mst_os_process_termination(entry->pid, entry->process_start, mst_os_held_fd(watch), &code);
    if (found == MST_OS_RUNNING) { /* the number was the program's own pidfd, of another process */
        watch->fd = WATCH_CLOSED;
        return true;
    }
    if (is_for_later(termination_of(found, code), killed_only))
        return false;
    if (mst_load64_acq(&entry->termination) == 0) /* E8 */
        mst_termination_record(&liveness->geometry, seat, termination_of(found, code));
    mst_termination_record_gone(&liveness->geometry, seat);
    mst_os_held_close(watch);
    watch->fd = WATCH_FIRED;
    return true;
}

/* Checks a rank that cannot be watched, if no launcher will report its termination. */
static void look_for_unwatched(mst_liveness *liveness, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    mst_os_termination how;
    int code = 0;

    if ((liveness->launcher.pid != 0 && !liveness->launcher_gone) ||
        !is_seen_ended(entry->pid, entry->process_start, &how, &code))
        return;
    mst_termination_record(&liveness->geometry, seat, termination_of(how, code));
    mst_termination_record_gone(&liveness->geometry, seat);
    liveness->watches[seat].fd = WATCH_FIRED;
}

/* ---- death words ---- */

/* Whether the launcher can still report how ranks end. */
static bool launcher_may_tell(const mst_liveness *liveness)
{
    return liveness->launcher.pid != 0 && liveness->launcher.pid != liveness->self_pid &&
           !liveness->launcher_gone;
}

/* How a rank ended whose death word fell: false while that is not visible yet. An exec shows no other sign
 * than the fallen death word and a changed program. */
static bool explain_fall(mst_liveness *liveness, uint32_t seat, muster_termination *termination, bool *gone)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    int64_t fallen_ns = mst_os_now_ns() - liveness->fell_ns[seat];
    bool late = fallen_ns >= UNKNOWN_AFTER_NS;
    int code = 0;

    *gone = false;
    watch_peer(liveness, seat);
    if (!same_namespace(liveness, entry) || mst_load64_acq(&entry->termination) != 0) { /* E8 */
        *termination = (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
        return late || !launcher_may_tell(liveness);
    }
    mst_os_termination found = mst_os_process_termination(entry->pid, entry->process_start,
                                                          mst_os_held_fd(&liveness->watches[seat]), &code);
    *termination = termination_of(found, code);
    if (found == MST_OS_RUNNING) {
        uint64_t image = mst_os_process_image(entry->pid);

        *gone = image && entry->process_image && image != entry->process_image;
        *termination = (muster_termination){ MUSTER_TERMINATION_EXECED, 0 };
        return *gone || late;
    }
    if (found == MST_OS_ENDING && code == 0)
        *termination = (muster_termination){ MUSTER_TERMINATION_EXITED, 0 };
    if (found == MST_OS_UNKNOWN) /* there may be no descriptor left to find out with */
        return late || !launcher_may_tell(liveness);
    return found != MST_OS_ENDING || fallen_ns >= UNENDED_AFTER_NS;
}

/* True: it has ended, and is not recorded yet; look again soon. */
static bool look_at_death_word(mst_liveness *liveness, uint32_t seat, bool killed_only)
{
    mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    muster_termination termination;
    bool gone;

    if (!mst_os_death_word_fell(mst_load32_acq(&entry->death_word)) ||
        mst_load64_acq(&entry->termination) != 0 ||     /* E8 */
        mst_load32_acq(&entry->state) == MST_RANK_LEFT) /* E10 */
        return false;
    if (liveness->fell_ns[seat] == 0)
        liveness->fell_ns[seat] = mst_os_now_ns();
    if (!explain_fall(liveness, seat, &termination, &gone) || is_for_later(termination, killed_only))
        return true;
    mst_termination_record(&liveness->geometry, seat, termination);
    if (gone)
        mst_termination_record_gone(&liveness->geometry, seat);
    return false;
}

static bool look_at_each_death_word(mst_liveness *liveness, bool killed_only)
{
    bool again = false;

    for (uint32_t seat = 0; seat < liveness->geometry.seats; seat++)
        if (seat != liveness->self && look_at_death_word(liveness, seat, killed_only))
            again = true;
    return again;
}

/* The lock is held. */
static bool look_at_death_words(mst_liveness *liveness)
{
    return mst_load32_rlx(&liveness->detection) <= MST_DETECTION_TICK &&
           look_at_each_death_word(liveness, true) && look_at_each_death_word(liveness, false);
}

bool mst_liveness_scan_death_words(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    bool again = look_at_death_words(liveness);
    pthread_mutex_unlock(&liveness->lock);
    return again;
}

/* ---- watches ---- */

static bool has_introduced_itself(const mst_liveness *liveness, uint32_t seat)
{
    uint32_t state = mst_load32_acq(&mst_layout_entry(&liveness->geometry, seat)->state); /* E1 */

    return state == MST_RANK_ATTACHED || state == MST_RANK_WAITING;
}

/* Opens the watches that are not open yet: a rank can be watched once it has written its identity. */
static void open_watches(mst_liveness *liveness)
{
    for (uint32_t seat = 0; seat < liveness->geometry.seats; seat++)
        if (seat != liveness->self && has_introduced_itself(liveness, seat))
            watch_peer(liveness, seat);
}

/* Needed also by a rank whose only source is the launcher: once that is gone nobody reports terminations. */
static void look_at_launcher(mst_liveness *liveness)
{
    mst_os_held *watch = &liveness->watches[liveness->geometry.seats];
    const mst_launcher *launcher = &liveness->launcher;
    mst_os_termination how;
    bool gone = false;
    int code = 0;

    if (is_to_be_opened(watch))
        *watch = open_watch(launcher->pid, launcher->start, 0, &gone);
    if (watch->fd >= 0)
        mst_os_process_poll(watch, 1, &gone);
    else if (is_refused(watch))
        gone = is_seen_ended(launcher->pid, launcher->start, &how, &code);
    liveness->launcher_gone = liveness->launcher_gone || gone;
}

/* Records those that have fired, and leaves the others in `fired`. */
static void look_at_fired(mst_liveness *liveness, bool killed_only)
{
    for (uint32_t seat = 0; seat < liveness->geometry.seats; seat++)
        if (liveness->fired[seat])
            liveness->fired[seat] = !record_fired(liveness, seat, killed_only);
}

/* The lock is held. */
static void look_at_watches(mst_liveness *liveness)
{
    uint32_t seats = liveness->geometry.seats;

    open_watches(liveness);
    mst_os_process_poll(liveness->watches, seats, liveness->fired);
    look_at_fired(liveness, true);
    look_at_fired(liveness, false);
    for (uint32_t seat = 0; seat < seats; seat++) {
        const mst_os_held *watch = &liveness->watches[seat];

        if (is_refused(watch))
            look_for_unwatched(liveness, seat);
        else if (watch->fd == WATCH_FIRED) /* if its termination was overwritten by damage */
            mst_termination_record(&liveness->geometry, seat,
                                   (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 });
    }
}

void mst_liveness_scan(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    if (!liveness->launcher_gone)
        look_at_launcher(liveness);
    if (mst_load32_rlx(&liveness->detection) != MST_DETECTION_LAUNCHER) {
        look_at_death_words(liveness);
        look_at_watches(liveness);
    }
    pthread_mutex_unlock(&liveness->lock);
}

bool mst_liveness_is_gone(mst_liveness *liveness, uint32_t seat)
{
    if (mst_termination_writes_no_more(&liveness->geometry, seat))
        return true;
    if (mst_termination_of(&liveness->geometry, seat).kind == MUSTER_TERMINATION_NONE)
        return false;
    mst_liveness_scan(liveness);
    return mst_termination_writes_no_more(&liveness->geometry, seat);
}

void mst_liveness_say_we_end(mst_liveness *liveness)
{
    mst_cmpxchg32_sc(&mst_layout_entry(&liveness->geometry, liveness->self)->gone, 0,
                     MST_MAY_WRITE_YET); /* E8 */
}

bool mst_liveness_may_write_yet(mst_liveness *liveness, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);

    if (mst_load32_acq(&entry->gone) != MST_MAY_WRITE_YET) /* E8 */
        return false;
    mst_liveness_scan(liveness);
    return mst_load32_acq(&entry->gone) == MST_MAY_WRITE_YET; /* E8 */
}

void mst_liveness_look_for_dump(mst_liveness *liveness, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    int code;

    if (mst_load32_rlx(&liveness->detection) == MST_DETECTION_LAUNCHER || entry->pid == liveness->self_pid ||
        !same_namespace(liveness, entry) || mst_load64_acq(&entry->termination) != 0) /* E8 */
        return;
    if (mst_os_process_termination(entry->pid, entry->process_start, -1, &code) == MST_OS_DUMPING)
        mst_termination_record(&liveness->geometry, seat,
                               (muster_termination){ MUSTER_TERMINATION_CRASHED, 0 });
}
