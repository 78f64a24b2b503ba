/* Other busy processes for `muster bench --neighbours`: what a compiler or another server on the machine does
 * to the ranks. */
#ifndef MUSTER_BENCH_NEIGHBOURS_H
#define MUSTER_BENCH_NEIGHBOURS_H

#include <stdbool.h>

/* Starts so many processes on each CPU that this one may use; false: could not, errno says why. They end with
 * this process, whatever ends it. */
bool bench_neighbours_start(int per_cpu);

/* Whether all are still there: one that could not stay on its CPU has ended. */
bool bench_neighbours_are_there(void);

void bench_neighbours_stop(void);

#endif
