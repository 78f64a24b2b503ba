/* What limits operations on this machine: the times of a cache line and of a wake-up, and memory's speed. */
#ifndef MUSTER_BENCH_LIMITS_H
#define MUSTER_BENCH_LIMITS_H

/* What this machine can do at best, between two processes; NaN: could not be measured. */
typedef struct bench_limits {
    double ping_ns;      /* a cache line to another CPU, one way */
    double wake_us;      /* a sleeping process woken through a futex, one way */
    double read_gbps[2]; /* by one process, by two */
    double write_gbps[2];
    double copy_gbps[2];    /* bytes read and written */
    double cache_copy_gbps; /* the same within 256 KiB, by one */
    const char *why;        /* why one could not be measured; NULL: all were */
} bench_limits;

bench_limits bench_measure_limits(void);

#endif
