/* Watches and endings of liveness.h. */
#include "shm/liveness.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/atomic.h"
#include "shm/os.h"
#include "shm/wait.h"

enum { WATCH_CLOSED = -1, WATCH_NONE = -2 };

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       int32_t launcher_pid, uint64_t launcher_start)
{
    size_t count = (size_t)geometry->size + 1;

    *liveness = (mst_liveness){
        .geometry = *geometry,
        .self = self,
        .self_pid = mst_os_process_id(),
        .launcher_pid = launcher_pid,
        .launcher_start = launcher_start,
        .watches = malloc(count * sizeof(int)),
        .fired = calloc(count, sizeof(bool)),
    };
    if (!liveness->watches || !liveness->fired) {
        free(liveness->watches);
        free(liveness->fired);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        liveness->watches[i] = WATCH_CLOSED;
    if (launcher_pid == 0 || launcher_pid == liveness->self_pid)
        liveness->watches[geometry->size] = WATCH_NONE;
    pthread_mutex_init(&liveness->lock, NULL);
    return true;
}

void mst_liveness_destroy(mst_liveness *liveness)
{
    for (uint32_t i = 0; i <= liveness->geometry.size; i++)
        mst_os_close(liveness->watches[i]);
    free(liveness->watches);
    free(liveness->fired);
    pthread_mutex_destroy(&liveness->lock);
}

muster_ending mst_liveness_ending(const mst_geometry *geometry, uint32_t rank)
{
    uint64_t word = mst_load64_acq(&mst_layout_entry(geometry, rank)->ending); /* E8 */
    uint64_t kind = word & 0xff;

    if (kind > MUSTER_ENDED_VANISHED)
        kind = MUSTER_ENDED_VANISHED;
    return (muster_ending){ (muster_ending_kind)kind, (int)(word >> 8 & 0xffff) };
}

void mst_liveness_record(const mst_geometry *geometry, uint32_t rank, muster_ending ending)
{
    mst_header *header = mst_layout_header(geometry);
    uint64_t word = (uint64_t)ending.kind | ((uint64_t)ending.code & 0xffff) << 8;

    if (mst_cas64_sc(&mst_layout_entry(geometry, rank)->ending, 0, word) != 0) /* E8 */
        return;
    mst_add32_sc(&header->endings, 1); /* E8 */
    mst_signal_raise(&header->arrivals);
}

uint32_t mst_liveness_count(const mst_geometry *geometry)
{
    return mst_load32_acq(&mst_layout_header(geometry)->endings); /* E8 */
}

bool mst_liveness_launcher_gone(mst_liveness *liveness)
{
    pthread_mutex_lock(&liveness->lock);
    bool gone = liveness->launcher_gone;
    pthread_mutex_unlock(&liveness->lock);
    return gone;
}

/* A watch on the process that had this pid and start time; *gone if that one has ended. */
static int open_watch(int32_t pid, uint64_t start, bool *gone)
{
    int watch = mst_os_process_watch(pid);

    *gone = watch == -ESRCH;
    if (watch < 0)
        return WATCH_NONE; /* this rung is not to be had here: the launcher's word remains */
    uint64_t found = mst_os_process_start(pid); /* 0: cannot tell, or already gone: the poll will say */
    if (start && found && found != start) {
        mst_os_close(watch);
        *gone = true;
        return WATCH_NONE;
    }
    return watch;
}

static muster_ending ending_of(int32_t pid, int watch)
{
    int code = 0;

    switch (mst_os_process_ending(pid, watch, &code)) {
    case MST_OS_EXITED:
        return (muster_ending){ MUSTER_ENDED_EXITED, code };
    case MST_OS_SIGNALED:
        return (muster_ending){ MUSTER_ENDED_SIGNALED, code };
    default:
        return (muster_ending){ MUSTER_ENDED_VANISHED, 0 };
    }
}

static void record_gone(mst_liveness *liveness, uint32_t rank)
{
    mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, rank);
    int *watch = &liveness->watches[rank];

    if (mst_load64_acq(&entry->ending) == 0) /* E8 */
        mst_liveness_record(&liveness->geometry, rank, ending_of(entry->pid, *watch));
    mst_os_close(*watch);
    *watch = WATCH_NONE;
}

/* Opens what is not open yet: a rank can be watched once it has said who it is. */
static void open_watches(mst_liveness *liveness)
{
    bool gone;

    for (uint32_t rank = 0; rank < liveness->geometry.size; rank++) {
        mst_rank_entry *entry = mst_layout_entry(&liveness->geometry, rank);

        if (liveness->watches[rank] != WATCH_CLOSED || rank == liveness->self ||
            mst_load32_acq(&entry->state) != MST_RANK_ATTACHED) /* E1 */
            continue;
        if (entry->pid == liveness->self_pid) { /* a thread of this process cannot die alone */
            liveness->watches[rank] = WATCH_NONE;
            continue;
        }
        liveness->watches[rank] = open_watch(entry->pid, entry->process_start, &gone);
        if (gone)
            record_gone(liveness, rank);
    }
    int *launcher = &liveness->watches[liveness->geometry.size];
    if (*launcher == WATCH_CLOSED) {
        *launcher = open_watch(liveness->launcher_pid, liveness->launcher_start, &gone);
        liveness->launcher_gone = liveness->launcher_gone || gone;
    }
}

void mst_liveness_scan(mst_liveness *liveness)
{
    uint32_t size = liveness->geometry.size;

    pthread_mutex_lock(&liveness->lock);
    open_watches(liveness);
    mst_os_process_poll(liveness->watches, (size_t)size + 1, liveness->fired);
    for (uint32_t rank = 0; rank < size; rank++)
        if (liveness->fired[rank])
            record_gone(liveness, rank);
    if (liveness->fired[size])
        liveness->launcher_gone = true;
    pthread_mutex_unlock(&liveness->lock);
}
