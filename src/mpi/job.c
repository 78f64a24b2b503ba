/* Where the ranks of a job are, and which of their processes are gone, for job.h. */
#include "src/mpi/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/plain.h"
#include "src/hosts/hosts.h"
#include "src/mpi/find.h"

#define WHERE_BYTES 72

muster_status mst_mpi_check_seat(const mst_mpi_job *job)
{
    const mst_plugin_seat *seat = &job->seat;

    if (seat->rank < 0 || seat->rank >= seat->size)
        return mst_fail(MUSTER_ERR_SYSTEM, "%s says that this is rank %d of %d", job->plugin->mpi, seat->rank,
                        seat->size);
    return seat->size == 1 ? mst_plugin_refuse_alone(job->plugin) : MUSTER_OK;
}

static bool are_together(const mst_mpi_spot *one, const mst_mpi_spot *other)
{
    return memcmp(one->machine, other->machine, sizeof one->machine) == 0 &&
           one->pretended == other->pretended;
}

/* "host b", or, where hosts are pretended to differ, "pretended host 1"; NULL: no memory. */
static char *describe(const mst_mpi_spot *spot, bool pretends)
{
    char *text = malloc(WHERE_BYTES);

    if (text && pretends && spot->pretended > 0)
        snprintf(text, WHERE_BYTES, "pretended host %d", spot->pretended - 1);
    else if (text)
        snprintf(text, WHERE_BYTES, "host %.*s", (int)strcspn(spot->machine, " "), spot->machine);
    return text;
}

static bool describe_each(mst_mpi_job *job, const mst_mpi_spot *spots)
{
    bool pretends = false;

    job->where = calloc((size_t)job->seat.size, sizeof *job->where);
    for (int rank = 1; rank < job->seat.size; rank++)
        pretends |= spots[rank].pretended != spots[0].pretended;
    for (int rank = 0; job->where && rank < job->seat.size; rank++) {
        bool first = job->host[rank] == rank;

        job->where[rank] = first ? describe(&spots[rank], pretends) : job->where[job->host[rank]];
        if (!job->where[rank])
            return false;
        if (first)
            mst_plain_make(job->where[rank]); /* another process has told it */
    }
    return job->where != NULL;
}

/* Of the job, by its first process: no other one has been that, as a rank attaches once. */
static uint64_t number_of(const mst_mpi_spot *spot, const mst_mpi_peer *first)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ first->start; /* FNV-1a */

    for (const char *at = spot->machine; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
    return (hash ^ (uint32_t)first->pid) * 0x100000001b3ULL | 1; /* 0 is none */
}

/* For observers; NULL: no memory. */
static mst_host *show_hosts(const mst_mpi_job *job, uint64_t number)
{
    mst_host *host = calloc(1, sizeof *host);
    uint16_t hosts = 0, here = 0;

    if (!host)
        return NULL;
    host->job = number;
    host->size = (uint32_t)job->seat.size;
    for (int rank = 0; rank < job->seat.size; rank++) {
        if (job->host[rank] == rank) {
            snprintf(host->names[hosts], sizeof host->names[0], "%.*s", (int)sizeof host->names[0] - 1,
                     job->where[rank]);
            host->hosts[rank] = hosts++;
        }
        host->hosts[rank] = host->hosts[job->host[rank]];
        if (job->host[rank] == job->host[job->seat.rank])
            host->ranks[here++] = (uint16_t)rank;
    }
    host->host = host->hosts[job->seat.rank];
    return host;
}

bool mst_mpi_place(mst_mpi_job *job, const mst_mpi_spot *spots, const mst_mpi_peer *origin)
{
    int own = job->seat.rank, size = job->seat.size;

    job->host = calloc((size_t)size, sizeof *job->host);
    if (!job->host)
        return false;
    for (int rank = 0; rank < size; rank++) {
        int first = 0;

        while (!are_together(&spots[first], &spots[rank]))
            first++;
        job->host[rank] = first;
        job->hosts += first == rank;
    }
    for (int rank = 0; rank < size; rank++)
        if (job->host[rank] == job->host[own]) {
            job->place += rank < own;
            job->neighbours++;
        }
    if (!describe_each(job, spots))
        return false;
    job->shown = job->hosts > 1 ? show_hosts(job, number_of(&spots[0], origin)) : NULL;
    return job->hosts == 1 || job->shown;
}

/* Whether MPI can be called by the threads that the config asks for. */
static muster_status check_threads(const mst_mpi_job *job, const muster_config *config)
{
    const char *mpi = job->plugin->mpi;

    if (config->progress_thread && !job->plugin->serves_threads(true))
        return mst_fail(
            MUSTER_ERR_UNSUPPORTED,
            "a progress thread (MUSTER_PROGRESS_THREAD, progress_thread) calls %s at any time, and "
            "that does not serve threads beside each other as it was begun: give MPI_Init_thread "
            "MPI_THREAD_MULTIPLE, or leave MPI to muster_init, or do without the thread",
            mpi);
    if (config->threads_multiple && !job->plugin->serves_threads(false))
        return mst_fail(
            MUSTER_ERR_UNSUPPORTED,
            "several threads at once (MUSTER_THREADS_MULTIPLE, threads_multiple) call %s in turn, "
            "and that serves only the main thread as it was begun: give MPI_Init_thread "
            "MPI_THREAD_SERIALIZED or more, or leave MPI to muster_init",
            mpi);
    return MUSTER_OK;
}

muster_status mst_mpi_open_wire(mst_mpi_job *job, const muster_config *config)
{
    if (job->hosts == 1)
        return MUSTER_OK;
    /* Before this rank may be refused: the others wait until they hear by it that nothing more comes. */
    mst_mpi_frames_open(&job->frames, job->plugin, &job->seat, (const char *const *)job->where);
    job->wire = mst_wire_create(&job->frames.base);
    if (!job->wire)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for what reaches other hosts");
    muster_status status = mst_hosts_check(config);
    return status == MUSTER_OK ? check_threads(job, config) : status;
}

/* Whether the number is that process's no longer. */
static bool is_another(const mst_mpi_peer *peer)
{
    return peer->start && mst_os_process_start(peer->pid) != peer->start;
}

static void watch(mst_mpi_watches *watches, int rank)
{
    const mst_mpi_peer *peer = &watches->job->peers[rank];
    bool watched = rank != watches->job->seat.rank && peer->pid;
    int fd = watched ? mst_os_process_watch(peer->pid) : -1;

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
