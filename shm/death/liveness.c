/* Looks at death words and watches and records terminations, as liveness.h describes. */
#include "shm/death/liveness.h"

#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "shm/wait/wait.h"

/* How long a death word may have been fallen before the termination is recorded as unknown: of a process that
 * shows no sign of an end, and of one that is about to end, or of which only the launcher can see that. Only
 * who gets no CPU time to die, or to report, takes longer than a moment; on a machine that is busy enough, a
 * second. */
#define UNKNOWN_AFTER_NS (250 * MST_NS_PER_MS)
#define UNENDED_AFTER_NS (5 * MST_NS_PER_S)

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       const mst_launcher *launcher)
{
    *liveness = (mst_liveness){ .geometry = *geometry,
                                .self = self,
                                .fell_ns = calloc(geometry->seats, sizeof(int64_t)) };
    if (!liveness->fell_ns || !mst_watches_init(&liveness->watches, geometry, self, launcher)) {
        free(liveness->fell_ns);
        return false;
    }
    pthread_mutex_init(&liveness->lock, NULL);
    return true;
}

void mst_liveness_destroy(mst_liveness *liveness)
{
    mst_watches_destroy(&liveness->watches);
    free(liveness->fell_ns);
    pthread_mutex_destroy(&liveness->lock);
}

void mst_liveness_introduce(mst_liveness *liveness)
{
    mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, liveness->self);
    int watch = mst_os_process_watch(liveness->watches.self_pid);

    entry->pid = liveness->watches.self_pid;
    entry->process_start = mst_os_process_start(entry->pid);
    entry->process_identity = watch >= 0 ? mst_os_watch_identity(watch) : 0;
    entry->process_namespace = liveness->watches.self_namespace;
    entry->process_image = mst_os_process_image(entry->pid);
    mst_os_close(watch);
}

bool mst_liveness_launcher_gone(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    bool gone = liveness->watches.launcher_gone;
    pthread_mutex_unlock(&liveness->lock);
    return gone;
}

/* ---- death words ---- */

/* Whether the launcher can still report how ranks end. */
static bool launcher_may_tell(const mst_liveness *liveness)
{
    return liveness->watches.launcher.pid != 0 &&
           liveness->watches.launcher.pid != liveness->watches.self_pid && !liveness->watches.launcher_gone;
}

/* How a rank ended whose death word fell: false while that is not visible yet. An exec shows no other sign
 * than the fallen death word and a changed program. */
static bool explain_fall(mst_liveness *liveness, uint32_t seat, muster_termination *termination, bool *gone)
{
    const mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, seat);
    int64_t fallen_ns = mst_os_now_ns() - liveness->fell_ns[seat];
    bool may_be_told = launcher_may_tell(liveness) && fallen_ns < UNENDED_AFTER_NS;
    int code = 0;

    *gone = false;
    mst_watches_open(&liveness->watches, seat);
    if (!mst_watches_shares_namespace(&liveness->watches, entry) ||
        mst_load64_acq(&entry->termination) != 0) { /* E8 */
        *termination = (muster_termination){ MUSTER_TERMINATION_VANISHED, 0 };
        return !may_be_told;
    }
    mst_os_termination found = mst_os_process_termination(
        entry->pid, entry->process_start, mst_os_held_fd(&liveness->watches.held[seat]), &code);
    *termination = mst_termination_of_process(found, code);
    if (found == MST_OS_RUNNING) {
        uint64_t image = mst_os_process_image(entry->pid);

        *gone = image && entry->process_image && image != entry->process_image;
        *termination = (muster_termination){ MUSTER_TERMINATION_EXECED, 0 };
        return *gone || fallen_ns >= UNKNOWN_AFTER_NS;
    }
    if (found == MST_OS_ENDING && code == 0)
        *termination = (muster_termination){ MUSTER_TERMINATION_EXITED, 0 };
    if (found == MST_OS_UNKNOWN) /* there may be no descriptor left to find out with */
        return !may_be_told;
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
    if (!explain_fall(liveness, seat, &termination, &gone) ||
        mst_termination_is_for_later(termination, killed_only))
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

void mst_liveness_scan(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    if (!liveness->watches.launcher_gone)
        mst_watches_look_at_launcher(&liveness->watches);
    if (mst_load32_rlx(&liveness->detection) != MST_DETECTION_LAUNCHER) {
        look_at_death_words(liveness);
        mst_watches_look(&liveness->watches);
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

    if (mst_load32_rlx(&liveness->detection) == MST_DETECTION_LAUNCHER ||
        entry->pid == liveness->watches.self_pid ||
        !mst_watches_shares_namespace(&liveness->watches, entry) ||
        mst_load64_acq(&entry->termination) != 0) /* E8 */
        return;
    if (mst_os_process_termination(entry->pid, entry->process_start, -1, &code) == MST_OS_DUMPING)
        mst_termination_record(&liveness->geometry, seat,
                               (muster_termination){ MUSTER_TERMINATION_CRASHED, 0 });
}
