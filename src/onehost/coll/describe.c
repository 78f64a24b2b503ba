/* Names and descriptions of calls, for describe.h. */
#include "src/onehost/coll/describe.h"

#include <stdio.h>

#include "src/pure/collective.h"
#include "src/pure/dtype.h"

void mst_doing_name(const mst_doing *doing, char *text, size_t bytes)
{
    static const char *const names[] = {
        "send",   "recv",         "sendrecv",     "put_signal", "push",        "split",
        "shrink", "grow",         "share_create", "share_seal", "wait_signal", "dup",
        "subset", "queue_create", "pop",          "phase",      "probe",       "wait for started messages"
    };
    uint32_t kind = mst_doing_kind(doing), which = kind - MST_DOING_SEND;

    if (kind < MST_COLLECTIVE_COUNT)
        mst_collective_name(kind, (muster_op)doing->op, NULL, text, bytes);
    else
        snprintf(text, bytes, "%s", which < sizeof names / sizeof names[0] ? names[which] : "?");
}

size_t mst_doing_bytes(const mst_doing *doing, int rank, int size)
{
    size_t in = 1, out = 1; /* of a message */

    uint32_t kind = mst_doing_kind(doing);

    if (kind < MST_COLLECTIVE_COUNT) {
        in = mst_span_blocks(mst_shapes[kind].in, doing->peer, rank, size);
        out = mst_span_blocks(mst_shapes[kind].out, doing->peer, rank, size);
    }
    return (in > out ? in : out) * doing->count * muster_dtype_size((muster_dtype)doing->dtype);
}

void mst_request_describe(const mst_call_record *record, char *text, size_t bytes)
{
    bool is_user = record->op == MST_OP_USER;
    mst_asked asked = { .collective = record->collective,
                        .dtype = (muster_dtype)record->dtype,
                        .op = (muster_op)record->op,
                        .op_name = is_user ? record->made : NULL,
                        .root = record->root,
                        .count = record->count };

    mst_collective_describe(&asked, text, bytes);
}

void mst_record_describe(const mst_call_record *record, char *text, size_t bytes)
{
    char request[100];

    mst_request_describe(record, request, sizeof request);
    snprintf(text, bytes, "%s, operation %llu", request, (unsigned long long)record->operation);
}
