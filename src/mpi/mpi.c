/*
 * The backend "mpi": an MPI's launcher has started the ranks, and a plug-in for that MPI says who they are
 * (find.h). It only attaches: its worlds are those of src/onehost, or, with ranks on several hosts, those of
 * src/hosts, over frames that the plug-in moves. On one host nothing is slower after muster_init, and one
 * thing is missing: threads that MPI has started count as the program's, so deadlocks are found with
 * MUSTER_ONE_THREAD only. Where no such launcher is, the world is that of one process.
 *
 * The job is state of the process, as MPI is: it begins once, and has to be ended when the process ends, or
 * when the program ends MPI itself.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/base/layout.h"
#include "shm/port/os.h"
#include "src/backend.h"
#include "src/hosts/carried.h"
#include "src/hosts/hosts.h"
#include "src/hosts/pretended.h"
#include "src/mpi/end.h"
#include "src/mpi/find.h"
#include "src/mpi/job.h"
#include "src/mpi/view.h"
#include "src/mpi/wireup.h"
#include "src/onehost/attach.h"
#include "src/pure/config.h"

static mst_mpi_job job;
static bool inherited; /* MPI, from the process that has forked this one, whose rank it is */
static _Thread_local bool inherits;

/* Before each fork: its child cannot tell any more whose MPI it has. A rank that has asked does not ask the
 * loader, whose locks other threads may have. */
static void note_inheritance(void)
{
    inherits = inherited || job.plugin || mst_mpi_program_has_begun();
}

static void inherit(void)
{
    inherited = inherits;
}

static void __attribute__((constructor)) look_after_children(void)
{
    pthread_atfork(note_inheritance, NULL, inherit);
}

/* ---- the end ---- */

/* True: this call is to end the job. */
static bool is_to_end(void)
{
    bool now = job.settled && !job.ended && *job.here;

    job.ended |= now;
    return now;
}

/* In MPI_Finalize, which the program has called, or we. */
static void mpi_ends(void)
{
    if (is_to_end())
        mst_mpi_end(&job, false);
}

static void process_ends(int status, void *unused)
{
    (void)unused;
    if (!is_to_end())
        return;
    if (!job.plugin->is_allowed())
        mst_leave_world(); /* the end that the launcher sees is that of a process that has failed */
    else if (mst_mpi_end(&job, status != 0))
        job.plugin->finalize();
}

static void process_ends_somehow(void)
{
    process_ends(EXIT_SUCCESS, NULL);
}

/* Registered after MPI has begun, so that it comes before what MPI has registered. */
static void watch_the_end(void)
{
    if (mst_os_at_exit(process_ends, NULL) == -ENOSYS)
        atexit(process_ends_somehow);
}

/* ---- attaching ---- */

static muster_status refuse_again(void)
{
    if (inherited || !*job.here)
        return mst_fail(MUSTER_ERR_FORKED,
                        "this process was forked by a rank that MPI has started and is not a rank itself");
    return mst_fail(MUSTER_ERR_UNAVAILABLE,
                    "this process has asked MPI for its ranks already; a rank attaches once");
}

static muster_status begin(void)
{
    const mst_plugin *plugin;
    char why[MST_PLUGIN_WHY_BYTES];

    muster_status status = mst_plugin_load(&plugin);
    if (status == MUSTER_OK && !job.here)
        job.here = mst_os_fork_mark_create();
    if (status == MUSTER_OK && !job.here)
        status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for the world");
    mst_os_keep_code(&job); /* MPI and the C library will call it at the end */
    if (status == MUSTER_OK && !plugin->begin(mpi_ends, why))
        status = mst_fail(MUSTER_ERR_UNAVAILABLE, "%s cannot begin: %s", plugin->mpi, why);
    if (status != MUSTER_OK)
        return status;
    job.plugin = plugin;
    watch_the_end();
    return MUSTER_OK;
}

/* `mine`: whether this rank can attach, as far as it knows. */
static muster_status ask(const muster_config *config, muster_status mine, int *fd)
{
    mst_error_copy error;

    mst_error_keep(&error);
    muster_status status = inherited || job.plugin ? refuse_again() : begin();
    if (status != MUSTER_OK)
        return status;
    if (mine != MUSTER_OK)
        mst_error_again(&error);
    status = mst_mpi_wire_up(&job, config, mine, fd);
    job.log = (mst_log){ .level = config->log ? MUSTER_LOG_OFF : config->log_level, .rank = job.seat.rank };
    job.settled = true;
    return status;
}

static muster_status check(const muster_config *config)
{
    const char *pretended = mst_config_fake_hosts();
    int host;

    if (pretended && !mst_pretended_host(pretended, 0, 1, &host))
        return mst_pretended_refuse(pretended);
    return mst_group_check(config);
}

/* The ranks of this host. */
static muster_status attach_here(const muster_config *config, void *arena, muster_group **whole)
{
    muster_config inner = *config;

    inner.arena = arena;
    inner.rank = job.place;
    inner.size = job.neighbours;
    return mst_backend_onehost.attach(&inner, whole);
}

static muster_status make_link(const muster_group *like, void *arena, mst_link **link)
{
    muster_group *bytes;

    (void)arena;
    muster_status status = mst_wire_whole(job.wire, like, &bytes);
    return status == MUSTER_OK ? mst_carried_link(bytes, true, true, link) : status;
}

static muster_status attach(const muster_config *config, muster_group **world)
{
    muster_config inner = *config;
    char arena[20];
    int fd;

    if (!mst_mpi_is_begun())
        return mst_backend_onehost.attach(config, world);
    muster_status status = ask(config, check(config), &fd);
    if (status != MUSTER_OK)
        return status;
    snprintf(arena, sizeof arena, "fd:%d", fd);
    inner.arena = arena;
    inner.rank = job.seat.rank;
    inner.size = job.seat.size;
    if (job.wire)
        status = mst_hosts_attach_by(
            &inner,
            &(mst_hosts_way){
                .attach_whole = attach_here, .make_link = make_link, .machine = job.host, .arg = arena },
            world);
    else
        status = mst_backend_onehost.attach(&inner, world);
    if (status != MUSTER_OK) {
        job.abandoned = true; /* the others wait for this rank in theirs */
        mst_os_close(fd);     /* else it stays, for muster inspect */
    }
    return status;
}

static void decline(const muster_config *config)
{
    mst_error_copy error;
    int fd;

    mst_error_keep(&error);
    if (mst_mpi_is_begun() && !job.plugin)
        ask(config, error.parts.status, &fd);
    mst_error_again(&error);
}

static bool has_asked(void)
{
    return job.plugin && *job.here;
}

static void adopt(muster_group *world, const muster_config *config)
{
    mst_backend_onehost.adopt(world, config);
}

static const unsigned char *mark_process(void)
{
    return mst_backend_onehost.mark_process();
}

bool mst_mpi_is_refused(void)
{
    return job.settled && !job.abandoned;
}

bool mst_mpi_look(mst_mpi_view *view)
{
    if (!job.where)
        return false;
    *view = (mst_mpi_view){ .hosts = job.hosts, .host = job.host, .where = (const char *const *)job.where };
    static_assert(sizeof view->version == MST_PLUGIN_TEXT_BYTES, "the plug-in's texts fit");
    job.plugin->describe(view->version, view->transport);
    return true;
}

/* The rest is that of the groups' own table. */
const mst_backend mst_backend_mpi = {
    .name = "mpi",
    .ranks_max = MST_RANKS_MAX,
    .is_there = mst_plugin_is_there,
    .is_started = mst_mpi_is_begun,
    .attach = attach,
    .decline = decline,
    .has_asked = has_asked,
    .adopt = adopt,
    .mark_process = mark_process,
};
