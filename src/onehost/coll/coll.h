/*
 * Collectives: what they have in common.
 *
 * A public function describes its call and hands it to mst_collective_run(), which checks it, enters
 * the group, and goes through the group's transport to the function that does the work. On shared
 * memory that function is a sequence of steps: write into your slot, mst_step(), read the others'.
 * The first step carries what each rank was asked to do; all compare before any result is touched.
 *
 * A new collective is one file in this folder, with its public function and its mst_coll_<name>, and
 * one row below.
 */
#ifndef MST_COLL_H
#define MST_COLL_H

#include "src/onehost/group.h"

/* How many blocks of `count` elements a buffer has: none, one, one per rank; or so on the root only. */
typedef enum mst_span { SPAN_NONE, SPAN_ONE, SPAN_ALL, SPAN_ROOT_ONE, SPAN_ROOT_ALL } mst_span;

/* clang-format off */
/*  X(NAME,          name,          in,            out,           rooted, reduces, in place) */
#define MST_COLLECTIVES(X)                                                                         \
    X(BARRIER,        barrier,        SPAN_NONE,     SPAN_NONE,     false, false, true)            \
    X(ALL_REDUCE,     all_reduce,     SPAN_ONE,      SPAN_ONE,      false, true,  true)            \
    X(ALL_GATHER,     all_gather,     SPAN_ONE,      SPAN_ALL,      false, false, true)            \
    X(REDUCE_SCATTER, reduce_scatter, SPAN_ALL,      SPAN_ONE,      false, true,  true)            \
    X(BROADCAST,      broadcast,      SPAN_ROOT_ONE, SPAN_ONE,      true,  false, true)            \
    X(REDUCE,         reduce,         SPAN_ONE,      SPAN_ROOT_ONE, true,  true,  true)            \
    X(GATHER,         gather,         SPAN_ONE,      SPAN_ROOT_ALL, true,  false, true)            \
    X(SCATTER,        scatter,        SPAN_ROOT_ALL, SPAN_ONE,      true,  false, true)            \
    X(ALL_TO_ALL,     all_to_all,     SPAN_ALL,      SPAN_ALL,      false, false, false)
/* clang-format on */

typedef enum mst_collective {
#define ENUMERATOR(NAME, ...) MST_##NAME,
    MST_COLLECTIVES(ENUMERATOR)
#undef ENUMERATOR
        MST_COLLECTIVE_COUNT
} mst_collective;

typedef struct mst_shape {
    const char *name;
    mst_span in, out;
    bool rooted, reduces, in_place;
} mst_shape;

extern const mst_shape mst_shapes[MST_COLLECTIVE_COUNT];

/* One rank's call of one collective. */
typedef struct mst_call {
    mst_collective collective;
    const void *in;
    void *out;
    size_t count;
    muster_dtype dtype;
    muster_op op;
    int root;
    muster_group *group;
    /* filled in by mst_collective_run or mst_collective_start */
    mst_lane *lane;     /* that it steps on */
    uint64_t operation; /* its number in the group */
    unsigned parity; /* which of the two records beside the lane is this operation's: of those on the lane */
    bool started;    /* in two halves: has arrived already, and inputs are in blocks of the library's */
    size_t element_bytes;
    size_t out_bytes;      /* of this rank's `out` */
    uint64_t in_offset;    /* non-zero: `in` lies in the arena and peers read it there */
    uint64_t out_offset;   /* the same for `out` */
    bool in_line;          /* what a rank stages fits beside its arrival's flag */
    mst_staging_part part; /* where it is staged if it does not */
    bool small;            /* in line, or in a small slot */
    bool viewable;         /* large enough for buffers to be read where they lie: see the records */
    bool pooled;           /* the work after its steps is pooled (shm/group/pieces.h) */
    bool stepped;          /* the first step is done */
    bool compared;         /* what all were asked to do, or need not be by this rank */
} mst_call;

typedef muster_status (*mst_collective_fn)(mst_call *call);

/* How collectives reach the other ranks. Shared memory is the only one so far; one that spans hosts
 * would be another table. */
typedef struct mst_transport {
    const char *name;
    mst_collective_fn collectives[MST_COLLECTIVE_COUNT];
} mst_transport;

extern const mst_transport mst_transport_shm;

#define DECLARATION(NAME, name, ...) muster_status mst_coll_##name(mst_call *call);
MST_COLLECTIVES(DECLARATION)
#undef DECLARATION

/* Checks, enters, runs, leaves. */
muster_status mst_collective_run(mst_call *call);

/* The same in two halves (started.c): up to this rank's arrival; and, by muster_finish, the rest. */
muster_status mst_collective_start(mst_call *call, muster_request *request);

/* Their parts. Is this a call that can be made? The announcement and arrival, after which the first
 * mst_step() only waits. The rest, through the group's transport. */
muster_status mst_call_check(mst_call *call);
void mst_call_begin(mst_call *call); /* its first wait comes next */
void mst_call_arrive(mst_call *call);
muster_status mst_call_move(mst_call *call);
void mst_call_end(const mst_call *call); /* has given its result */

/* Bytes of a round of `all` that one rank stages and others copy, out of a slot of `most`. */
size_t mst_call_round_bytes(const mst_call *call, size_t all, size_t most);

/* Blocks, or bytes, that `rank` has in such a buffer. */
size_t mst_call_blocks(const mst_call *call, mst_span span, int rank);
size_t mst_call_bytes(const mst_call *call, mst_span span, int rank);

/* Shows what the call is to those who look from outside. */
void mst_call_show(const mst_call *call);

/* "all_sum", and of calls that are no collectives "send" and the like. */
void mst_doing_name(const mst_doing *doing, char *text, size_t bytes);

/* Bytes of the larger of the two buffers that `rank` of a group of `size` has in it. */
size_t mst_doing_bytes(const mst_doing *doing, int rank, int size);

/* "all_sum (float32 x 4096)", and with its number. */
void mst_request_describe(const mst_call_record *record, char *text, size_t bytes);
void mst_record_describe(const mst_call_record *record, char *text, size_t bytes);

/* ---- what the collectives on shared memory are written with ---- */

/* Where this rank puts the bytes of the next step, and how many fit. Tiny ones lie beside the flag. */
unsigned char *mst_slot(const mst_call *call);
size_t mst_slot_bytes(const mst_call *call);

/* At the end of a small call: asks for the lines that the next one will write, were it like this one, since
 * the peers have read them. */
void mst_call_prefetch(const mst_call *call);

/* Arrives, waits for all; the first one of a call also compares what all were asked to do. `staged`:
 * how many bytes of its slot the rank that used most has used, so that all know where the next one is;
 * the same on every rank, those that staged nothing included. */
muster_status mst_step(mst_call *call, size_t staged);

/*
 * After a step of a call that is pooled: does those of `count` pieces of work that nobody else has taken.
 * What one results in may be written over that piece of our own slot, which nobody else reads. Then each
 * rank waits for each piece, and finds it in the slot of the rank that did it.
 */
typedef void (*mst_piece_fn)(const mst_call *call, const void *arg, int piece);
muster_status mst_pool(mst_call *call, int count, mst_piece_fn work, const void *arg);
muster_status mst_pool_wait(mst_call *call, int piece, int *by);

/* What `rank`, or we, put into its slot for the last step. */
const unsigned char *mst_peer_slot(const mst_call *call, int rank);
unsigned char *mst_own_slot(const mst_call *call);

/*
 * The view of a rank's input: where its bytes can be read after the step, whether they lie in the
 * arena (at byte `in_at` of its `in`) or travelled by its slot (at byte `slot_at`).
 */
const unsigned char *mst_view(const mst_call *call, int rank, size_t in_at, size_t slot_at);
unsigned char *mst_view_out(const mst_call *call, int rank, size_t out_at); /* only if it is in the arena */

/* Known after the first step, and the same on all ranks. */
bool mst_any_input_in_arena(const mst_call *call);
bool mst_all_inputs_in_arena(const mst_call *call);
bool mst_all_outputs_in_arena(const mst_call *call);

/* The last step of a call that read inputs in the arena: nobody may still be reading when it returns. */
muster_status mst_step_if_arena(mst_call *call);

/* Copies into our slot at byte `at`, or into `out`: around the cache where that is faster for whoever
 * reads it next. */
void mst_stage(const mst_call *call, size_t at, const void *from, size_t bytes);
void mst_deliver(const mst_call *call, size_t at, const void *from, size_t bytes);
bool mst_streams_out(const mst_call *call); /* whether mst_deliver goes around the cache */

/* memcpy that allows NULL for nothing, and source == destination. */
void mst_copy(void *to, const void *from, size_t bytes);

#endif
