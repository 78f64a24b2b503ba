/*
 * Which ranks have died, and how.
 *
 * There are several sources, each sufficient, best first. A rank uses the first detection method that it and
 * the system support, or the one that it is told to use:
 *
 *   R0 death word  a word per rank that the kernel changes within 0.1 ms of the end of the thread that owns
 *                  it, however much memory the process has; a thread of the library sleeps on all of them
 *                  (death_word.h)
 *   R1 tick        the same words, checked at every tick of a wait
 *   R2 pidfd       a watch per peer process, checked at every tick; it fires when the memory has been freed
 *   R3 launcher    only what the launcher reports; requires a launcher
 *
 * A higher detection method includes the lower ones, and each includes watching the launcher itself: when the
 * launcher is gone the job has ended, and no rank waits for its reports. Where the system refuses watches
 * (R2), and no launcher will report, the rank asks the system at every tick whether the process still exists.
 * The first rank to know records the termination, which never changes afterwards. That a rank has ended and
 * that it can no longer write are two facts: its other threads may outlive its death word for a moment, so
 * its memory is reused only when it is *gone*. A crash that writes a core file delays both death word and
 * watch; /proc shows it. Elapsed time alone declares nobody dead: a stopped or debugged rank has no
 * termination.
 */
#ifndef MST_LIVENESS_H
#define MST_LIVENESS_H

#include <pthread.h>

#include "shm/death/watches.h"

typedef enum mst_detection {
    MST_DETECTION_FUTEX,
    MST_DETECTION_TICK,
    MST_DETECTION_PIDFD,
    MST_DETECTION_LAUNCHER
} mst_detection;

typedef struct mst_liveness {
    mst_geometry geometry;
    uint32_t self;              /* our seat, or MST_RANKS_MAX: none */
    _Atomic uint32_t detection; /* an mst_detection; lowered when the system turns out not to support it */
    mst_watches watches;
    int64_t *fell_ns;     /* since when a rank's death word has fallen without explanation; 0: it has not */
    pthread_mutex_t lock; /* threads of one rank may wait in several groups */
} mst_liveness;

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       const mst_launcher *launcher); /* false: no memory */
void mst_liveness_destroy(mst_liveness *liveness);

/* Writes our identity into our entry. */
void mst_liveness_introduce(mst_liveness *liveness);

/* Checks all death words and watches and records what they show. Never blocks. */
void mst_liveness_scan(mst_liveness *liveness);

/* Checks the death words only. True: one has fallen and the termination is not known yet; check again
 * soon. */
bool mst_liveness_scan_death_words(mst_liveness *liveness);

/* Checks whether a rank that delays others is writing its core file, and records that. */
void mst_liveness_look_for_dump(mst_liveness *liveness, uint32_t seat);

bool mst_liveness_launcher_gone(mst_liveness *liveness);

/* Whether a rank that has ended can no longer write; scans first if that is not recorded. */
bool mst_liveness_is_gone(mst_liveness *liveness, uint32_t seat);

/* Records that we leave all groups because our program ends: its other threads may write until it has ended.
 * The second function: whether that is so of a rank that has left. */
void mst_liveness_say_we_end(mst_liveness *liveness);
bool mst_liveness_may_write_yet(mst_liveness *liveness, uint32_t seat);

#endif
