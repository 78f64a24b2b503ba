/*
 * Collectives in which each block has a count of its own.
 *
 * No rank knows how much the others stage, yet all must do the same rounds. So each tells in its first
 * arrival, in a mst_varied_head: its balance (src/pure/blocks.h), by which all find out whether their counts
 * agree before any output is written; how long its stream is; and where its input is, if the others read it
 * in the arena. A rank that repeats its latest call says only that: all have its head from that call.
 *
 * A stream is what a rank stages in all rounds together. Its first bytes come with the first arrival: in the
 * payload, or in a small slot if that is too short, or else in the ring, which all rounds after it use. Which
 * of them it is, the others see from the stream's length.
 */
#ifndef MST_VARIED_H
#define MST_VARIED_H

#include "src/onehost/coll/call.h"

/* A copy of a small block: from a buffer to where we stage, or from where that rank has staged to a buffer.
 */
typedef struct mst_varied_copy {
    int rank;
    bool in_slot; /* not in the payload */
    size_t at;    /* there */
    size_t bytes;
    const unsigned char *from;
    unsigned char *to;
} mst_varied_copy;

typedef struct mst_varied {
    size_t *places; /* memory of the two that follow */
    const size_t *in_at,
        *out_at;            /* bytes, by rank: where in our buffers its block is; NULL: at the beginning */
    uint64_t *table;        /* by rank: where in our stream, or from in_offset on, that rank's block is */
    uint64_t *from_at;      /* by rank, if tabled: where our block is in its stream, or from in_offset on */
    mst_varied_head *heads; /* by rank; our own from the beginning, the others' after the first round */
    size_t window;          /* bytes of a stream per round in the ring */
    size_t longest;         /* after the first round: bytes of the longest stream */
    size_t payload_begin;   /* where in a payload the stream begins, behind a head */
    size_t *begins;         /* by rank: the same in its payload of the current call, after the first round */
    bool is_tabled;         /* each rank gets another block: the table comes before the blocks */
    bool is_beside;         /* the table is short: it comes with the head, and not in the stream */
    bool any_in_arena;      /* after the first round: some rank's input is read in the arena */
    size_t most_in_slots;   /* likewise: bytes that some rank has in its small slot; 0: none has */
    bool is_known;          /* what is known after the first round was found by a call equal to this one */
    bool all_small;         /* after the first round: all streams are in payloads and small slots */
    bool is_listed; /* known, and these copies are all there is to do before the first round and after */
    int staged, taken;
    mst_varied_copy *copies; /* those to stage, and from the group's size on those to take; none of our own */
} mst_varied;

/* Bytes that the others need of our input, each counted once; of what is reduced, our own block counts, too,
 * which has a place in the slot. */
size_t mst_varied_needed(const mst_call *call);

/* The arena offset from which on all of our blocks lie, *begin bytes behind the input's beginning; 0: they
 * are staged, or copied. `needed`: as above. */
uint64_t mst_varied_in_offset(const mst_call *call, size_t needed, size_t *begin);

/* Fills in the group's mst_varied, and the places of the call; false: no memory. */
bool mst_varied_prepare(mst_call *call);

static inline size_t mst_varied_at(const size_t *places, int rank)
{
    return places ? places[rank] : 0;
}

#define MST_VARIED_AGAIN_BEGIN 16 /* where in a payload the stream begins, in a call that says "again" */

/* Before the first round: where in our payload the stream begins. */
static inline size_t mst_varied_payload_begin(const mst_varied *varied)
{
    return varied->is_known ? MST_VARIED_AGAIN_BEGIN : varied->payload_begin;
}

/* Likewise: where in the slot of that round it begins. */
static inline size_t mst_varied_begin(const mst_call *call)
{
    return call->plan.in_line ? mst_varied_payload_begin(call->group->varied) : 0;
}

/* The first round: compares the requests and the balances, and advances staging. */
muster_status mst_varied_meet(mst_call *call);

/* To be called before further rounds: they use the ring, and the first one may have used another part on each
 * rank. Its plan is then not that of a call that repeats it. */
static inline void mst_varied_use_ring(mst_call *call)
{
    call->repeatable = false;
    call->plan.in_line = call->plan.small = false;
    call->plan.part = MST_STAGING_RING;
}

/* The last round of a call in which inputs were read in the arena. */
muster_status mst_varied_end(mst_call *call);

/* After the first round, of a stream that is small: whether it is in that rank's slot, and not in its
 * payload. */
bool mst_varied_has_slot(const mst_call *call, int rank);

/* Where the window of a rank's stream is that was staged for the last round: `first`, or a later one. */
const unsigned char *mst_varied_slot(const mst_call *call, int rank, bool first);

/* What a rank whose input is in the arena has for us, `bytes` of it; NULL: that is not in its heap. */
const unsigned char *mst_varied_in_arena(const mst_call *call, int rank, uint64_t at, size_t bytes);

/* A call in a group of one. */
void mst_varied_alone(const mst_call *call);

/* The first block of the output that is not empty. */
void *mst_varied_result(const mst_call *call, size_t *bytes);

#endif
