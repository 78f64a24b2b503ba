/*
 * Who has died, and how.
 *
 * Several sources, each enough, best first; a rank uses the first detection method that it and the system
 * can, or the one that it is told to:
 *
 *   R0 death word    a word per rank that the kernel changes within 0.1 ms of its holder's end, whatever
 *                memory it has; a thread of the library sleeps on all of them (death_word.h)
 *   R1 tick      the same words, looked at on every tick of a wait
 *   R2 pidfd     a watch per peer process, looked at on every tick; it fires when the memory is gone
 *   R3 launcher  the launcher's word alone; only where there is one
 *
 * A higher detection method includes the lower ones, and each includes watching the launcher itself: when
 * that is gone the job is, and nobody waits for its word. Where the system refuses watches (R2), and no
 * launcher will tell, the system is asked on every tick whether the process is there still. The first to know
 * records the termination; it never changes afterwards. That a rank has ended and that it can write no more
 * are two facts: its other threads may run a moment longer than its death word, so its memory is used again
 * only when it is *gone*. A crash that writes a core file keeps both death word and watch waiting; the file
 * system of processes tells of it. Time alone declares nobody dead: a stopped or debugged rank has no ending.
 */
#ifndef MST_LIVENESS_H
#define MST_LIVENESS_H

#include <pthread.h>

#include "muster/muster.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"

typedef enum mst_detection {
    MST_DETECTION_FUTEX,
    MST_DETECTION_TICK,
    MST_DETECTION_PIDFD,
    MST_DETECTION_LAUNCHER
} mst_detection;

/* The process that launches the ranks. */
typedef struct mst_launcher {
    int32_t pid; /* 0: none */
    uint64_t start;
    uint32_t pid_namespace; /* what the pid is a number of; 0: unknown */
} mst_launcher;

typedef struct mst_liveness {
    mst_geometry geometry;
    _Atomic uint32_t detection; /* an mst_detection; goes down when the system turns out not to offer it */
    uint32_t self;              /* our rank, or MST_RANKS_MAX: none */
    int32_t self_pid;
    uint64_t self_namespace;
    mst_launcher launcher;
    mst_os_held *watches; /* one per rank, then the launcher's; fd negative: why there is none */
    bool *fired;
    int64_t
        *fell_ns; /* since when a rank's death word has been seen fallen and its ending not known; 0: not */
    bool launcher_gone;
    pthread_mutex_t lock; /* threads of one rank may wait in several groups */
} mst_liveness;

bool mst_liveness_init(mst_liveness *liveness, const mst_geometry *geometry, uint32_t self,
                       const mst_launcher *launcher); /* false: no memory */
void mst_liveness_destroy(mst_liveness *liveness);

/* Says in our entry who we are. */
void mst_liveness_introduce(mst_liveness *liveness);

/* Looks at all death words and watches and records what they tell. Never blocks. */
void mst_liveness_scan(mst_liveness *liveness);

/* Looks at the death words only. True: one has fallen and it is not known yet how; look again soon. */
bool mst_liveness_scan_death_words(mst_liveness *liveness);

/* Whether a rank that keeps others waiting is writing its core file: records that. */
void mst_liveness_look_for_dump(mst_liveness *liveness, uint32_t seat);

bool mst_liveness_launcher_gone(mst_liveness *liveness);

/* How a rank ended; MUSTER_TERMINATION_NONE while it has not. */
muster_termination mst_liveness_termination(const mst_geometry *geometry, uint32_t seat);
muster_termination mst_termination_unpack(uint64_t word); /* of an entry */

/* Whether a rank that has ended can write no more; the second one looks first. */
bool mst_liveness_writes_no_more(const mst_geometry *geometry, uint32_t seat);
bool mst_liveness_is_gone(mst_liveness *liveness, uint32_t seat);

/* Says that we leave all groups since our program ends: other threads of it may write until it has. And
 * whether that is so of a rank that has left. */
void mst_liveness_say_we_end(mst_liveness *liveness);
bool mst_liveness_may_write_yet(mst_liveness *liveness, uint32_t seat);

/* Records a termination, once, and wakes those who wait for ranks to attach or for terminations. */
void mst_liveness_record(const mst_geometry *geometry, uint32_t seat, muster_termination termination);
void mst_liveness_record_gone(const mst_geometry *geometry, uint32_t seat);

/* Which of two ranks that have ended was recorded first, whoever recorded them. A rank that ended because of
 * another's end was recorded after it. */
bool mst_liveness_ended_before(const mst_geometry *geometry, uint32_t seat, uint32_t other);

/* Grows with every recorded ending: a cheap "has anything changed?". */
uint32_t mst_liveness_count(const mst_geometry *geometry);

#endif
