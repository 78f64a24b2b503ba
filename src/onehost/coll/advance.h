/* Started collectives on their way from stage to stage: what a rank keeps of each, and its progress. */
#ifndef MST_ADVANCE_H
#define MST_ADVANCE_H

#include "shm/group/journal.h"
#include "src/onehost/coll/call.h"
#include "src/onehost/coll/reduce_pattern.h"
#include "src/onehost/wait/pending.h"

/* One operation, until it is completed and this rank has reached `done` with it. */
typedef struct mst_started_op {
    mst_pending pending;
    struct mst_started_op *next; /* the one that was started after it */
    uint64_t number;             /* of its entry in the journal */
    mst_request request;
    mst_call call;
    mst_journal_entry *entry;
    bool lends_in;       /* peers read the user's input */
    bool sliced;         /* reduced by slices that are copied at `done` */
    bool needs_all_read; /* it is over when all ranks have read */
    bool needs_all_done; /* the same for done */
    bool completed;
} mst_started_op;

/* All of a group. */
struct mst_started_calls {
    mst_journal journal;
    mst_started_op *first, *last;    /* in the order of their numbers */
    mst_started_op *to_read, *to_do; /* those that reach the stages next; NULL: none */
    mst_call_record *records;        /* by rank: of the operation that reaches `read`; private copies */
    const unsigned char **in;        /* by rank: where its input can be read */
    uint64_t *lends;                 /* by rank: whether its input is the user's buffer */
    const void **sources;
    mst_target *targets;
    bool ended; /* one has failed, and the program has its buffers back: nothing goes on any more */
};

static inline size_t mst_op_in_bytes_of(const mst_started_op *operation, int rank)
{
    return mst_call_bytes(&operation->call, mst_shapes[operation->request.collective].in, rank);
}

static inline size_t mst_op_out_bytes_of(const mst_started_op *operation, int rank)
{
    return mst_call_bytes(&operation->call, mst_shapes[operation->request.collective].out, rank);
}

static inline bool mst_op_reduces_wholes(const mst_started_op *operation)
{
    return mst_methods[operation->request.collective]->by_slices && !operation->call.plan.assembled;
}

/* The output would replace this rank's own input before that has been read: a copy in the entry is read. */
static inline bool mst_op_keeps_own(const mst_started_op *operation)
{
    const mst_request *request = &operation->request;
    int own = operation->pending.group->base.rank;

    return operation->call.plan.assembled && mst_overlap(request->in, mst_op_in_bytes_of(operation, own),
                                                         request->out, mst_op_out_bytes_of(operation, own));
}

static inline mst_slice mst_op_slice_of(const mst_started_op *operation, int rank)
{
    return mst_reduce_slice(&operation->call, operation->request.count, rank);
}

/* Does what can be done without waiting, for all started collectives of the group; with the lock of pending
 * operations. Returns whether there will be more to do. */
bool mst_started_progress(mst_group *group);

/* Frees the operations at the beginning of the list that nobody needs. With the lock. */
void mst_started_forget(struct mst_started_calls *calls);

#endif
