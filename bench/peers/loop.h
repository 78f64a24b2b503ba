/*
 * The measuring loop that all contenders of bench/compare share, so that only the calls differ.
 *
 * A contender fills in a `peer` and calls loop_main(). For every size: buffers, a check of one result,
 * warm-up, then batches of operations timed after a barrier, each batch some 20 us or one operation.
 * Rank 0 prints one line per size: collective, bytes, median, p99 and mean in us (the largest of any
 * rank's), wrong elements.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peer {
    int rank, size;
    void (*barrier)(void);
    double (*max)(double value); /* over all ranks */
    /* `bytes` as nccl-tests count them: of the whole vector. NULL: not offered by this contender. */
    void (*all_reduce)(const float *in, float *out, size_t count);
    void (*all_gather)(const float *in, float *out, size_t count_per_rank);
    void (*reduce_scatter)(const float *in, float *out, size_t count_per_rank);
    void (*broadcast)(float *buffer, size_t count);
    void (*ping_pong)(float *buffer, size_t count); /* there and back; the time is halved */
    float *(*allocate)(size_t bytes);               /* NULL: malloc */
    void (*release)(float *buffer);
} peer;

/* argv: collective, smallest bytes, largest bytes, factor, seconds per size. Returns the exit status. */
int loop_main(const peer *peer, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
