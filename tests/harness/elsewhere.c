/* Runs of elsewhere.h. */
#include "tests/harness/elsewhere.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/api/attach.h"
#include "tests/backend/threads.h"
#include "tests/harness/frames.h"

typedef struct rank_thread {
    pthread_t thread;
    muster_config config;
    const mst_backend *backend;
    muster_rank_fn body;
    void *arg;
    int code;
} rank_thread;

const mst_backend *backend_of_test(void)
{
    const char *name = getenv("TEST_BACKEND");

    if (!name || !*name)
        return NULL;
    if (strcmp(name, backend_of_threads.name) == 0)
        return &backend_of_threads;
    if (strcmp(name, mst_backend_hosts.name) == 0) /* as MUSTER_FAKE_HOSTS divides the ranks */
        return &mst_backend_hosts;
    if (strcmp(name, backend_over_frames.name) == 0) /* likewise */
        return &backend_over_frames;
    fprintf(stderr, "TEST_BACKEND is \"%s\"; expected \"%s\", \"%s\" or \"%s\", or leave it unset\n", name,
            backend_of_threads.name, mst_backend_hosts.name, backend_over_frames.name);
    exit(EXIT_FAILURE);
}

/* The world is the harness's: a body that frees it frees nothing. */
static bool keep(muster_group *world)
{
    (void)world;
    return false;
}

static void *rank_main(void *of)
{
    rank_thread *self = of;
    muster_group *world = NULL;

    if (mst_attach_by(self->backend, &self->config, &world) != MUSTER_OK) {
        self->code = rank_failed(__FILE__, __LINE__, NULL, "attaching");
        return NULL;
    }
    if (world->backend != (self->backend == &backend_over_frames ? &mst_backend_hosts : self->backend))
        self->code = rank_failed(__FILE__, __LINE__, world, "a world of another backend");
    world->released = keep;
    if (self->code == 0)
        self->code = self->body(world, self->arg);
    world->released = NULL;
    if (self->code != 0) /* the others are not to wait for it, in whatever group */
        world->backend->leave(world);
    if (muster_group_free(world) != MUSTER_OK && self->code == 0)
        self->code = rank_failed(__FILE__, __LINE__, world, "giving the world back");
    frames_end();
    return NULL;
}

void run_ranks_by(const mst_backend *backend, rank_options options, muster_rank_fn body, void *arg)
{
    rank_thread *ranks = calloc((size_t)options.size, sizeof *ranks);
    char name[64];

    ck_assert_ptr_nonnull(ranks);
    name_of_test(name, sizeof name, backend->name);
    for (int rank = 0; rank < options.size; rank++) {
        rank_thread *one = &ranks[rank];

        *one = (rank_thread){ .config = MUSTER_CONFIG_INIT, .backend = backend, .body = body, .arg = arg };
        one->config.arena = name;
        one->config.rank = rank;
        one->config.size = options.size;
        one->config.timeout_ns = (int64_t)(options.op_timeout_s * 1e9);
        one->config.attach_timeout_ns = -1;
        one->config.threads_multiple = getenv("MUSTER_THREADS_MULTIPLE") != NULL;
        one->config.progress_thread = getenv("MUSTER_PROGRESS_THREAD") != NULL;
        ck_assert_int_eq(pthread_create(&one->thread, NULL, rank_main, one), 0);
    }
    for (int rank = 0; rank < options.size; rank++)
        pthread_join(ranks[rank].thread, NULL);
    for (int rank = 0; rank < options.size; rank++)
        ck_assert_msg(ranks[rank].code == 0, "rank %d of %d by the backend \"%s\" ended with %d", rank,
                      options.size, backend->name, ranks[rank].code);
    free(ranks);
}
