/*
 * How long a shrink takes. Each round launches ranks that die one after another; after each death the
 * survivors shrink, and the slowest one's time counts, from entering shrink to having the new group.
 *
 *     measure_shrink RANKS ROUNDS
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "muster/muster.h"

#define RANKS_MAX 64

typedef struct round {
    int64_t entered_ns[RANKS_MAX], formed_ns[RANKS_MAX]; /* by death; the last to enter, the last to leave */
    int wrong;
} round;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void raise_to(int64_t *at, int64_t value)
{
    int64_t seen = __atomic_load_n(at, __ATOMIC_RELAXED);

    while (seen < value &&
           !__atomic_compare_exchange_n(at, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static int body(muster_group *world, void *arg)
{
    round *round = arg;
    muster_group *group = world, *smaller;

    for (int death = 0; muster_group_size(group) > 1; death++) {
        if (muster_group_rank(group) == 0)
            raise(SIGKILL);
        if (muster_barrier(group) != MUSTER_ERR_PEER_DIED)
            round->wrong++;
        raise_to(&round->entered_ns[death], now_ns());
        if (muster_group_shrink(group, &smaller) != MUSTER_OK)
            return 1;
        raise_to(&round->formed_ns[death], now_ns());
        if (muster_group_size(smaller) != muster_group_size(group) - 1)
            round->wrong++;
        if (group != world)
            muster_group_free(group);
        group = smaller;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int ranks = argc > 1 ? atoi(argv[1]) : 8, rounds = argc > 2 ? atoi(argv[2]) : 10, wrong = 0, count = 0;
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    round *round = mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double *ms = calloc((size_t)rounds * RANKS_MAX, sizeof *ms);

    if (ranks < 2 || ranks > RANKS_MAX || rounds < 1 || !ms || round == MAP_FAILED) {
        fprintf(stderr, "usage: measure_shrink RANKS(2-64) ROUNDS\n");
        return 2;
    }
    config.size = ranks;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    for (int i = 0; i < rounds; i++) {
        *round = (struct round){ .wrong = 0 };
        muster_launch(&config, body, round, NULL);
        for (int death = 0; death < ranks - 1; death++) {
            wrong += round->formed_ns[death] == 0; /* nobody got that far */
            ms[count++] = (double)(round->formed_ns[death] - round->entered_ns[death]) / 1e6;
        }
        wrong += round->wrong;
    }
    qsort(ms, (size_t)count, sizeof *ms, by_value);
    printf("%d ranks until one is left, %d rounds, %d shrinks: p50 %.2f ms, p99 %.2f ms, largest %.2f ms, %d "
           "wrong\n",
           ranks, rounds, count, ms[count / 2], ms[count * 99 / 100], ms[count - 1], wrong);
    free(ms);
    return wrong != 0;
}
