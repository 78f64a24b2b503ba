/*
 * Who has died, and how.
 *
 * Two sources, either enough: a watch (pidfd) per peer process, looked at on every tick of a wait;
 * and the launcher, which writes a rank's ending into its entry before it reaps the process. The
 * first to know records the ending; it never changes afterwards. Time alone declares nobody dead:
 * a stopped or debugged rank has no ending. Watches are opened when a wait first becomes slow, and
 * the process's start time guards against a pid that was given to someone else meanwhile.
 */
#ifndef MST_LIVENESS_H
#define MST_LIVENESS_H

#include <pthread.h>

#include "muster/muster.h"
#include "shm/layout.h"

typedef struct mst_liveness {
    mst_geometry geometry;
    uint32_t self; /* our rank, or MST_RANKS_MAX: none */
    int32_t self_pid;
    int32_t launcher_pid; /* 0: none */
    uint64_t launcher_start;
    int *watches; /* one per rank, then the launcher's; -1: not open, -2: not needed */
    bool *fired;
    bool launcher_gone;
    pthread_mutex_t lock; /* threads of one rank may wait in several groups */
} mst_liveness;

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       int32_t launcher_pid, uint64_t launcher_start); /* false: no memory */
void mst_liveness_destroy(mst_liveness *liveness);

/* Looks at all watches and records what they tell. Never blocks. */
void mst_liveness_scan(mst_liveness *liveness);

bool mst_liveness_launcher_gone(mst_liveness *liveness);

/* How a rank ended; MUSTER_ENDED_NOT while it has not. */
muster_ending mst_liveness_ending(const mst_geometry *geometry, uint32_t rank);

/* Records an ending, once, and wakes those who wait for ranks to attach. */
void mst_liveness_record(const mst_geometry *geometry, uint32_t rank, muster_ending ending);

/* Grows with every recorded ending: a cheap "has anything changed?". */
uint32_t mst_liveness_count(const mst_geometry *geometry);

#endif
