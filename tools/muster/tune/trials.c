/* Runs the trials of trials.h. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, setenv */
#include "tools/muster/tune/trials.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define K(n) ((size_t)(n) << 10)
#define M(n) ((size_t)(n) << 20)
#define GAIN_MIN 0.03
#define ROUNDS_MIN 4
#define ROUNDS_MAX 200
#define BATCH_BYTES K(256) /* of a turn, and at most so many operations: */
#define BATCH_MAX 32
#define WARM_UP_BYTES M(4)       /* before the first turn, so that store policies have measured */
#define ARENA_BYTES M(1024)      /* of address space, since there are many arenas */
#define TIMEOUT_NS 60000000000LL /* of a trial: something has gone wrong */

#define WHOLE(ranks_max, ranks, ...)                                                                         \
    {                                                                                                        \
#ranks_max, ranks, TRIAL_SUM, false,                                                                 \
            { K(1), K(2), K(4), K(8), K(16), K(32), K(64) }, __VA_ARGS__, ""                                 \
    }
#define WHOLE_VALUES                                                                                         \
    {                                                                                                        \
        "1k", "2k", "4k", "8k", "16k", "32k", "never"                                                        \
    }

/* What is not here: nontemporal_*, which store policies find out while ranks run, and again when the kernel
 * moves them. */
static const trial trials[] = {
    { "payload_bytes_max", 2, TRIAL_SUM, false, { 32, 64, 80, 96, 112 }, { "16", "48", "112" }, "" },
    { "whole_bytes_max_2",
      2,
      TRIAL_SUM,
      false,
      { K(16), K(64), K(256), M(1), M(4) },
      { "4k", "16k", "64k", "256k", "1M", "never" },
      "" },
    WHOLE(whole_bytes_max_3, 3, WHOLE_VALUES),
    WHOLE(whole_bytes_max_4, 4, WHOLE_VALUES),
    WHOLE(whole_bytes_max_8, 8, WHOLE_VALUES),
    WHOLE(whole_bytes_max_16, 16, WHOLE_VALUES),
    WHOLE(whole_bytes_max_more, 32, WHOLE_VALUES),
    { "view_bytes_min",
      2,
      TRIAL_SUM,
      true,
      { K(4), K(8), K(16), K(32), K(64) },
      { "4k", "8k", "16k", "32k", "64k", "128k" },
      "" },
    { "round_bytes_min",
      2,
      TRIAL_BROADCAST,
      false,
      { K(64), K(128), K(256), K(512), M(1), M(4) },
      { "16k", "32k", "64k", "128k", "256k", "512k" },
      "" },
    { "one_copy_bytes_min",
      2,
      TRIAL_GATHER,
      false,
      { K(16), K(64), K(256), M(1), M(4) },
      { "16k", "64k", "256k", "1M", "never" },
      "" },
    { "libc_copy_bytes_min",
      2,
      TRIAL_GATHER,
      false,
      { K(4), K(8), K(16), K(32), K(64), K(256), M(1) },
      { "2k", "8k", "32k", "128k", "never" },
      ",nontemporal_bytes_min=never" },
    { "stream_bytes_min",
      2,
      TRIAL_GATHER,
      false,
      { K(512), M(1), M(2), M(4), M(8) },
      { "1M", "2M", "4M", "8M", "16M", "never" },
      "" },
};

const trial *trial_at(int index)
{
    return index >= 0 && (size_t)index < sizeof trials / sizeof trials[0] ? &trials[index] : NULL;
}

/* ---- in a rank ---- */

typedef struct task {
    const trial *trial;
    const char *values[TRIAL_VALUES_MAX];
    int value_count, size_count;
    double seconds;
    trial_result *result; /* shared; rank 0 writes */
    int launcher;
} task;

/* One world, and its buffers. */
typedef struct place {
    muster_group *group;
    void *in, *out;
} place;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t bytes_max(const task *task)
{
    return task->trial->sizes[task->size_count - 1];
}

/* The first of the ranks to come creates the arena: with this rank's MUSTER_TUNING, as all have it. */
static bool enter(muster_group *world, const task *task, int value, place *place)
{
    muster_config config = MUSTER_CONFIG_INIT;
    char name[80], tuning[200];
    size_t out_bytes = bytes_max(task) * (size_t)task->trial->ranks;

    snprintf(tuning, sizeof tuning, "none,%s=%s%s", task->trial->name, task->values[value],
             task->trial->with);
    setenv("MUSTER_TUNING", tuning, 1);
    snprintf(name, sizeof name, "/muster-tune-%d-%d", task->launcher, value);
    config.arena = name;
    config.rank = muster_group_rank(world);
    config.size = muster_group_size(world);
    config.arena_bytes = ARENA_BYTES;
    if (muster_attach(&config, &place->group) != MUSTER_OK)
        return false;
    if (task->trial->in_arena)
        return muster_alloc(place->group, bytes_max(task), &place->in) == MUSTER_OK &&
               muster_alloc(place->group, out_bytes, &place->out) == MUSTER_OK;
    return posix_memalign(&place->in, 4096, bytes_max(task)) == 0 &&
           posix_memalign(&place->out, 4096, out_bytes) == 0;
}

static muster_status operate(const task *task, const place *place, size_t bytes)
{
    size_t count = bytes / sizeof(float);

    switch (task->trial->operation) {
    case TRIAL_SUM:
        return muster_all_sum(place->in, place->out, count, MUSTER_FLOAT32, place->group);
    case TRIAL_GATHER:
        return muster_all_gather(place->in, place->out, count, MUSTER_FLOAT32, place->group);
    default:
        return muster_broadcast(place->in, place->out, count, MUSTER_FLOAT32, 0, place->group);
    }
}

/* The input is written before each operation, as a program would: lines that nobody has written since the
 * last time may still be in the caches of the peers that read them then. */
static bool turn(const task *task, const place *place, size_t bytes, size_t operations, double *us)
{
    double s = 0;

    if (muster_barrier(place->group) != MUSTER_OK || operate(task, place, bytes) != MUSTER_OK)
        return false;
    for (size_t i = 0; i < operations; i++) {
        memset(place->in, 0, bytes);
        s -= now_s();
        if (operate(task, place, bytes) != MUSTER_OK)
            return false;
        s += now_s();
    }
    *us = s * 1e6 / (double)operations;
    return true;
}

static size_t operations_of(size_t bytes, size_t all_bytes, size_t most)
{
    size_t operations = all_bytes / bytes + 1;

    return operations < most ? operations : most;
}

/* Whoever measures for a moment only (a test) does not warm up for longer than that. */
static size_t warm_up_bytes(const task *task)
{
    return task->seconds < 0.5 ? (size_t)(WARM_UP_BYTES * task->seconds) : WARM_UP_BYTES;
}

/* All worlds at all sizes, once. */
static bool run_round(const task *task, const place *places, int round)
{
    double us;

    for (int size = 0; size < task->size_count; size++)
        for (int value = 0; value < task->value_count; value++) {
            size_t bytes = task->trial->sizes[size];
            double *least = &task->result->us[round & 1][value][size];

            if (round == 0 &&
                !turn(task, &places[value], bytes, operations_of(bytes, warm_up_bytes(task), 1000), &us))
                return false;
            if (!turn(task, &places[value], bytes, operations_of(bytes, BATCH_BYTES, BATCH_MAX), &us))
                return false;
            if (muster_group_rank(places[value].group) == 0 && (round < 2 || us < *least))
                *least = us;
        }
    return true;
}

static int give_up(void)
{
    fprintf(stderr, "muster tune: %s\n", muster_error_detail());
    return 1;
}

static int be_rank(muster_group *world, void *arg)
{
    const task *task = arg;
    place places[TRIAL_VALUES_MAX];
    double ends = now_s() + task->seconds;

    for (int value = 0; value < task->value_count; value++) {
        if (!enter(world, task, value, &places[value]))
            return give_up();
        memset(places[value].in, 0, bytes_max(task)); /* sums stay sums */
        memset(places[value].out, 0, bytes_max(task) * (size_t)task->trial->ranks);
    }
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int32_t over = round >= ROUNDS_MIN && now_s() > ends;

        if (muster_all_max(&over, &over, 1, MUSTER_INT32, world) != MUSTER_OK)
            return give_up();
        if (over)
            break;
        if (!run_round(task, places, round))
            return give_up();
    }
    return 0; /* the end of the process frees all */
}

/* ---- the launcher ---- */

/* Of a value, over all sizes: the logarithm of the time. */
static double cost(const task *task, int half, int value)
{
    double sum = 0;

    for (int size = 0; size < task->size_count; size++)
        sum += log(task->result->us[half][value][size]);
    return sum / task->size_count;
}

/* What the less favourable half says: the part of the time that the value saves. */
static double gain_of(const task *task, int value)
{
    double least = 1;

    for (int half = 0; half < 2; half++)
        least = fmin(least, 1 - exp(cost(task, half, value) - cost(task, half, 0)));
    return least;
}

static void decide(const task *task, trial_result *result)
{
    int best = 0;

    for (int value = 1; value < task->value_count; value++)
        if (gain_of(task, value) >= GAIN_MIN && gain_of(task, value) > gain_of(task, best))
            best = value;
    *result = *task->result;
    result->gain = gain_of(task, best);
    snprintf(result->value, sizeof result->value, "%s", task->values[best]);
}

muster_status trial_run(const trial *trial, const char *known, double seconds, trial_result *result)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    task task = {
        .trial = trial, .values = { known }, .value_count = 1, .seconds = seconds, .launcher = (int)getpid()
    };

    for (int i = 0; i < TRIAL_VALUES_MAX - 1 && trial->values[i]; i++)
        if (strcmp(trial->values[i], known) != 0)
            task.values[task.value_count++] = trial->values[i];
    while (task.size_count < TRIAL_SIZES_MAX && trial->sizes[task.size_count])
        task.size_count++;
    task.result = mmap(NULL, sizeof *task.result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (task.result == MAP_FAILED)
        return MUSTER_ERR_NO_MEMORY;
    config.size = trial->ranks;
    config.timeout_ns = TIMEOUT_NS;
    fflush(stdout);
    muster_status status = muster_launch(&config, be_rank, &task, &report);
    if (status == MUSTER_OK)
        decide(&task, result);
    munmap(task.result, sizeof *task.result);
    return status;
}
