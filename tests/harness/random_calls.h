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

/* An operation of the program's: a function that does not commute, or a sum of products with a rank's factor.
 */
typedef enum made_op { NOT_MADE, MADE_FUNCTION, MADE_SCALED } made_op;

typedef struct call {
    kind kind;
    muster_dtype dtype;
    muster_op op; /* of a made one each rank's own */
    made_op made;
    int tag;
    bool by_wildcards; /* a message is received from any source, with any tag */
    bool has_gaps;     /* blocks lie apart, the last rank's first */
    size_t count;      /* of each block; of those that vary, the most */
    int root;
    bool in_place;
    bool is_started; /* nonblocking: started, then waited for */
    uint64_t seed;
} call;

#define ELEMENT_BYTES_MAX 100

call draw_call(uint64_t *state, int size);

/* A rank's input, packed. */
void fill_input(const call *c, void *to, size_t count, int rank);

/* Where the blocks of so many elements are in a buffer; returns how many elements that has. */
size_t place_blocks(const call *c, const size_t *counts, int size, size_t *at);

/* Makes the call's operation, or frees it, if it has one that is made. */
muster_status make_op(call *c, int rank);
muster_status free_op(const call *c);

/* Makes the call, or starts it. `numbers`: of 8 ranks each how much this one gives to it, and takes from it,
 * and where that is in the input and the output. */
enum { GIVES = 0, TAKES = 8, IN_AT = 16, OUT_AT = 24, NUMBERS = 32 };
muster_status perform(const call *c, const size_t *numbers, const void *in, void *out, muster_group *group);
bool can_start(const call *c);
muster_status start(const call *c, const size_t *numbers, const void *in, void *out, muster_group *group,
                    muster_request *request);

/* Whether a buffer has a block for each rank. */
bool in_has_all(const call *c);
bool out_has_all(const call *c);

/* Whether the rank has an output. */
bool receives(const call *c, int rank);

/* Elements from one rank to another, and of a rank's buffers. */
size_t elements_between(const call *c, int from, int to);
size_t elements_in(const call *c, int rank, int size);
size_t elements_out(const call *c, int rank, int size);

/* Element `index` of what `rank` should have in its output. */
void expect_element(const call *c, void *const *inputs, int size, int rank, size_t index, void *element);

#endif
