/*
 * What this process knows of the job that MPI has started: its seat, the other processes, and what they
 * decide together at the end. There is one per process, in mpi.c.
 */
#ifndef MST_MPI_JOB_H
#define MST_MPI_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/base/layout.h"
#include "shm/base/log.h"
#include "shm/port/os.h"
#include "src/backend.h"
#include "src/mpi/frames.h"
#include "src/mpi/plugin.h"
#include "src/wire/wire.h"

/* A rank's process. */
typedef struct mst_mpi_peer {
    int32_t pid;    /* 0: it is on another host */
    uint64_t start; /* 0: unknown */
} mst_mpi_peer;

/* How the job ends: one word for all its ranks, which the first that knows it sets for good. It says nothing
 * of other memory, so no edge begins or ends there. */
enum { MST_MPI_UNDECIDED, MST_MPI_FINALIZES, MST_MPI_GIVES_UP };

typedef struct mst_mpi_job {
    const mst_plugin *plugin; /* NULL: not loaded, or it cannot begin */
    mst_plugin_seat seat;
    mst_mpi_peer *peers;        /* by rank; NULL: not known yet */
    int *host;                  /* by rank: the first rank of its host; NULL: likewise */
    int hosts;                  /* how many there are; pretended ones count */
    char **where;               /* by rank: its host in words; those of a host are one; NULL: likewise */
    mst_host *shown;            /* what observers on this host see of that; NULL: it is the only one */
    int place, neighbours;      /* among the ranks of this host, and how many those are */
    mst_mpi_frames frames;      /* between hosts, as is the next one */
    mst_wire *wire;             /* else NULL */
    _Atomic uint32_t *decision; /* NULL: not shared yet */
    mst_log log;    /* of the end, in which no function of the program's is called: on stderr, or none */
    bool settled;   /* it has returned: MPI may be ended */
    bool abandoned; /* this rank has left a step in which others may wait: it waits for nobody */
    bool ended;
    const unsigned char *here; /* 1 in this process, 0 in its forked children */
} mst_mpi_job;

/* What a rank tells of where it is. */
typedef struct mst_mpi_spot {
    char machine[112]; /* which one it is on */
    int32_t pretended; /* 1 + the host by MUSTER_FAKE_HOSTS; 0 without it */
} mst_mpi_spot;

/* Whether the seat makes sense: UNAVAILABLE, SYSTEM. */
muster_status mst_mpi_check_seat(const mst_mpi_job *job);

/* Fills in who is on which host, by what each rank has told; `origin`: rank 0. False: no memory. */
bool mst_mpi_place(mst_mpi_job *job, const mst_mpi_spot *spots, const mst_mpi_peer *origin);

/* Opens what reaches other hosts, if there are any. */
muster_status mst_mpi_open_wire(mst_mpi_job *job, const muster_config *config);

/* Which processes of the job are gone. */
typedef struct mst_mpi_watches {
    const mst_mpi_job *job;
    mst_os_held *held; /* by rank; NULL: nothing is known of any */
    bool *fired;
    int gone; /* a rank; -1: none */
} mst_mpi_watches;

/* No memory or no descriptors: fewer are seen. */
void mst_mpi_watches_open(mst_mpi_watches *watches, const mst_mpi_job *job);
/* Looks: a system call, and one more for each rank. */
bool mst_mpi_watches_see_one_gone(mst_mpi_watches *watches);
void mst_mpi_watches_close(mst_mpi_watches *watches);

#endif
