/* Watches the processes of a job, for job.h. */
#include "src/mpi/job.h"

#include <errno.h>
#include <stdlib.h>

/* Whether the number is that process's no longer. */
static bool is_another(const mst_mpi_peer *peer)
{
    return peer->start && mst_os_process_start(peer->pid) != peer->start;
}

static void watch(mst_mpi_watches *watches, int rank)
{
    const mst_mpi_peer *peer = &watches->job->peers[rank];
    int fd = rank == watches->job->seat.rank ? -1 : mst_os_process_watch(peer->pid);

    watches->held[rank] = mst_os_hold_watch(fd, peer->pid);
    if (fd == -ESRCH || (fd >= 0 && is_another(peer)))
        watches->gone = rank;
}

void mst_mpi_watches_open(mst_mpi_watches *watches, const mst_mpi_job *job)
{
    size_t count = job->peers ? (size_t)job->seat.size : 0;

    *watches = (mst_mpi_watches){ .job = job, .gone = -1 };
    watches->held = count ? calloc(count, sizeof *watches->held) : NULL;
    watches->fired = count ? calloc(count, sizeof *watches->fired) : NULL;
    if (watches->held && watches->fired)
        for (int rank = 0; rank < job->seat.size; rank++)
            watch(watches, rank);
    else
        mst_mpi_watches_close(watches);
}

bool mst_mpi_watches_see_one_gone(mst_mpi_watches *watches)
{
    int size = watches->job->seat.size;

    if (watches->gone >= 0 || !watches->held)
        return watches->gone >= 0;
    mst_os_process_poll(watches->held, (size_t)size, watches->fired);
    for (int rank = 0; rank < size && watches->gone < 0; rank++) {
        bool blind = watches->held[rank].fd < 0 && rank != watches->job->seat.rank;

        if (watches->fired[rank] || (blind && is_another(&watches->job->peers[rank])))
            watches->gone = rank;
    }
    return watches->gone >= 0;
}

void mst_mpi_watches_close(mst_mpi_watches *watches)
{
    for (int rank = 0; watches->held && rank < watches->job->seat.size; rank++)
        mst_os_held_close(&watches->held[rank]);
    free(watches->held);
    free(watches->fired);
    watches->held = NULL;
    watches->fired = NULL;
}
