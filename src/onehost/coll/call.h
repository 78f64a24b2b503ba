/*
 * Collectives on shared memory: what they have in common.
 *
 * A public function describes its call and hands it to mst_collective_run(), which checks it, enters
 * the group, and goes through the group's transport to the function that does the work. On shared
 * memory that function is a sequence of steps (round.h): write into your slot, mst_step(), read the others'
 * (view.h). The first step carries what each rank was asked to do; all compare before any result is touched.
 *
 * A new collective is one file in this folder, with its public function and its mst_coll_<name>, and
 * one row of src/pure/collective.h.
 */
#ifndef MST_CALL_H
#define MST_CALL_H

#include "src/onehost/group.h"
#include "src/pure/collective.h"

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

/* Their parts. Is this a call that can be made? And all that comes after its number and places are known. */
muster_status mst_call_check(mst_call *call);
muster_status mst_call_move(mst_call *call);
void mst_call_end(const mst_call *call); /* has given its result */

/* Bytes of a round of `all` that one rank stages and others copy, out of a slot of `most`. */
size_t mst_call_round_bytes(const mst_call *call, size_t all, size_t most);

/* Blocks, or bytes, that `rank` has in such a buffer. */
size_t mst_call_blocks(const mst_call *call, mst_span span, int rank);
size_t mst_call_bytes(const mst_call *call, mst_span span, int rank);

/* Shows what the call is to those who look from outside. */
void mst_call_show(const mst_call *call);

/* What this rank was asked to do, as a record says it, and in words. */
void mst_call_note(mst_call_record *record, const mst_call *call);
void mst_call_describe(const void *call, char *text, size_t bytes);

#endif
