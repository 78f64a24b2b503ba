/* Random collectives, and what each rank should have of them: plain code that shares nothing with the
 * library. */
#ifndef TEST_RANDOM_CALLS_H
#define TEST_RANDOM_CALLS_H

#include "tests/harness/oracle.h"

typedef enum kind {
    /* clang-format off */
    ALL_REDUCE, ALL_GATHER, REDUCE_SCATTER, BROADCAST, REDUCE, GATHER, SCATTER, ALL_TO_ALL, SENDRECV, SCAN, EXSCAN,
    ALL_GATHERV, GATHERV, SCATTERV, ALL_TO_ALLV, REDUCE_SCATTERV, KINDS
    /* clang-format on */
} kind;

typedef struct call {
    kind kind;
    muster_dtype dtype;
    muster_op op;
    size_t count; /* of each block; of those that vary, the most */
    int root;
    bool in_place;
    bool is_started; /* nonblocking: started, then waited for */
    uint64_t seed;
} call;

call draw_call(uint64_t *state, int size);

/* Whether a buffer has a block for each rank. */
bool in_has_all(const call *c);
bool out_has_all(const call *c);

/* Whether the rank has an output. */
bool receives(const call *c, int rank);

/* Elements from one rank to another, and of a rank's buffers. */
size_t elements_between(const call *c, int from, int to);
size_t elements_in(const call *c, int rank, int size);
size_t elements_out(const call *c, int rank, int size);

/* Where in the buffer with a block for each rank that of `rank` begins, in elements. */
size_t place_of_block(const call *c, int rank);

/* Element `index` of what `rank` should have in its output. */
void expect_element(const call *c, void *const *inputs, int size, int rank, size_t index, void *element);

#endif
