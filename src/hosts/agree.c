/* Compares what the members were asked for, for agree.h. */
#include "src/hosts/agree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/hosts/broken.h"
#include "src/hosts/patterns.h"
#include "src/hosts/showing.h"

static void describe(const mst_hosts_record *record, char *text, size_t bytes)
{
    const mst_shape *shape =
        record->collective < MST_COLLECTIVE_COUNT ? &mst_shapes[record->collective] : NULL;
    char op_name[MUSTER_OP_NAME_BYTES];

    mst_hosts_print(record->op_name, sizeof record->op_name, op_name, sizeof op_name);
    mst_asked asked = { .collective = record->collective,
                        .dtype = (muster_dtype)record->dtype,
                        .op = (muster_op)record->op,
                        .op_name = op_name[0] ? op_name : NULL,
                        .root = shape && shape->rooted ? record->root : -1,
                        .count = record->elements };

    mst_collective_describe(&asked, text, bytes);
}

/* Of this rank, where the input is one block of the same size on all ranks that have one. */
static size_t bytes_of_input(const mst_run *run)
{
    const mst_request *request = &run->request;
    const mst_shape *shape = &mst_shapes[request->collective];
    bool is_one = shape->in == SPAN_ONE || shape->in == SPAN_ROOT_ONE;

    return is_one && !shape->varied ? request->count * request->element_bytes : 0;
}

bool mst_hosts_has_inputs(const mst_run *run)
{
    size_t bytes = bytes_of_input(run);

    return bytes > 0 && bytes <= MST_RECORD_PAYLOAD;
}

static void fill_in(const mst_run *run, mst_hosts_record *record)
{
    const mst_request *request = &run->request;
    const mst_shape *shape = &mst_shapes[request->collective];

    *record = (mst_hosts_record){ .collective = request->collective,
                                  .dtype = (int32_t)request->dtype,
                                  .op = shape->reduces ? (int32_t)request->op : 0,
                                  .root = shape->rooted ? request->root : 0,
                                  .count = shape->varied ? 0 : request->count,
                                  .elements = request->elements,
                                  .started = run->started };
    if (shape->varied)
        record->balance = mst_counts_balance(&request->gives, &request->takes, run->group->base.rank);
    if (request->made) {
        memcpy(record->op_name, request->made->name, sizeof record->op_name);
        memcpy(record->factor, request->made->factor, sizeof record->factor);
    }
    if (mst_hosts_has_inputs(run) && mst_span_has(shape->in, request->root, run->group->base.rank))
        memcpy(record->payload, request->in, bytes_of_input(run));
}

static bool is_same(const mst_hosts_record *a, const mst_hosts_record *b)
{
    return a->collective == b->collective && a->dtype == b->dtype && a->op == b->op && a->root == b->root &&
           a->count == b->count && a->started == b->started &&
           memcmp(a->op_name, b->op_name, sizeof a->op_name) == 0;
}

/* One has started what the other calls in the blocking form: as on one host. */
static muster_status tell_mixed(const mst_run *run, int caller, int starter)
{
    char called[100], started[100];

    describe(&run->records[caller], called, sizeof called);
    describe(&run->records[starter], started, sizeof started);
    return mst_hosts_break_pair(run->group, starter, caller,
                                "rank %d called %s, its operation %" PRIu64
                                " of the group, and rank %d started %s, its operation %" PRIu64
                                ", which are not the same",
                                caller, called, run->operation, starter, started, run->operation);
}

static muster_status compare(mst_run *run)
{
    const mst_hosts_record *records = run->records;
    char first[100], other[100];

    for (int rank = 1; rank < run->group->base.size; rank++) {
        if (is_same(&records[0], &records[rank]))
            continue;
        if (records[0].started != records[rank].started)
            return tell_mixed(run, records[0].started ? rank : 0, records[0].started ? 0 : rank);
        describe(&records[0], first, sizeof first);
        describe(&records[rank], other, sizeof other);
        return mst_hosts_break_pair(run->group, rank, 0,
                                    "rank 0 called %s and rank %d called %s, as operation %" PRIu64
                                    " of the group",
                                    first, rank, other, run->operation);
    }
    return MUSTER_OK;
}

/* ---- counts by rank that do not agree: which ---- */

/* What one rank gives this one, and the first that gives it another number than it takes. */
typedef struct difference {
    uint64_t giver, given, taken; /* giver: 1 + rank; 0: all agree */
} difference;

static difference *differences_of(mst_run *run)
{
    return (difference *)(void *)(run->records + run->group->base.size);
}

static uint64_t *given_of(mst_run *run)
{
    return (uint64_t *)(differences_of(run) + run->group->base.size);
}

static muster_status tell_difference(mst_run *run)
{
    const difference *differences = differences_of(run);
    char name[MUSTER_CALL_NAME_BYTES];
    int taker = 0, size = run->group->base.size;

    while (taker < size && !differences[taker].giver)
        taker++;
    if (taker < size && differences[taker].giver > (uint64_t)size) /* no rank: another member's word */
        taker = size;
    if (taker == size)
        return mst_hosts_break(run->group, -1, MUSTER_ERR_MISMATCH, "the counts of the ranks do not agree");
    int giver = (int)differences[taker].giver - 1;
    mst_collective_name(run->request.collective, run->request.op,
                        run->request.made ? run->request.made->name : NULL, name, sizeof name);
    return mst_hosts_break_pair(
        run->group, giver, taker,
        "in %s, operation %" PRIu64 " of the group, rank %d gives %" PRIu64
        " elements to rank %d, and rank %d takes %" PRIu64 " from rank %d: their counts must agree",
        name, run->operation, giver, differences[taker].given, taker, taker, differences[taker].taken, giver);
}

static muster_status find_difference(mst_run *run)
{
    int size = run->group->base.size, own = run->group->base.rank;
    const uint64_t *given = given_of(run);
    difference *found = &differences_of(run)[own];
    mst_ranges ranges;

    for (int giver = size - 1; giver >= 0; giver--) {
        uint64_t taken = mst_counts_of(&run->request.takes, giver);

        if (giver != own && given[giver] != taken)
            *found = (difference){ (uint64_t)giver + 1, given[giver], taken };
    }
    if (!mst_ranges_make(run, differences_of(run), &ranges))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for what ranks disagree in");
    for (int rank = 0; rank < size; rank++) {
        ranges.bytes[rank] = sizeof *found;
        ranges.at[rank] = (size_t)rank * sizeof *found;
    }
    muster_status status = mst_pattern_gather(run, &ranges);
    return status == MUSTER_OK ? mst_run_call(run, tell_difference) : status;
}

/* Each tells each how much it gives. */
static muster_status ask_for_difference(mst_run *run)
{
    int size = run->group->base.size;
    uint64_t *gives = mst_run_memory(run, (size_t)size * sizeof *gives);
    mst_ranges in, out;

    if (!gives || !mst_ranges_make(run, gives, &in) || !mst_ranges_make(run, given_of(run), &out))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for what ranks disagree in");
    for (int rank = 0; rank < size; rank++) {
        gives[rank] = mst_counts_of(&run->request.gives, rank);
        in.bytes[rank] = out.bytes[rank] = sizeof *gives;
        in.at[rank] = out.at[rank] = (size_t)rank * sizeof *gives;
    }
    muster_status status = mst_pattern_exchange(run, &out, &in);
    return status == MUSTER_OK ? mst_run_call(run, find_difference) : status;
}

static muster_status check(mst_run *run)
{
    uint64_t balance = 0;

    muster_status status = compare(run);
    run->arrived_ns = mst_hosts_now_ns();
    for (int rank = 0; rank < run->group->base.size; rank++)
        balance += run->records[rank].balance;
    if (status != MUSTER_OK)
        return status;
    return balance == 0 ? run->then(run) : ask_for_difference(run);
}

static muster_status agree(mst_run *run, mst_ranges *ranges)
{
    int size = run->group->base.size;

    for (int rank = 0; rank < size; rank++) {
        ranges->bytes[rank] = sizeof(mst_hosts_record);
        ranges->at[rank] = (size_t)rank * sizeof(mst_hosts_record);
    }
    return mst_pattern_gather(run, ranges);
}

muster_status mst_hosts_agree(mst_run *run, mst_run_plan then)
{
    size_t size = (size_t)run->group->base.size;
    mst_ranges ranges;

    run->records =
        mst_run_keep(run, size * (sizeof(mst_hosts_record) + sizeof(difference) + sizeof(uint64_t)));
    if (!run->records || !mst_ranges_make(run, run->records, &ranges))
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for the requests of %zu ranks", size);
    fill_in(run, &run->records[run->group->base.rank]);
    muster_status status = agree(run, &ranges);
    run->then = then;
    return status == MUSTER_OK ? mst_run_call(run, check) : status;
}
