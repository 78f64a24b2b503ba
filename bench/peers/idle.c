/*
 * What waiting costs: two ranks of muster, of which one comes to each barrier many milliseconds late. Prints
 * how long the other one waited each time, how much CPU time it spent on that, and how long after the late
 * one had come it went on, as median and worst; all in us.
 */
#define _POSIX_C_SOURCE 200809L
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TURNS = 41, LATE_NS = 50000000 };

static muster_group *world;

static void must(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "muster: %s\n", muster_error_detail());
    exit(1);
}

static double now_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    const struct timespec late = { 0, LATE_NS };
    double wakes[TURNS], came_us, waited_us = 0, used_us = 0;

    must(muster_init(true, NULL, &world));
    int rank = muster_group_rank(world);
    for (int i = 0; i < TURNS; i++) {
        must(muster_barrier(world));
        if (rank == 1)
            nanosleep(&late, NULL);
        double began_us = came_us = now_us(CLOCK_MONOTONIC), began_used_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
        must(muster_barrier(world));
        double woke_us = now_us(CLOCK_MONOTONIC);
        waited_us += woke_us - began_us;
        used_us += now_us(CLOCK_PROCESS_CPUTIME_ID) - began_used_us;
        must(muster_broadcast(&came_us, &came_us, 1, MUSTER_FLOAT64, 1, world));
        wakes[i] = woke_us - came_us;
    }
    if (rank == 0) {
        qsort(wakes, TURNS, sizeof wakes[0], compare);
        printf("%.0f %.0f %.1f %.1f\n", waited_us / TURNS, used_us / TURNS, wakes[TURNS / 2],
               wakes[TURNS - 1]);
    }
    must(muster_group_free(world));
    return 0;
}
