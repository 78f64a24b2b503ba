/*
 * What all collectives on shared memory have in common.
 *
 * A collective is a series of rounds (round.h): write to our slot, call mst_round(), read the others' slots
 * (view.h). In the first round each rank publishes its request; all compare the requests before any result is
 * written.
 *
 * To add a collective, add one file in this folder, with its mst_method_<name>, a row in
 * src/pure/collective.h, and one in src/hosts/collectives.c, where it is not there over several hosts until
 * it has a plan; the public function is in src/api/collectives.c. HACKING.md has all steps, and its tests.
 */
#ifndef MST_CALL_H
#define MST_CALL_H

#include "src/onehost/wait/stall.h"
#include "src/pure/dtype.h"

/* One rank's call of one collective. That of the latest blocking one stays in its group, where a repeated
 * call finds it. */
typedef struct mst_call mst_call;
struct mst_call {
    const mst_request *request;
    mst_group *group;
    mst_sequence *sequence;         /* whose rounds it uses */
    mst_waiting waiting;            /* its waits in them */
    uint64_t operation;             /* its number in the group */
    unsigned parity;                /* which of the sequence's two call records is this operation's */
    const mst_call_record *records; /* of all ranks; NULL: those of the group */
    uint64_t in_offset;             /* non-zero: peers read `in` there: in the arena, or at an address */
    uint64_t out_offset;            /* the same for `out` */
    unsigned reads;                 /* an mst_reads of remote.h */
    mst_plan plan;                  /* how it exchanges its data */
    mst_team *team;                 /* whose threads do parts of its copies and reductions; NULL: nobody's */
    muster_status (*move)(mst_call *call); /* all its rounds */
    bool shows_later;                      /* in the first round, and not before it */
    bool met;                              /* the first round is complete */
    bool views;                            /* after it: inputs of some rank are read where they are */
    bool repeatable;        /* the same request would find all but the operation's number here */
    bool brief;             /* repeatable, in one round of arrivals, which contain its data */
    unsigned repeats;       /* how often it has */
    size_t others_in_slots; /* with counts by rank: bytes that another one had in its small slot in the latest
                               call, if this one repeats it; 0: none, or not known */
    bool compared;          /* the requests have been compared, or this rank need not compare them */
};

/* When the work after a call's rounds is shared (shm/group/chunks.h), if the group is oversubscribed. */
typedef enum mst_sharing {
    MST_SHARED_NEVER,
    MST_SHARED_IF_LARGE, /* for a small one the root alone does the work, and nobody waits for it */
    MST_SHARED_ALWAYS
} mst_sharing;

/* What a started operation computes this rank's output from, once all ranks have started it. */
typedef struct mst_inputs {
    const mst_call *call;
    const unsigned char *const *in; /* by rank: where its `in` can be read; NULL: it has none */
    const void **sources;           /* by rank, arguments of kernels */
    mst_target *targets;            /* size + 1 of them */
} mst_inputs;

/* How a collective is carried out. */
typedef struct mst_method {
    muster_status (*run)(mst_call *call);
    mst_sharing sharing;
    bool (*read)(const mst_call *call); /* by one copy (one_copy.h); false: something could not be read */
    void (*compute)(const mst_inputs *inputs); /* a started one, at a rank with output; NULL: nothing to do */
    bool by_slices; /* a started one may be reduced slice by slice: all ranks reduce the same elements */
} mst_method;

extern const mst_method *const mst_methods[MST_COLLECTIVE_COUNT];

#define DECLARATION(NAME, name, ...) extern const mst_method mst_method_##name;
MST_COLLECTIVES(DECLARATION)
#undef DECLARATION

/* What a round may not cut: an element, unless it may be larger than what a round moves. */
static inline size_t mst_call_unit_bytes(const mst_call *call)
{
    size_t element = call->request->element_bytes;

    return element <= MST_NUMBER_BYTES_MAX ? element : 1;
}

/* Bytes per round, of `all` bytes that one rank stages and the others copy, with slots of `most` bytes. */
size_t mst_call_round_bytes(const mst_call *call, size_t all, size_t most);

/* The number of blocks, or bytes, that `rank` has in such a buffer, if all blocks have the same count. */
static inline size_t mst_call_blocks(const mst_call *call, mst_span span, int rank)
{
    return mst_span_blocks(span, call->request->root, rank, call->group->base.size);
}

static inline size_t mst_call_bytes(const mst_call *call, mst_span span, int rank)
{
    return mst_call_blocks(call, span, rank) * call->request->count * call->request->element_bytes;
}

/* What the call is, for observers outside the job. */
mst_doing mst_call_doing(const mst_call *call);
/* Publishes that as the activity. */
void mst_call_show(const mst_call *call);

/* Adds the call's name to the thread's latest error. */
muster_status mst_request_failed(const mst_request *request, muster_status status);

/* This rank's request, as a record, and as text. */
void mst_call_describe(const void *call, char *text, size_t bytes);

void mst_call_note_made(mst_call_record *record, const mst_made_op *made);

/* Written field by field, directly into the arena: copying an assembled record would use wider loads, which
 * wait for the narrower stores before them, and those go to a line that the peers have in their caches. */
static inline void mst_call_note(mst_call_record *record, const mst_call *call)
{
    const mst_shape *shape = &mst_shapes[call->request->collective];

    record->operation = call->operation;
    record->count = call->request->elements;
    record->in_offset = call->in_offset;
    record->out_offset = call->out_offset;
    record->collective = (uint16_t)call->request->collective;
    record->reads = (uint16_t)call->reads;
    record->dtype = (uint32_t)call->request->dtype;
    record->op = shape->reduces ? (uint32_t)call->request->op : 0;
    record->root = shape->rooted ? call->request->root : -1;
    if (call->request->made)
        mst_call_note_made(record, call->request->made);
}

#endif
