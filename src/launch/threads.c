/* Ranks as threads, for threads.h. A body that returns a failure counts as a rank that exited with it. */
#include "src/launch/threads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/death/successor.h"
#include "shm/death/terminations.h"
#include "src/backend.h"
#include "src/launch/world.h"
#include "src/pure/config.h"

typedef struct team {
    const muster_launch_config *config;
    mst_arena *arena;
    muster_rank_fn fn;
    void *arg;
    _Atomic uint32_t first_failed; /* rank + 1 */
} team;

typedef struct rank_thread {
    team *team;
    int rank;
    int code;
    pthread_t thread;
    char detail[200]; /* why it could not attach */
} rank_thread;

static bool keep(muster_group *group)
{
    (void)group;
    return false;
}

/* The launcher owns the world, as with processes: muster_group_free in a body does nothing. */
static int run_body(rank_thread *self, muster_group *world)
{
    world->released = keep;
    int code = self->team->fn(world, self->team->arg) & 0xff;
    world->released = NULL;
    return code;
}

static void fail(rank_thread *self, int code)
{
    muster_termination termination = { MUSTER_TERMINATION_EXITED, code };

    self->code = code;
    mst_cmpxchg32_sc(&self->team->first_failed, 0, (uint32_t)self->rank + 1);
    mst_termination_record(&self->team->arena->geometry, (uint32_t)self->rank, termination);
    mst_successor_decide(&self->team->arena->geometry, (uint32_t)self->rank, MST_NO_SEAT);
}

static void *rank_main(void *arg)
{
    rank_thread *self = arg;
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    mst_config_from_environment(&config); /* for the timeouts; it does not contain rank and size */
    config.rank = self->rank;
    config.size = self->team->config->size;
    if (self->team->config->op_timeout_ns)
        config.timeout_ns = self->team->config->op_timeout_ns;
    if (mst_world_attach(&config, self->team->arena, &world) != MUSTER_OK) {
        snprintf(self->detail, sizeof self->detail, "%s", muster_error_detail());
        fail(self, 125);
        return NULL;
    }
    int code = run_body(self, world);
    if (code != 0)
        fail(self, code);
    muster_group_free(world);
    return NULL;
}

static void fill_in(const team *team, const rank_thread *threads, muster_report *report)
{
    for (int rank = 0; report->terminations && rank < team->config->size; rank++)
        report->terminations[rank] = (muster_termination){ MUSTER_TERMINATION_EXITED, threads[rank].code };
    report->first_failed = (int)mst_load32_acq(&team->first_failed) - 1;
    if (report->first_failed < 0)
        return;
    const rank_thread *first = &threads[report->first_failed];
    char ended[60];
    report->exit_status = first->code;
    report->first = (muster_termination){ MUSTER_TERMINATION_EXITED, first->code };
    muster_termination_describe(report->first, ended, sizeof ended);
    snprintf(report->summary, sizeof report->summary, "rank %d %s%s", first->rank,
             first->detail[0] ? "could not start: " : ended, first->detail);
}

muster_status mst_launch_threads(const muster_launch_config *config, mst_arena *arena, muster_rank_fn fn,
                                 void *arg, muster_report *report)
{
    team team = { config, arena, fn, arg, 0 };
    rank_thread *threads = calloc((size_t)config->size, sizeof *threads);
    int started = 0;

    if (!threads)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for %d threads", config->size);
    for (; started < config->size; started++) {
        rank_thread *thread = &threads[started];

        thread->team = &team;
        thread->rank = started;
        if (pthread_create(&thread->thread, NULL, rank_main, thread) != 0) {
            fail(thread, 125); /* the others must learn that this one never attaches */
            snprintf(thread->detail, sizeof thread->detail, "no thread could be created");
            break;
        }
    }
    for (int rank = 0; rank < started; rank++)
        pthread_join(threads[rank].thread, NULL);
    fill_in(&team, threads, report);
    free(threads);
    if (report->first_failed >= 0)
        return mst_fail(MUSTER_ERR_PEER_DIED, "%s", report->summary);
    return MUSTER_OK;
}
