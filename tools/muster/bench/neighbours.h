/* Other busy processes for `muster bench --neighbours`: what a compiler or another server on the machine does
 * to the ranks. */
#ifndef MUSTER_BENCH_NEIGHBOURS_H
#define MUSTER_BENCH_NEIGHBOURS_H

#include <stdbool.h>

/* Starts so many processes on each CPU that this one may use; false: could not, errno says why. They end with
 * this process, whatever ends it. */
bool bench_neighbours_start(int per_cpu);
void bench_neighbours_stop(void);

#endif
