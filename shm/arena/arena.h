/*
 * The arena as an object: created and sealed by a launcher, or created under a name by the first rank to
 * arrive (meet.h); opened, checked and mapped by all others.
 *
 * Nothing in it is trusted before it is checked (check.h): the descriptor (a regular object of this user,
 * inaccessible to other users, of the size that its header states, sealed where that is possible), then the
 * header (finished, same version, same layout, same number of ranks).
 */
#ifndef MST_ARENA_H
#define MST_ARENA_H

#include "shm/arena/check.h"
#include "shm/base/thresholds.h"
#include "shm/death/liveness.h"
#include "shm/port/os.h"

#define MST_ARENA_BYTES_DEFAULT (256ULL << 30) /* address space, not memory */

/* What the creator decides for all ranks. */
typedef struct mst_arena_plan {
    int size;
    int spare_seats;                  /* for ranks that will replace dead ones */
    uint64_t arena_bytes;             /* 0: MST_ARENA_BYTES_DEFAULT, less where limits demand it */
    uint64_t staging_bytes;           /* 0: derived from the number of ranks */
    bool huge_pages;                  /* where the system can; else a memfd */
    const mst_host *host;             /* which of a job's hosts it is of; NULL: it has all ranks */
    bool launched;                    /* this process launches the ranks, and reports how they end */
    const mst_thresholds *thresholds; /* NULL: those of CPUs of which nothing is known */
} mst_arena_plan;

/* A mapped arena; threads that are ranks of one process share it. */
typedef struct mst_arena {
    mst_geometry geometry;
    mst_os_held held; /* for muster inspect, and to pass on to children; the mapping does not need it */
    mst_launcher launcher;
    mst_thresholds thresholds;
    mst_arena_kind kind;
    char name[256];      /* "" when it has none */
    unsigned char *kept; /* a part that stays mapped when the last user closes; NULL: none */
    uint64_t kept_bytes;
    _Atomic uint32_t users;
} mst_arena;

/* An arena without a name. */
muster_status mst_arena_create(const mst_arena_plan *plan, mst_arena **arena);

/* The arena of an inherited descriptor, which remains the caller's. */
muster_status mst_arena_open(int fd, int size, mst_arena **arena);

/* Checks that the descriptor is of an arena, and gives its dimensions, without mapping it: for inspection. */
muster_status mst_arena_identify(int fd, mst_geometry *geometry, int32_t *launcher_pid);

/* Which of a job's hosts it is of, checked; zeros: it has all ranks, `size` of them. False: it cannot be
 * read.
 */
bool mst_arena_read_host(int fd, uint32_t size, mst_host *host);
/* A rank's rank in the job. */
static inline int mst_arena_rank_in_job(const mst_host *host, uint32_t rank)
{
    return host->job ? host->ranks[rank] : (int)rank;
}

/* Marks a descriptor close-on-exec if it is of this arena: a program executed later would otherwise keep the
 * arena's memory allocated. */
void mst_arena_keep_to_us(const mst_arena *arena, int fd);

/* A part of it stays mapped until the process ends: malloc serves from it. Once per arena; the only user
 * calls it. */
void mst_arena_keep(mst_arena *arena, unsigned char *at, uint64_t bytes);

mst_arena *mst_arena_share(mst_arena *arena); /* one more user of the mapping */
void mst_arena_close(mst_arena *arena);       /* unmaps when the last user closes; NULL is allowed */

/* Parts of creating and opening, for meet.c. */
muster_status mst_arena_format(int fd, const mst_arena_plan *plan, mst_arena_kind kind);
muster_status mst_arena_map(int fd, int size, mst_arena **arena); /* checks first; keeps fd on success */

#endif
