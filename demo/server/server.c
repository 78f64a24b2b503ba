/*
 * An inference server on one machine: generates text with the model that demo/train saves.
 *
 *     muster run -n 4 -- train --save model.bin
 *     muster run -n 4 --on-failure respawn -- server model.bin
 *
 * Each rank has a part of the hidden units. A step makes one byte for each text that is being generated: rank
 * 0 broadcasts what the bytes come after, each rank computes what its units add to the logits, one all_sum of
 * an arena buffer puts the parts together. Rank 0 speaks HTTP (http.c) beside it; the others sleep in the
 * broadcast while there is nothing to do.
 *
 * When a rank dies, the step fails on all others; they make a group with its replacement, or without, cut the
 * model anew, and take the step again: nothing is lost but time. When rank 0 dies, texts that it was sending
 * are cut short, and whoever is rank 0 then listens.
 */
#define _GNU_SOURCE
#include <muster/muster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "metrics.h"

/* What a step is about, from rank 0 to all. */
typedef struct step {
    int32_t rows; /* 0: the server stops */
    unsigned char contexts[GENERATION_ROWS_MAX * MODEL_CONTEXT_MAX];
} step;

typedef struct server {
    muster_group *group;
    model model;
    shard shard;
    step *step;    /* arena buffers */
    int32_t *sums; /* GENERATION_ROWS_MAX x values */
    queue queue;
    const char *address;
    int port;
    int drain_s; /* how long texts may go on that are being made when the server is asked to stop */
    bool listening;
    bool regrouped;
    generation *taken[GENERATION_ROWS_MAX];
    int taken_count; /* of a step that is not done yet */
} server;

/* ---- signals: a thread takes them; rank 0 finishes its texts and then stops the others, too ---- */

static sigset_t signals_that_end(void)
{
    sigset_t taken;

    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    return taken;
}

/* The first one: no new texts. A second one, or the time is up: those that are being made end, too. */
static void *take_signals(void *arg)
{
    server *server = arg;
    sigset_t taken = signals_that_end();
    struct timespec patience = { .tv_sec = server->drain_s };
    int signal;

    sigwait(&taken, &signal);
    queue_drain(&server->queue);
    sigtimedwait(&taken, NULL, &patience);
    queue_stop(&server->queue);
    return NULL;
}

/* Before any other thread is there: they inherit the mask. */
static bool start_taking_signals(server *server)
{
    pthread_t thread;
    sigset_t taken = signals_that_end();

    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    signal(SIGPIPE, SIG_IGN);
    return pthread_create(&thread, NULL, take_signals, server) == 0 && pthread_detach(thread) == 0;
}

/* ---- a group ---- */

/* What depends on who belongs to it: this rank's part of the model, and buffers. */
static muster_status settle_in(server *server)
{
    int rank = muster_group_rank(server->group), size = muster_group_size(server->group);
    size_t sums = (size_t)(GENERATION_ROWS_MAX * server->model.values) * sizeof(int32_t);
    void *step, *all;

    muster_status status = muster_alloc(server->group, sizeof(struct step), &step);
    if (status == MUSTER_OK)
        status = muster_alloc(server->group, sums, &all);
    if (status != MUSTER_OK)
        return status;
    server->step = step;
    server->sums = all;
    shard_free(&server->shard);
    if (!shard_cut(&server->shard, &server->model, rank, size))
        return MUSTER_ERR_NO_MEMORY;
    if (rank == 0)
        metrics_group(server->group);
    if (rank == 0 && !server->listening) {
        server->listening =
            http_start(&server->queue, &server->model, server->address, server->port, server->regrouped);
        if (!server->listening)
            return muster_group_abort(server->group, "rank 0 cannot listen"), MUSTER_ERR_ABORTED;
    }
    metrics_set_ready(true);
    return MUSTER_OK;
}

/* With replacements of the lost, where the launcher makes some, or else without them. */
static muster_status regroup(server *server)
{
    muster_group *grown;

    fprintf(stderr, "server: %s\n", muster_error_detail());
    metrics_set_ready(false);
    server->regrouped = true;
    muster_status status = muster_group_grow(server->group, &grown);
    if (status != MUSTER_OK)
        return status;
    muster_group_free(server->group); /* and its buffers */
    server->group = grown;
    if (muster_group_rank(grown) == 0) {
        fprintf(stderr, "server: going on with %d ranks\n", muster_group_size(grown));
        metrics_regrouped();
    }
    return settle_in(server);
}

/* ---- steps ---- */

/* Rank 0: what the next step is about; waits for something to do, unless a step is to be taken again. */
static void choose_step(server *server)
{
    if (server->taken_count == 0)
        server->taken_count =
            queue_take(&server->queue, &server->model, server->taken, server->step->contexts);
    else
        for (int row = 0; row < server->taken_count; row++)
            memcpy(server->step->contexts + row * server->model.context, server->taken[row]->context,
                   (size_t)server->model.context);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): muster_alloc set it */
    server->step->rows = server->taken_count;
}

static muster_status take_step(server *server, bool *stops)
{
    bool first = muster_group_rank(server->group) == 0;

    if (first)
        choose_step(server);
    muster_status status =
        muster_broadcast(server->step, server->step, sizeof(struct step), MUSTER_UINT8, 0, server->group);
    if (status != MUSTER_OK)
        return status;
    int rows = server->step->rows; /* NOLINT(clang-analyzer-core.NullDereference): muster_alloc set it */
    *stops = rows == 0;
    if (*stops)
        return MUSTER_OK;
    shard_apply(&server->shard, &server->model, server->step->contexts, rows, server->sums);
    int64_t began_ns = monotonic_ns();
    status = muster_all_sum(server->sums, server->sums, (size_t)rows * (size_t)server->model.values,
                            MUSTER_INT32, server->group);
    if (status != MUSTER_OK || !first)
        return status;
    metrics_step(rows, monotonic_ns() - began_ns);
    queue_give(&server->queue, &server->model, server->taken, rows, server->sums);
    server->taken_count = 0;
    return MUSTER_OK;
}

static muster_status serve(server *server)
{
    bool stops = false;

    muster_status status = settle_in(server);
    while (status == MUSTER_ERR_PEER_DIED || (status == MUSTER_OK && !stops))
        status = status == MUSTER_OK ? take_step(server, &stops) : regroup(server);
    return status;
}

/* ---- the program ---- */

static int usage(void)
{
    fprintf(stderr, "usage: server [--port N (8080; 0: any)] [--address A (127.0.0.1; :: for all)]\n"
                    "              [--drain SECONDS (30)] [MODEL (model.bin)]\n");
    return 2;
}

static int fail(const char *why)
{
    fprintf(stderr, "server: %s\n", why);
    return 1;
}

/* A whole number from 0 to `most`. */
static bool read_number(const char *text, int most, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    *number = (int)value;
    return *text && !*end && value >= 0 && value <= most;
}

/* Leaves the defaults where nothing is said; false: something makes no sense. */
static bool read_options(server *server, const char **path, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (argv[i][0] != '-') {
            *path = argv[i];
            continue;
        }
        if ((strcmp(argv[i], "--port") == 0 && read_number(value, 65535, &server->port)) ||
            (strcmp(argv[i], "--drain") == 0 && read_number(value, 86400, &server->drain_s)))
            i++;
        else if (strcmp(argv[i], "--address") == 0 && *value)
            server->address = argv[++i];
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static server server = { .queue = QUEUE_INIT, .address = "127.0.0.1", .port = 8080, .drain_s = 30 };
    const char *path = "model.bin";
    char why[300];

    if (!read_options(&server, &path, argc, argv))
        return usage();
    if (!model_open(&server.model, path, why, sizeof why))
        return fail(why);
    if (!start_taking_signals(&server))
        return fail("cannot start a thread");
    if (muster_init(false, NULL, &server.group) != MUSTER_OK)
        return fail(muster_error_detail());
    muster_status status = serve(&server);
    const char *wrong = muster_error_detail();
    queue_stop(&server.queue);
    if (server.listening)
        http_stop();
    if (status != MUSTER_OK)
        return fail(wrong[0] ? wrong : muster_status_string(status));
    shard_free(&server.shard);
    muster_group_free(server.group);
    return 0;
}
