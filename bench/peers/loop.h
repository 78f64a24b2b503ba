/*
 * The measuring loop that all contenders of bench/compare share, so that only the calls differ.
 *
 * A contender fills in a `peer` and calls loop_main(). For every size: buffers, a check of one result,
 * warm-up, then batches of operations timed after a barrier, each batch some 20 us or one operation. Before
 * an operation with an input of 16 KiB or more that is written, outside the measured time. Rank 0 prints one
 * line per size: operation, bytes, median, p99 and mean in us (the largest of any rank's), wrong elements.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LOOP_RANKS_MAX = 1024, LOOP_NEIGHBOURS = 8, LOOP_ANY = -1 };

/*
 * All float32. `bytes` are counted as nccl-tests do: of the whole vector; `count` is of the vector in
 * all_reduce and broadcast, of one message where there are messages, else of one rank's part. barrier has no
 * buffer.
 */
typedef enum loop_operation {
    LOOP_BARRIER,
    LOOP_ALL_REDUCE,
    LOOP_ALL_GATHER,
    LOOP_ALL_GATHERV, /* with a count for each rank, all of them `count`: to be compared with the fixed form
                       */
    LOOP_REDUCE_SCATTER,
    LOOP_BROADCAST, /* of `out`, from rank 0 */
    LOOP_ALL_TO_ALL,
    LOOP_ALL_TO_ALLV,
    LOOP_PING_PONG,        /* `out` from rank 0 to rank 1 and back, with tag 0; the time is halved */
    LOOP_PING_PONG_TAGGED, /* with another tag. Both take turns in loop.c, by `send` and `receive` */
    /* Starts a receive into block i of `out` from the rank loop_neighbour(i, size) before this one, and a
     * send of `in` to the rank as far behind it, each i with a tag of its own; waits for all 16. */
    LOOP_HALO,
    /* Rank 0 receives size - 1 messages from any source with any tag, and sends `in` to each one's source
     * with its tag; the others send `in` to rank 0 with their rank as the tag, and receive the answer. */
    LOOP_FARM,
    /* A whole farm of 10 million tasks per second asked for: rank 0 gives every other rank one, and the next
     * one to whoever sends a result, which it receives from any source. The time is that of one task. In
     * loop.c, by `send` and `receive_any`. */
    LOOP_TASKS,
    LOOP_OPERATIONS
} loop_operation;

/* With fewer ranks than neighbours some of them are the same one, but none is this rank. */
static inline int loop_neighbour(int i, int size)
{
    return 1 + i % (size - 1);
}

typedef void loop_call(const float *in, float *out, size_t count);

/* One blocking message of the vector to that rank, or from it. */
typedef void loop_message(float *buffer, size_t count, int other, int tag);

/* One of any tag, from that rank or LOOP_ANY. Returns the source, and its tag in *tag. */
typedef int loop_any_message(float *buffer, size_t count, int source, int *tag);

typedef struct peer {
    int rank, size;
    double (*max)(double value);      /* over all ranks */
    loop_call *call[LOOP_OPERATIONS]; /* NULL: not offered by this contender; it has a barrier at least */
    loop_message *send, *receive;     /* NULL: no messages */
    loop_any_message *receive_any;    /* NULL: none of any tag */
    bool tags;                        /* messages with and without a tag are different calls, or paths */
    float *(*allocate)(size_t bytes); /* NULL: malloc */
    void (*release)(float *buffer);
} peer;

/*
 * argv: operations with commas between them, smallest bytes, largest bytes, factor, seconds per size. Passes
 * over operations that the contender does not offer. Returns the exit status: 2 when it offers none of them.
 */
int loop_main(const peer *peer, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
