/* The arguments of calls, in a group of one: wild counts, dtypes, ops, roots, ranks and overlaps. Buffers
 * are as large as the counts that could be believed; larger ones must be refused before they are touched. */
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define BUFFER_BYTES 65536

static int take_int(const uint8_t **data, size_t *bytes)
{
    int32_t value = 0;
    size_t some = *bytes < sizeof value ? *bytes : sizeof value;

    memcpy(&value, *data, some);
    *data += some;
    *bytes -= some;
    return value;
}

/* Either within the buffers, or so large that no machine has it. */
static size_t count_of(int value, muster_dtype dtype)
{
    size_t element = muster_dtype_size(dtype);

    if (value < 0)
        return SIZE_MAX - (size_t)(value & 0xffff);
    return (size_t)value % (BUFFER_BYTES / 4 / (element ? element : 1));
}

/* One call, as the input says it. */
typedef struct call {
    int which, wild, root;
    muster_dtype dtype;
    muster_op op;
    size_t count;
    void *in, *out;
} call;

static void make_collective(const call *call, muster_group *world)
{
    switch (call->which & 15) {
    case 0:
        muster_all_reduce(call->in, call->out, call->count, call->dtype, call->op, world);
        break;
    case 1:
        muster_all_gather(call->in, call->out, call->count, call->dtype, world);
        break;
    case 2:
        muster_reduce_scatter(call->in, call->out, call->count, call->dtype, call->op, world);
        break;
    case 3:
        muster_broadcast(call->in, call->out, call->count, call->dtype, call->root % 3, world);
        break;
    case 4:
        muster_scatter(call->in, call->out, call->count, call->dtype, call->root % 3, world);
        break;
    case 5:
        muster_all_to_all(call->in, call->out, call->count, call->dtype, world);
        break;
    case 6:
        muster_sendrecv(call->in, call->count, call->root % 3, 0, call->out, call->count, call->root % 3, 0,
                        call->dtype, world, NULL);
        break;
    default:
        /* not from itself, which has sent nothing: that would break the group */
        muster_recv(call->out, call->count, call->dtype, call->root ? call->root : 1, 0, world, NULL);
    }
}

/* A group of one: one count and one displacement, of which the input says whether they are there. */
static void make_varied(const call *call, muster_group *world)
{
    size_t count = call->count, at = (size_t)(unsigned)call->root % 100, other = call->root & 64 ? at : count;
    const size_t *counts = call->wild % 7 ? &count : NULL, *displacements = call->wild & 8 ? &at : NULL;

    switch (call->which & 7) {
    case 0:
        muster_all_gatherv(call->in, other, call->out, counts, displacements, call->dtype, world);
        break;
    case 1:
        muster_gatherv(call->in, other, call->out, counts, displacements, call->dtype, call->root % 3, world);
        break;
    case 2:
        muster_scatterv(call->in, counts, displacements, call->out, other, call->dtype, call->root % 3,
                        world);
        break;
    case 3:
        muster_all_to_allv(call->in, counts, displacements, call->out, &other, displacements, call->dtype,
                           world);
        break;
    case 4:
        muster_reduce_scatterv(call->in, counts, call->out, call->dtype, call->op, world);
        break;
    case 5:
        muster_scan(call->in, call->out, call->count, call->dtype, call->op, world);
        break;
    default:
        muster_exscan(call->in, call->out, call->count, call->dtype, call->op, world);
    }
}

static void make_other(const call *call, muster_group *world, muster_request *request)
{
    muster_group *child = NULL;
    void *block = NULL;

    switch (call->which & 15) {
    case 8:
        if (call->wild & 1 ? muster_group_subset(world, &call->root, call->wild >> 1, &child) == MUSTER_OK
                           : muster_group_split(world, call->root % 4, call->wild, &child) == MUSTER_OK)
            muster_group_free(child);
        break;
    case 9:
        if (muster_alloc(world, (size_t)(unsigned)call->wild % 100000, &block) == MUSTER_OK)
            muster_free(world, block);
        break;
    case 10:
        muster_free(world, call->in);
        break;
    case 11:
        muster_all_reduce_start(call->in, call->out, call->count, call->dtype, call->op, world, request);
        break;
    case 12:
        muster_wait(request, 0);
        break;
    case 13:
        muster_group_translate(world, call->root, world);
        break;
    default:
        muster_dtype_name(call->dtype);
        muster_status_string((muster_status)call->root);
    }
}

static call read_call(const uint8_t **data, size_t *bytes, unsigned char *memory)
{
    call call = { .which = take_int(data, bytes) };

    call.wild = take_int(data, bytes);
    call.root = take_int(data, bytes);
    call.dtype = (muster_dtype)(call.which >> 8 & 31);
    call.op = (muster_op)(call.which >> 16 & 7);
    call.count = count_of(call.wild, call.dtype);
    call.in = memory + (call.root & 0x3fff);
    call.out = call.which < 0 ? call.in : memory + BUFFER_BYTES / 2 + (call.which >> 20 & 0xfff);
    return call;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static muster_group *world;
    static unsigned char memory[BUFFER_BYTES];
    muster_request request = MUSTER_REQUEST_INIT;

    if (!world && muster_init(false, NULL, &world) != MUSTER_OK)
        abort();
    while (bytes > 0) {
        call call = read_call(&data, &bytes, memory);

        if (call.which & 16)
            make_varied(&call, world);
        else if ((call.which & 15) < 8)
            make_collective(&call, world);
        else
            make_other(&call, world, &request);
    }
    while (request.group && muster_wait(&request, 0) != MUSTER_OK)
        ;
    return 0;
}
