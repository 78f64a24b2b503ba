/*
 * Collectives on shared memory: what they have in common.
 *
 * A collective is a sequence of rounds (round.h): write into your slot, mst_round(), read the others'
 * (view.h). The first round carries what each rank was asked to do; all compare before any result is touched.
 *
 * A new collective is one file in this folder, with its mst_method_<name>, and one row of
 * src/pure/collective.h; what programs call is in src/api/collectives.c.
 */
#ifndef MST_CALL_H
#define MST_CALL_H

#include "src/onehost/stall.h"

/* One rank's call of one collective. */
typedef struct mst_call {
    const mst_request *request;
    mst_group *group;
    mst_sequence *sequence; /* whose rounds it takes */
    mst_waiting waiting;    /* in them */
    uint64_t operation;     /* its number in the group */
    unsigned parity;     /* which of the two records beside the sequence is this operation's: of those on the
                            sequence */
    bool nonblocking;    /* has arrived already, and inputs are in blocks of the library's */
    size_t out_bytes;    /* of this rank's `out` */
    uint64_t in_offset;  /* non-zero: `in` lies in the arena and peers read it there */
    uint64_t out_offset; /* the same for `out` */
    bool in_line;        /* what a rank stages fits beside its arrival's flag */
    mst_staging_part part; /* where it is staged if it does not */
    bool small;            /* in line, or in a small slot */
    bool viewable;         /* large enough for buffers to be read where they lie: see the records */
    bool shared;           /* the work after its rounds is shared (shm/group/chunks.h) */
    bool met;              /* the first round is done */
    bool compared;         /* what all were asked to do, or need not be by this rank */
} mst_call;

/* When the work after a call's rounds is shared (shm/group/chunks.h), where ranks share CPUs. */
typedef enum mst_sharing {
    MST_SHARED_NEVER,
    MST_SHARED_IF_LARGE, /* of a small one the root alone does the work, and no other waits for it */
    MST_SHARED_ALWAYS
} mst_sharing;

/* How a collective is done. */
typedef struct mst_method {
    muster_status (*run)(mst_call *call);
    mst_sharing sharing;
} mst_method;

#define DECLARATION(NAME, name, ...) extern const mst_method mst_method_##name;
MST_COLLECTIVES(DECLARATION)
#undef DECLARATION

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
