/*
 * muster_init: the world that the environment describes, one per process.
 *
 * This file has process-wide state (operations.c, src/mpi/mpi.c, src/onehost/crash.c and shm/base/chaos.c are
 * the others): the world that muster_init has returned, and to how many callers. The rank leaves the world
 * when the last of them frees it, or, since programs forget, when the process exits in the ordinary way.
 *
 * A forked child inherits this state and is not a rank of that world. muster_init tells it so, unless its
 * environment makes it a rank of another world (as muster.testing does) or of none; then it behaves as in a
 * newly executed process.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/api/attach.h"
#include "src/api/enter.h"
#include "src/api/init.h"
#include "src/pure/config.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static muster_group *memoised;
static const mst_backend *memoised_by; /* the backend that was asked for it */
static int callers;
static bool left;   /* a rank attaches once */
static bool failed; /* it has tried to, for reasons that are in `failure` */
static mst_error_copy failure;
static bool pinned; /* the launcher's: no caller frees it */
static muster_interrupt_fn interrupt;
static void *interrupt_arg;
static struct {
    bool set;
    muster_log_level level;
    muster_log_fn fn;
    void *arg;
} logging;
static bool variables_told;
static const unsigned char *here; /* 1 in the process whose state this is, 0 in its forked children */
static char rank_of[320]; /* the seat that the environment named when this process attached; "": none */

/* When this process was forked, another thread may have been inside muster_init, waiting for ranks. The child
 * does not have that thread, so nobody would unlock. */
static void unlock_in_child(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void __attribute__((constructor)) look_after_children(void)
{
    pthread_atfork(NULL, NULL, unlock_in_child);
}

void muster_set_log(muster_log_level level, muster_log_fn fn, void *arg)
{
    pthread_mutex_lock(&lock);
    logging.set = true;
    logging.level = level;
    logging.fn = fn;
    logging.arg = arg;
    pthread_mutex_unlock(&lock);
}

void muster_set_interrupt(muster_interrupt_fn fn, void *arg)
{
    pthread_mutex_lock(&lock);
    interrupt = fn;
    interrupt_arg = arg;
    pthread_mutex_unlock(&lock);
}

bool muster_is_available(const char *backend)
{
    const mst_backend *found = mst_backend_find(backend);

    return found && (!found->is_there || found->is_there());
}

static bool has_asked(const mst_backend *backend)
{
    return backend && backend->has_asked && backend->has_asked();
}

/* The world's `released` hook: returns whether this was the last caller. */
static bool release(muster_group *group)
{
    bool last;

    pthread_mutex_lock(&lock);
    last = !pinned && memoised == group && --callers == 0;
    if (last) {
        memoised = NULL;
        left = mst_config_launched() || has_asked(memoised_by);
    }
    pthread_mutex_unlock(&lock);
    return last;
}

static void leave_at_exit(void) __attribute__((destructor));

/* A forked child must not leave for its parent. */
void mst_leave_world(void)
{
    if (memoised && *memoised->here)
        memoised->backend->leave(memoised);
}

/* An ordinary end of the program. */
static void leave_at_exit(void)
{
    mst_leave_world();
}

static void name_rank(char text[sizeof rank_of])
{
    const char *arena = getenv("MUSTER_ARENA"), *rank = getenv("MUSTER_RANK");

    text[0] = '\0';
    if (mst_config_launched())
        snprintf(text, sizeof rank_of, "%s of %s", rank ? rank : "", arena ? arena : "");
}

/* The lock is held. Called when the state becomes this process's. */
static muster_status remember(const mst_backend *backend)
{
    if (!here)
        here = backend->mark_process();
    name_rank(rank_of);
    return here ? MUSTER_OK : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for the world");
}

/* The lock is held. The parent's world is not freed: its handles may still be used for rank and size. */
static muster_status forget_the_parent(void)
{
    char rank[sizeof rank_of];

    if (!here || *here)
        return MUSTER_OK;
    name_rank(rank);
    if ((memoised || left) && rank[0] != '\0' && strcmp(rank, rank_of) == 0)
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is not a rank itself");
    memoised = NULL;
    callers = 0;
    left = failed = pinned = false;
    here = NULL;
    return MUSTER_OK;
}

void mst_init_memoise(muster_group *world)
{
    pthread_mutex_lock(&lock);
    here = NULL; /* the launching process's */
    remember(world->backend);
    memoised = world;
    pinned = true;
    world->released = release;
    pthread_mutex_unlock(&lock);
}

const muster_group *mst_init_world(void)
{
    pthread_mutex_lock(&lock);
    const muster_group *world = memoised;
    pthread_mutex_unlock(&lock);
    return world;
}

extern char **environ;

/* Warns of unknown MUSTER_* variables, most likely misspelt, once per process. */
static void log_unknown_variables(const mst_log *log)
{
    for (char **setting = environ; *setting && !variables_told; setting++) {
        char name[64];

        snprintf(name, sizeof name, "%.*s", (int)strcspn(*setting, "="), *setting);
        if (!muster_is_variable(name))
            mst_log_line(log, MUSTER_LOG_WARN,
                         "nobody reads %s; docs/CONFIG.md and muster(1) list the variables", name);
    }
    variables_told = true;
}

/* Each of its ranks would be alone, and most programs would not notice. */
static void log_other_launcher(const muster_group *world)
{
    int size;
    const char *variable = world->size == 1 ? muster_other_launcher(&size) : NULL;

    if (variable)
        mst_log_line(world->log, MUSTER_LOG_WARN,
                     "is alone, though %s says %d ranks: start the program with muster run -n %d -- COMMAND, "
                     "or, if that "
                     "launcher is MPI's, ask muster_init for \"mpi\"",
                     variable, size, size);
}

static muster_status refuse_alone(void)
{
    int size;
    const char *variable = muster_other_launcher(&size);

    if (!variable)
        return mst_fail(MUSTER_ERR_UNAVAILABLE,
                        "this process was not launched as a rank (MUSTER_ARENA is not set) and init is "
                        "strict; start it with muster run -n N -- COMMAND");
    return mst_fail(
        MUSTER_ERR_UNAVAILABLE,
        "this process was not launched as a rank of muster and init is strict; %s is %d, of another "
        "launcher: start it with muster run -n %d -- COMMAND, or, if that one is MPI's, ask muster_init for "
        "\"mpi\"",
        variable, size, size);
}

static bool is_started(const mst_backend *backend)
{
    return backend->is_started && backend->is_started();
}

/* The lock is held. A rank that has asked in vain is not alone: others may know of it. */
static muster_status note_failure(const mst_backend *backend, muster_status status)
{
    if (left || failed || !has_asked(backend))
        return status;
    mst_error_keep(&failure);
    failed = true;
    remember(backend);
    mst_error_again(&failure);
    return status;
}

/* The lock is held. */
static muster_status attach(const mst_backend *backend, bool strict)
{
    muster_config config = MUSTER_CONFIG_INIT;

    if (left)
        return mst_fail(MUSTER_ERR_UNAVAILABLE, "this process has left its world; a rank attaches once");
    if (failed)
        return mst_fail(MUSTER_ERR_UNAVAILABLE,
                        "this process has asked for its ranks once, and failed: %.400s", failure.sentence);
    muster_status status = mst_config_from_environment(&config);
    config.interrupt = interrupt;
    config.interrupt_arg = interrupt_arg;
    if (status != MUSTER_OK) {
        config.attach_timeout_ns = mst_config_attach_limit();
        return note_failure(backend, mst_decline(backend, &config, status));
    }
    if (strict && !config.arena && !is_started(backend))
        return refuse_alone();
    if (logging.set) {
        config.log_level = logging.level;
        config.log = logging.fn;
        config.log_arg = logging.arg;
    }
    status = remember(backend);
    if (status == MUSTER_OK)
        status = mst_attach_by(backend, &config, &memoised);
    if (status == MUSTER_OK) {
        memoised_by = backend;
        memoised->released = release;
        backend->adopt(memoised, &config);
        log_unknown_variables(memoised->log);
        log_other_launcher(memoised);
        return MUSTER_OK;
    }
    return note_failure(backend, status);
}

muster_status muster_init(bool strict, const char *name, muster_group **world)
{
    const mst_backend *backend = mst_backend_find(name);
    muster_status status = mst_check_place(world, "world");

    if (status != MUSTER_OK)
        return status;
    if (!backend)
        return mst_fail(MUSTER_ERR_UNAVAILABLE,
                        "there is no backend \"%.40s\"; expected \"any\", \"shm\" or \"mpi\"", name);
    pthread_mutex_lock(&lock);
    status = forget_the_parent();
    if (status == MUSTER_OK && !memoised)
        status = attach(backend, strict);
    else if (status == MUSTER_OK && is_started(backend) && memoised_by != backend)
        status =
            mst_fail(MUSTER_ERR_UNAVAILABLE,
                     "this process has a world already, and is alone there: the first call of muster_init "
                     "did not ask for \"%s\"",
                     backend->name);
    else if (status == MUSTER_OK && strict && memoised->size == 1 && !mst_config_launched() &&
             !is_started(backend))
        status =
            mst_fail(MUSTER_ERR_UNAVAILABLE, "this process was not launched as a rank and init is strict");
    if (status == MUSTER_OK) {
        callers++;
        *world = memoised;
    }
    pthread_mutex_unlock(&lock);
    return status;
}
