/*
 * Watches on processes (pidfds), one per peer and one on the launcher, and what is looked at where the system
 * refuses them. Whoever shares them among threads locks (liveness.h).
 */
#ifndef MST_WATCHES_H
#define MST_WATCHES_H

#include "muster/muster.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"

/* The process that launches the ranks. */
typedef struct mst_launcher {
    int32_t pid; /* 0: none */
    uint64_t start;
    uint32_t pid_namespace; /* pid namespace, in which the pid is valid; 0: unknown */
} mst_launcher;

typedef struct mst_watches {
    mst_geometry geometry;
    uint32_t self; /* our seat, or MST_RANKS_MAX: none */
    int32_t self_pid;
    uint64_t self_namespace;
    mst_launcher launcher;
    bool launcher_gone;
    mst_os_held *held; /* one per seat, then the launcher's; negative fd: why there is none */
    bool *fired;       /* by seat */
} mst_watches;

bool mst_watches_init(mst_watches *watches, const mst_geometry *geometry, uint32_t self,
                      const mst_launcher *launcher); /* false: no memory */
void mst_watches_destroy(mst_watches *watches);

/* Opens the watch of a peer, if that is possible and not done. */
void mst_watches_open(mst_watches *watches, uint32_t seat);

/* Opens the watches that are not open yet, and records the ends of the processes whose watches have fired. */
void mst_watches_look(mst_watches *watches);

/* Finds out whether the launcher has ended. Needed also by a rank whose only source is the launcher: once
 * that is gone nobody reports terminations. */
void mst_watches_look_at_launcher(mst_watches *watches);

/* Whether the pid of another rank is valid in our pid namespace. */
static inline bool mst_watches_shares_namespace(const mst_watches *watches, const mst_rank_entry *entry)
{
    return entry->process_namespace == watches->self_namespace;
}

#endif
