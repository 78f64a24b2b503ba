/* Tells, makes and opens, as described in wireup.h. */
#include "src/mpi/wireup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/arena/arena.h"
#include "shm/wait/wait.h"
#include "src/hosts/pretended.h"
#include "src/mpi/find.h"
#include "src/onehost/choice.h"
#include "src/pure/config.h"

#define RECORD_VERSION 3  /* counts what src/wire and src/hosts send, too */
#define RECORD_BYTES 1024 /* the same in all versions */
#define NAP_NS_MIN 20000
#define NAP_NS_MAX MST_NS_PER_MS
#define LOOK_NS (10 * MST_NS_PER_MS)
#define SHARED_BYTES 4096 /* of the decision's page */

/* What a rank tells all. */
typedef union record {
    struct {
        uint32_t version;
        int32_t status; /* of the rank's part of the step */
        char words[320];
        mst_mpi_spot spot;
        mst_mpi_peer process;
        uint64_t cpus[MST_CPUS_MAX / 64];
        mst_os_held arena, shared; /* a host's first rank's */
    } is;
    unsigned char bytes[RECORD_BYTES];
} record;

static_assert(sizeof(record) == RECORD_BYTES, "a record has one size in all versions");

typedef struct wireup {
    mst_mpi_job *job;
    const muster_config *config;
    mst_deadline patience;
    mst_mpi_watches watches;
    record *own, *all; /* in one block, which MPI uses until a step is over */
    mst_mpi_peer *peers;
} wireup;

/* ---- a step ---- */

static muster_status fail_in_mpi(const mst_mpi_job *job, const char *why)
{
    return mst_fail(MUSTER_ERR_SYSTEM, "%s fails: %.180s", job->plugin->mpi, why);
}

static muster_status look(wireup *wireup)
{
    const muster_config *config = wireup->config;

    if (config->interrupt && config->interrupt(config->interrupt_arg))
        return mst_fail(MUSTER_ERR_ABORTED, "this rank was interrupted while it waited for all to attach");
    if (mst_mpi_watches_see_one_gone(&wireup->watches))
        return mst_fail_about(wireup->watches.gone, MUSTER_ERR_PEER_DIED,
                              "rank %d ended before all ranks had attached", wireup->watches.gone);
    return MUSTER_OK;
}

static muster_status fail_late(const mst_mpi_job *job, int64_t limit_ns)
{
    mst_fail(MUSTER_ERR_TIMED_OUT,
             "not all ranks have %s muster_init(\"mpi\") after %.3g s; give them longer with "
             "MUSTER_ATTACH_TIMEOUT, or look for those that are missing or have given up",
             job->seat.size == 0 ? "called" : "gone on in", (double)limit_ns / MST_NS_PER_S);
    mst_error_late(limit_ns);
    return MUSTER_ERR_TIMED_OUT;
}

/* Until what has been started is over. */
static muster_status await(wireup *wireup)
{
    int64_t nap_ns = NAP_NS_MIN, unlooked_ns = 0;
    muster_status status = MUSTER_OK;
    char why[MST_PLUGIN_WHY_BYTES];
    bool over = false;

    while (status == MUSTER_OK) {
        if (!wireup->job->plugin->test(&over, why))
            status = fail_in_mpi(wireup->job, why);
        else if (over)
            return MUSTER_OK;
        else if (mst_deadline_passed(&wireup->patience))
            status = fail_late(wireup->job, wireup->patience.limit_ns);
        else if (unlooked_ns >= LOOK_NS) {
            unlooked_ns = 0;
            status = look(wireup);
        } else {
            mst_wait_nap(&wireup->patience, nap_ns);
            unlooked_ns += nap_ns;
            nap_ns = 2 * nap_ns < NAP_NS_MAX ? 2 * nap_ns : NAP_NS_MAX;
        }
    }
    wireup->job->abandoned = true;
    return status;
}

/* What others have told: whoever has failed first in the order of ranks. */
static muster_status judge(const wireup *wireup, const mst_error_copy *own_error)
{
    for (int rank = 0; rank < wireup->job->seat.size; rank++) {
        record *told = &wireup->all[rank];

        told->is.words[sizeof told->is.words - 1] = '\0';
        told->is.spot.machine[sizeof told->is.spot.machine - 1] = '\0';
        if (told->is.version != RECORD_VERSION || told->is.status < MUSTER_OK ||
            told->is.status > MUSTER_ERR_UNAVAILABLE)
            return mst_fail(MUSTER_ERR_INVALID, "rank %d uses another version of muster; install one on all",
                            rank);
        if (told->is.status == MUSTER_OK)
            continue;
        if (rank == wireup->job->seat.rank)
            return mst_error_again(own_error);
        return mst_fail_about(rank, (muster_status)told->is.status, "rank %d cannot attach: %s", rank,
                              told->is.words);
    }
    return MUSTER_OK;
}

/* Tells all how this rank's part went: succeeds on all ranks, or on none. */
static muster_status step(wireup *wireup, muster_status mine)
{
    record *own = wireup->own;
    char why[MST_PLUGIN_WHY_BYTES];
    mst_error_copy error;

    mst_error_keep(&error);
    own->is.status = (int32_t)mine;
    snprintf(own->is.words, sizeof own->is.words, "%.*s", (int)sizeof own->is.words - 1,
             mine == MUSTER_OK ? "" : error.sentence);
    if (!wireup->job->plugin->exchange(own, wireup->all, sizeof *own, why)) {
        wireup->job->abandoned = true;
        return fail_in_mpi(wireup->job, why);
    }
    muster_status status = await(wireup);
    return status == MUSTER_OK ? judge(wireup, &error) : status;
}

/* ---- who there is ---- */

static muster_status reserve(wireup *wireup)
{
    size_t size = (size_t)wireup->job->seat.size;

    wireup->all = calloc(size + 1, sizeof *wireup->all);
    wireup->peers = calloc(size, sizeof *wireup->peers);
    if (!wireup->all || !wireup->peers)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a list of %zu ranks", size);
    wireup->own = wireup->all + size;
    return MUSTER_OK;
}

static void introduce(wireup *wireup)
{
    const char *pretended = mst_config_fake_hosts();
    const mst_plugin_seat *seat = &wireup->job->seat;
    record *own = wireup->own;
    int host = 0;

    own->is.version = RECORD_VERSION;
    mst_os_machine(own->is.spot.machine, sizeof own->is.spot.machine);
    own->is.spot.pretended =
        pretended && mst_pretended_host(pretended, seat->rank, seat->size, &host) ? 1 + host : 0;
    own->is.process.pid = mst_os_process_id();
    own->is.process.start = mst_os_process_start(own->is.process.pid);
    own->is.arena.fd = own->is.shared.fd = -1;
    mst_os_cpus_allowed(own->is.cpus);
}

/* Who is on which host; false: no memory. */
static bool find_hosts(wireup *wireup)
{
    int size = wireup->job->seat.size;
    mst_mpi_spot *spots = malloc((size_t)size * sizeof *spots);

    for (int rank = 0; spots && rank < size; rank++)
        spots[rank] = wireup->all[rank].is.spot;
    bool found = spots && mst_mpi_place(wireup->job, spots, &wireup->all[0].is.process);
    free(spots);
    return found;
}

static void meet(wireup *wireup)
{
    int own = wireup->job->seat.rank;

    for (int rank = 0; rank < wireup->job->seat.size; rank++)
        if (wireup->job->host[rank] == wireup->job->host[own])
            wireup->peers[rank] = wireup->all[rank].is.process;
    wireup->job->peers = wireup->peers; /* until the process ends */
    mst_mpi_watches_close(&wireup->watches);
    mst_mpi_watches_open(&wireup->watches, wireup->job);
}

/* ---- the arena ---- */

static int first_here(const wireup *wireup)
{
    return wireup->job->host[wireup->job->seat.rank];
}

static bool makes(const wireup *wireup)
{
    return wireup->job->seat.rank == first_here(wireup);
}

/* Of all ranks of this host together: launchers bind each to a part of them. */
static int cpus_of_all(const wireup *wireup)
{
    int count = 0, quota = mst_os_cpu_quota();

    for (int i = 0; i < MST_CPUS_MAX / 64; i++) {
        uint64_t bits = 0;

        for (int rank = 0; rank < wireup->job->seat.size; rank++)
            bits |= wireup->job->host[rank] == first_here(wireup) ? wireup->all[rank].is.cpus[i] : 0;
        count += __builtin_popcountll(bits);
    }
    return count < quota ? count : quota;
}

static muster_status keep(int fd, const char *what, mst_os_held *held)
{
    if (fd < 0)
        return mst_fail_system(fd, what);
    mst_os_close_on_exec(fd);
    *held = mst_os_hold(fd);
    return MUSTER_OK;
}

static muster_status make_arena(wireup *wireup)
{
    mst_choice choice;
    mst_arena_plan plan = { .size = wireup->job->neighbours,
                            .arena_bytes = wireup->config->arena_bytes,
                            .staging_bytes = wireup->config->staging_bytes,
                            .thresholds = &choice.thresholds,
                            .host = wireup->job->shown };
    mst_arena *arena;

    muster_status status = mst_choice_make(&choice);
    if (status == MUSTER_OK)
        status = mst_choice_pages(&plan, cpus_of_all(wireup));
    if (status == MUSTER_OK)
        status = mst_arena_create(&plan, &arena);
    if (status != MUSTER_OK)
        return status;
    status = keep(mst_os_dup_above(arena->held.fd, 3), "cannot duplicate the arena's descriptor",
                  &wireup->own->is.arena);
    mst_arena_close(arena);
    return status;
}

/* The page of the decision at the end. */
static muster_status make_shared(wireup *wireup)
{
    muster_status status =
        keep(mst_os_object_create_anonymous(), "cannot create what ranks share at their end (memfd)",
             &wireup->own->is.shared);
    if (status != MUSTER_OK)
        return status;
    int fd = wireup->own->is.shared.fd, error = mst_os_object_resize(fd, SHARED_BYTES);
    if (error == 0)
        error = mst_os_object_seal(fd);
    return error ? mst_fail_system(error, "cannot size what ranks share at their end") : MUSTER_OK;
}

static muster_status open_of(const wireup *wireup, const mst_os_held *theirs, int *fd)
{
    int32_t pid = wireup->all[first_here(wireup)].is.process.pid;

    *fd = makes(wireup) ? theirs->fd : mst_os_held_open(theirs, pid);
    if (*fd >= 0)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_SYSTEM,
        "cannot open the arena that rank %d has made, in process %d: %s; ranks need one user, one "
        "pid namespace, and /proc",
        first_here(wireup), pid, *fd == -ESTALE ? "it is another process here" : strerror(-*fd));
}

static muster_status map_shared(wireup *wireup)
{
    mst_os_object_info info;
    void *base = NULL;
    int fd;

    muster_status status = open_of(wireup, &wireup->all[first_here(wireup)].is.shared, &fd);
    if (status != MUSTER_OK)
        return status;
    int error = mst_os_object_info_get(fd, &info);
    if (error == 0 && (!info.sealed || info.bytes < SHARED_BYTES))
        error = -EBADF;
    if (error == 0)
        error = mst_os_object_map(fd, SHARED_BYTES, &base);
    if (!makes(wireup))
        mst_os_close(fd); /* whoever made it does after all others have opened it */
    if (error)
        return mst_fail_system(error, "cannot map what ranks share at their end");
    wireup->job->decision = base;
    return MUSTER_OK;
}

static muster_status make(wireup *wireup)
{
    muster_status status = mst_mpi_open_wire(wireup->job, wireup->config);

    if (status == MUSTER_OK && makes(wireup))
        status = make_arena(wireup);
    if (status == MUSTER_OK && makes(wireup))
        status = make_shared(wireup);
    return status;
}

static muster_status open_both(wireup *wireup, int *fd)
{
    muster_status status = open_of(wireup, &wireup->all[first_here(wireup)].is.arena, fd);

    return status == MUSTER_OK ? map_shared(wireup) : status;
}

/* ---- all of it ---- */

static muster_status run_steps(wireup *wireup, muster_status mine, int *fd)
{
    muster_status status = step(wireup, mine);

    if (status != MUSTER_OK)
        return status;
    if (!find_hosts(wireup)) {
        wireup->job->abandoned = true;
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a list of hosts");
    }
    meet(wireup);
    status = step(wireup, make(wireup));
    if (status == MUSTER_OK)
        status = step(wireup, open_both(wireup, fd));
    if (status != MUSTER_OK && !makes(wireup))
        mst_os_close(*fd);
    if (status != MUSTER_OK && makes(wireup))
        mst_os_held_close(&wireup->own->is.arena);
    mst_os_held_close(&wireup->own->is.shared);
    return status;
}

static int64_t limit_of(const muster_config *config)
{
    int64_t limit_ns = config->attach_timeout_ns ? config->attach_timeout_ns : config->timeout_ns;

    return limit_ns > 0 ? limit_ns : 0;
}

/* Ranks come when their program does. That all have come does not say that all are still there: MPI makes the
 * communicator whole by the progress of one that has given up and goes on with its own messages. */
static muster_status find_seat(wireup *wireup)
{
    mst_mpi_job *job = wireup->job;
    char why[MST_PLUGIN_WHY_BYTES];

    muster_status status = await(wireup);
    if (status == MUSTER_OK && !job->plugin->find_seat(&job->seat, why))
        status = fail_in_mpi(job, why);
    if (status == MUSTER_OK)
        status = mst_mpi_check_seat(job);
    if (status == MUSTER_OK)
        status = reserve(wireup);
    job->abandoned = status != MUSTER_OK;
    return status;
}

muster_status mst_mpi_wire_up(mst_mpi_job *job, const muster_config *config, muster_status mine, int *fd)
{
    wireup wireup = { .job = job, .config = config, .patience = { .limit_ns = limit_of(config) } };
    mst_error_copy error;

    *fd = -1;
    mst_error_keep(&error);
    mst_mpi_watches_open(&wireup.watches, job); /* of nobody yet */
    muster_status status = find_seat(&wireup);
    if (status == MUSTER_OK) {
        introduce(&wireup);
        if (mine != MUSTER_OK)
            mst_error_again(&error);
        status = run_steps(&wireup, mine, fd);
    }
    mst_mpi_watches_close(&wireup.watches);
    if (!job->abandoned)
        free(wireup.all);
    if (!job->peers)
        free(wireup.peers);
    return status;
}
