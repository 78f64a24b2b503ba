/* Checks requests and passes them to the backend, for request.h. */
#include "src/api/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "src/api/enter.h"
#include "src/api/operations.h"
#include "src/api/varied.h"
#include "src/pure/dtype.h"
#include "src/pure/partition.h"

/* ---- the call that failed ---- */

/* The name that the caller knows: the sum of all_reduce is all_sum, and begun by all_sum_start. */
static void name_of(const mst_request *request, char name[MUSTER_CALL_NAME_BYTES])
{
    bool is_constant = mst_op_valid(request->op);
    muster_op op = is_constant || request->made ? request->op : MUSTER_OP_CREATED;

    (request->starts ? mst_collective_start_name : mst_collective_name)(
        request->collective, op, request->made ? request->made->name : NULL, name, MUSTER_CALL_NAME_BYTES);
}

static __attribute__((cold)) muster_status failed(const mst_request *request, muster_status status)
{
    char name[MUSTER_CALL_NAME_BYTES];

    name_of(request, name);
    mst_error_operation(name);
    return status;
}

/* Of NO_SPACE: whose it is, and what may help. */
static __attribute__((cold)) muster_status failed_to_start(const muster_group *group,
                                                           const mst_request *request, muster_status status)
{
    uint64_t started = mst_load64_rlx(&group->started_count[MUSTER_CALL_COLLECTIVE]);
    char name[MUSTER_CALL_NAME_BYTES], more[120];

    name_of(request, name);
    snprintf(more, sizeof more, "; or complete started operations (muster_wait): %llu of the group are not",
             (unsigned long long)started);
    if (status == MUSTER_ERR_NO_SPACE && started)
        mst_error_append(more);
    return mst_failed(group, name, status);
}

static __attribute__((cold)) muster_status failed_equal(mst_collective collective, muster_op op,
                                                        muster_status status)
{
    return failed(&(mst_request){ .collective = collective, .op = op }, status);
}

/* ---- checking ---- */

static muster_status refuse(const mst_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static muster_status refuse(const mst_request *request, const char *format, ...)
{
    char name[MUSTER_CALL_NAME_BYTES], why[300];
    va_list args;

    name_of(request, name);
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return mst_fail(MUSTER_ERR_INVALID, "%s: %s", name, why);
}

/* ---- dtype and op ---- */

static muster_status refuse_pair(const mst_request *request)
{
    char dtype[MST_DTYPE_NAME_BYTES];

    mst_dtype_describe(request->dtype, dtype);
    return refuse(request, "%s does not work with %s, but with %s; with %s, these work: %s",
                  mst_op_name(request->op), dtype, mst_op_dtypes(request->op), dtype,
                  mst_dtype_ops(request->dtype));
}

/* An operation that the program made: the request is told which, and uses it. */
static muster_status take_made(mst_request *request)
{
    muster_op given = request->op;

    request->made = mst_op_take(given);
    if (!request->made)
        return refuse(
            request,
            "%d is not an op; expected MUSTER_SUM ... MUSTER_MINLOC, or one of muster_op_create that "
            "has not been freed",
            (int)given);
    request->unusual = true;
    request->op = (muster_op)(request->made->fn ? MST_OP_USER : MST_OP_PREMUL_SUM);
    if (request->made->fn || request->made->dtype == request->dtype)
        return MUSTER_OK;
    return refuse(request, "the factor was given as %s, and the elements are %s; expected one dtype",
                  muster_dtype_name(request->made->dtype), muster_dtype_name(request->dtype));
}

/* What is not an op and a dtype of the header that work together. */
static muster_status check_unusual(mst_request *request)
{
    if (!mst_dtype_valid(request->dtype))
        return refuse(request,
                      "%d is not a dtype; expected MUSTER_BOOL ... MUSTER_FLOAT64_INT64, or MUSTER_BYTES(n) "
                      "with n of 1 to 1073741823",
                      (int)request->dtype);
    request->unusual = mst_dtype_is_bytes(request->dtype);
    if (!mst_shapes[request->collective].reduces)
        return MUSTER_OK;
    return mst_op_valid(request->op) ? refuse_pair(request) : take_made(request);
}

/* ---- the rest ---- */

static muster_status check_values(const muster_group *group, mst_request *request)
{
    const mst_shape *shape = &mst_shapes[request->collective];

    if (shape->reduces ? !mst_op_works(request->op, request->dtype)
                       : (unsigned)request->dtype >= MUSTER_DTYPE_COUNT) {
        muster_status status = check_unusual(request);
        if (status != MUSTER_OK)
            return status;
    }
    if (shape->rooted && (request->root < 0 || request->root >= group->size))
        return refuse(request, "root %d is not a rank of a group of %d", request->root, group->size);
    return MUSTER_OK;
}

static muster_status check_count(const muster_group *group, const mst_request *request)
{
    char dtype[MST_DTYPE_NAME_BYTES];
    size_t unused;

    if (mst_multiply(request->count, request->element_bytes, (size_t)group->size, &unused) &&
        unused <= PTRDIFF_MAX)
        return MUSTER_OK;
    mst_dtype_describe(request->dtype, dtype);
    return refuse(request,
                  "%zu elements of %s for each member of a group of %d are more bytes than memory can have",
                  request->count, dtype, group->size);
}

static size_t blocks_of(const muster_group *group, const mst_request *request, mst_span span)
{
    return mst_span_blocks(span, request->root, group->rank, group->size);
}

static size_t bytes_of(const muster_group *group, const mst_request *request, mst_span span)
{
    return blocks_of(group, request, span) * request->count * request->element_bytes;
}

/* Whether the smaller buffer is exactly where the call in place requires it within the larger one. */
static bool is_in_place(const muster_group *group, const mst_request *request)
{
    const mst_shape *shape = &mst_shapes[request->collective];
    size_t in_blocks = blocks_of(group, request, shape->in),
           out_blocks = blocks_of(group, request, shape->out);
    size_t own_part = (size_t)group->rank * request->count * request->element_bytes;
    const char *in = request->in, *out = request->out;

    if (!shape->in_place)
        return false;
    if (in_blocks < out_blocks)
        return in == out + own_part;
    if (in_blocks > out_blocks)
        return out == in + own_part;
    return in == out;
}

static muster_status check_buffers(const muster_group *group, const mst_request *request)
{
    const mst_shape *shape = &mst_shapes[request->collective];
    size_t in_bytes = bytes_of(group, request, shape->in), out_bytes = bytes_of(group, request, shape->out);
    if ((in_bytes && !request->in) || (out_bytes && !request->out))
        return refuse(request, "the %s buffer is NULL and should hold %zu bytes",
                      in_bytes && !request->in ? "in" : "out",
                      in_bytes && !request->in ? in_bytes : out_bytes);
    if (mst_overlap(request->in, in_bytes, request->out, out_bytes) && !is_in_place(group, request))
        return refuse(request, "the in and out buffers overlap; expected separate buffers%s",
                      !shape->in_place ? ""
                      : shape->in == shape->out || shape->in == SPAN_ROOT_ONE || shape->out == SPAN_ROOT_ONE
                          ? ", or in == out"
                          : ", or this rank's part at base + rank x count of the larger one");
    return MUSTER_OK;
}

/* The checks of one count for all ranks. */
static muster_status check_equal(const muster_group *group, mst_request *request)
{
    request->elements = request->count;

    muster_status status = check_count(group, request);
    return status == MUSTER_OK ? check_buffers(group, request) : status;
}

static muster_status check_varied(const muster_group *group, mst_request *request)
{
    char why[300];

    return mst_varied_wrong(group, request, why, sizeof why) ? refuse(request, "%s", why) : MUSTER_OK;
}

/* Checks whether the request can be carried out. */
static muster_status check(const muster_group *group, mst_request *request)
{
    request->element_bytes = muster_dtype_size(request->dtype);

    muster_status status = check_values(group, request);
    if (status == MUSTER_OK)
        status = mst_shapes[request->collective].varied ? check_varied(group, request)
                                                        : check_equal(group, request);
    return status == MUSTER_OK ? status : mst_refuse(group, status);
}

/*
 * Whether the program repeats the latest request of the group, buffers included, as loops do: then its checks
 * are known to succeed. At first there is none.
 */
static inline bool is_latest(const muster_group *group, mst_collective collective, const void *in,
                             const void *out, size_t count, muster_dtype dtype, muster_op op, int root)
{
    const mst_request *latest = &group->latest;

    return latest->repeated && in == latest->in && out == latest->out && count == latest->count &&
           collective == latest->collective && dtype == latest->dtype && op == latest->op &&
           root == latest->root;
}

static bool is_repeated(const muster_group *group, const mst_request *request)
{
    return is_latest(group, request->collective, request->in, request->out, request->count, request->dtype,
                     request->op, request->root) &&
           mst_varied_repeated(group, request);
}

static void remember(muster_group *group, const mst_request *request)
{
    group->latest = *request;
    group->latest.repeated = true;
    if (mst_shapes[request->collective].varied && !mst_varied_remember(group))
        group->latest.repeated = false; /* it is not known what to compare */
}

/* ---- calling the backend ---- */

/* Leaves a blocking collective, and tells the threads that help how it ended. */
static inline muster_status end(muster_group *group, muster_status status)
{
    if (__builtin_expect(mst_load32_rlx(&group->threads) > 1, false))
        group->backend->end_collective(group, status);
    mst_leave(group, MUSTER_CALL_COLLECTIVE);
    return status;
}

/* One that a function of the program's combines. */
static muster_status run_function(muster_group *group, const mst_request *request)
{
    muster_status status = group->backend->collective(group, request);

    return status == MUSTER_OK ? mst_op_outcome(group) : status;
}

static __attribute__((noinline)) muster_status run_new(muster_group *group, mst_request *request)
{
    muster_status status = check(group, request);

    if (status == MUSTER_OK) {
        if (!request->unusual) /* an operation that the program made may be freed before the next call */
            remember(group, request);
        status = request->made && request->made->fn ? run_function(group, request)
                                                    : group->backend->collective(group, request);
    }
    if (status != MUSTER_OK)
        failed(request, status);
    if (request->made)
        mst_op_release(request->made);
    return status;
}

/* Apart from the repeated call, which needs no room for a request. */
static __attribute__((noinline)) muster_status run_new_equal(muster_group *group, mst_collective collective,
                                                             const void *in, void *out, size_t count,
                                                             muster_dtype dtype, muster_op op, int root)
{
    mst_request request = {
        .collective = collective, .in = in, .out = out, .count = count, .dtype = dtype, .op = op, .root = root
    };

    return run_new(group, &request);
}

muster_status mst_request_run_equal(muster_group *group, mst_collective collective, const void *in, void *out,
                                    size_t count, muster_dtype dtype, muster_op op, int root)
{
    muster_status status = mst_enter(group, MUSTER_CALL_COLLECTIVE);

    if (status != MUSTER_OK)
        return failed_equal(collective, op, status);
    if (is_latest(group, collective, in, out, count, dtype, op, root))
        status = group->backend->collective(group, &group->latest);
    else
        status = run_new_equal(group, collective, in, out, count, dtype, op, root);
    return end(group, status);
}

muster_status mst_request_run(muster_group *group, mst_request *request)
{
    muster_status status = mst_enter(group, MUSTER_CALL_COLLECTIVE);

    if (status != MUSTER_OK)
        return failed(request, status);
    return end(group, is_repeated(group, request) ? group->backend->collective(group, &group->latest)
                                                  : run_new(group, request));
}

/* The operation that the program made stays in use until the started one is over. */
static muster_status start(muster_group *group, const mst_request *request, uint64_t *number)
{
    if (request->made && !mst_op_prepare(group, request->made)) {
        mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a started operation");
        failed(request, MUSTER_ERR_NO_MEMORY);
        mst_op_release(request->made);
        return MUSTER_ERR_NO_MEMORY;
    }
    muster_status status = group->backend->start(group, request, number);
    if (status != MUSTER_OK)
        failed_to_start(group, request, status);
    if (request->made && status == MUSTER_OK)
        mst_op_keep(group, *number);
    else if (request->made)
        mst_op_let_go(group, 0);
    return status;
}

static muster_status check_start(const muster_group *group, mst_request *request,
                                 const muster_request *handle)
{
    muster_status status = mst_check_place(handle, "request");

    status = status == MUSTER_OK ? check(group, request) : mst_refuse(group, status);
    if (status == MUSTER_OK)
        return MUSTER_OK;
    failed(request, status);
    if (request->made)
        mst_op_release(request->made);
    return status;
}

muster_status mst_request_start(muster_group *group, mst_request *request, muster_request *handle)
{
    muster_status status = mst_enter(group, MUSTER_CALL_COLLECTIVE);
    uint64_t number;

    request->starts = true;
    if (status != MUSTER_OK)
        return failed(request, status);
    status = check_start(group, request, handle);
    if (status == MUSTER_OK)
        status = start(group, request, &number);
    if (status == MUSTER_OK) {
        mst_count_started(group, MUSTER_CALL_COLLECTIVE, 1);
        *handle = (muster_request){ group, number };
    }
    mst_leave(group, MUSTER_CALL_COLLECTIVE);
    return status;
}
