/* Names and descriptions of calls, for describe.h. */
#include "src/onehost/coll/describe.h"

#include <stdio.h>

#include "src/pure/collective.h"

void mst_doing_name(const mst_doing *doing, char *text, size_t bytes)
{
    static const char *const names[] = { "send",        "recv",   "sendrecv", "put_signal",   "push",
                                         "split",       "shrink", "grow",     "share_create", "share_seal",
                                         "wait_signal", "dup",    "subset",   "queue_create", "pop" };
    uint32_t which = doing->kind - MST_DOING_SEND;

    if (doing->kind < MST_COLLECTIVE_COUNT)
        mst_collective_name(doing->kind, (muster_op)doing->op, text, bytes);
    else
        snprintf(text, bytes, "%s", which < sizeof names / sizeof names[0] ? names[which] : "?");
}

size_t mst_doing_bytes(const mst_doing *doing, int rank, int size)
{
    size_t in = 1, out = 1; /* of a message */

    if (doing->kind < MST_COLLECTIVE_COUNT) {
        in = mst_span_blocks(mst_shapes[doing->kind].in, doing->peer, rank, size);
        out = mst_span_blocks(mst_shapes[doing->kind].out, doing->peer, rank, size);
    }
    return (in > out ? in : out) * doing->count * muster_dtype_size((muster_dtype)doing->dtype);
}

void mst_request_describe(const mst_call_record *record, char *text, size_t bytes)
{
    mst_collective_describe(record->collective, (muster_dtype)record->dtype, (muster_op)record->op,
                            record->root, record->count, text, bytes);
}

void mst_record_describe(const mst_call_record *record, char *text, size_t bytes)
{
    char request[100];

    mst_request_describe(record, request, sizeof request);
    snprintf(text, bytes, "%s, operation %llu", request, (unsigned long long)record->operation);
}
