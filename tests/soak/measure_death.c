/*
 * How long after a rank is killed the last survivor has its error. Each round launches ranks, lets one of
 * them end itself while the others wait for it in a barrier, and takes the time from just before the end
 * to the last survivor's return.
 *
 *     measure_death RANKS ROUNDS [MIB-RESIDENT [SIGNAL [hook]]]
 *
 * Prints p50, p99 and the largest, in ms. Which way of learning of it is measured, MUSTER_LIVENESS says.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "muster/muster.h"

typedef struct round {
    size_t resident_bytes;
    int signal;
    bool hook;
    int64_t ended_ns;
    int64_t told_ns[64];
    int wrong; /* survivors that got something else */
} round;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int body(muster_group *world, void *arg)
{
    round *round = arg;
    int rank = muster_group_rank(world), victim = muster_group_size(world) - 1;
    char *memory;

    if (rank == victim && round->resident_bytes) {
        memory = malloc(round->resident_bytes);
        if (!memory)
            return 1;
        memset(memory, 1, round->resident_bytes);
    }
    if (round->hook && muster_report_crashes(world) != MUSTER_OK)
        return 1;
    if (muster_barrier(world) != MUSTER_OK)
        return 1;
    if (rank == victim) {
        usleep(20000); /* so that the others sleep, as they mostly do when a rank dies */
        round->ended_ns = now_ns();
        kill(getpid(), round->signal);
        pause();
    }
    if (muster_barrier(world) != MUSTER_ERR_PEER_DIED)
        round->wrong++;
    round->told_ns[rank] = now_ns();
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int ranks = argc > 1 ? atoi(argv[1]) : 2, rounds = argc > 2 ? atoi(argv[2]) : 100, wrong = 0;
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    round *round = mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double *ms = calloc((size_t)rounds, sizeof *ms);

    if (ranks < 2 || ranks > 64 || rounds < 1 || !ms || round == MAP_FAILED) {
        fprintf(stderr, "usage: measure_death RANKS(2-64) ROUNDS [MIB-RESIDENT [SIGNAL]]\n");
        return 2;
    }
    round->resident_bytes = (size_t)(argc > 3 ? atoi(argv[3]) : 0) << 20;
    round->hook = argc > 5;
    round->signal = argc > 4 ? atoi(argv[4]) : SIGKILL;
    config.size = ranks;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    for (int i = 0; i < rounds; i++) {
        int64_t last_ns = 0;

        muster_launch(&config, body, round, NULL);
        for (int rank = 0; rank < ranks - 1; rank++)
            if (round->told_ns[rank] > last_ns)
                last_ns = round->told_ns[rank];
        ms[i] = (double)(last_ns - round->ended_ns) / 1e6;
        wrong += round->wrong;
        round->wrong = 0;
    }
    qsort(ms, (size_t)rounds, sizeof *ms, by_value);
    printf("%d ranks, %d rounds, %zu MiB resident, signal %d: p50 %.2f ms, p99 %.2f ms, largest %.2f ms, %d "
           "wrong\n",
           ranks, rounds, round->resident_bytes >> 20, round->signal, ms[rounds / 2], ms[rounds * 99 / 100],
           ms[rounds - 1], wrong);
    free(ms);
    return wrong != 0;
}
