/*
 * The library that MLX loads in place of Open MPI (MLX_MPI_LIBNAME): its mpi backend's 14 functions on
 * muster's groups.
 *
 * What MLX expects of them, and what would break it, is in docs/decisions/0015-mlx.md. In short: errors are
 * loud (fail.h); a communicator may be used after it was freed, since operations wait in queues; calls
 * may come after Finalize, and Finalize may never come; splitting runs beside collectives of the parent.
 */
#include "bindings/mpi/abi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/mpi/comms.h"
#include "bindings/mpi/fail.h"
#include "bindings/mpi/ops.h"
#include "muster/muster.h"

mpi_object ompi_mpi_comm_world;
mpi_object ompi_mpi_op_sum, ompi_mpi_op_max, ompi_mpi_op_min;
mpi_object ompi_mpi_c_bool, ompi_mpi_int8_t, ompi_mpi_uint8_t, ompi_mpi_int16_t, ompi_mpi_uint16_t,
    ompi_mpi_int32_t, ompi_mpi_uint32_t, ompi_mpi_int64_t, ompi_mpi_uint64_t, ompi_mpi_float, ompi_mpi_double,
    ompi_mpi_c_complex;

static void check(const char *function, muster_status status)
{
    if (status != MUSTER_OK)
        mpi_fail(function, muster_error_detail());
}

/* ---- operations, which are on threads of streams ---- */

/* Where one writes, too: what has failed leaves NaN there, or 0 where there is none, so that nobody computes
 * with elements that are half reduced. */
typedef struct operation {
    const char *name; /* of MLX's */
    MPI_Comm comm;
    turn turn;
    void *out;
    size_t out_bytes;
    bool is_inexact;
    bool has_all; /* `out` has as much of each rank: begin() counts that */
} operation;

static _Noreturn void fail_operation(const operation *failed, const char *sentence)
{
    if (failed->out_bytes > 0) /* all bits are NaN, in each float and in half of one */
        memset(failed->out, failed->is_inexact ? 0xff : 0, failed->out_bytes);
    mpi_fail_on_stream(failed->name, sentence);
}

static void end(const operation *ended, muster_status status)
{
    const char *advice = "";
    char sentence[800];

    if (status == MUSTER_ERR_MISMATCH && ended->turn == TURN_COLLECTIVE)
        advice = streams_advice(streams_of(ended->comm), muster_error_detail());
    end_turn(ended->comm, ended->turn);
    if (status == MUSTER_OK)
        return;
    snprintf(sentence, sizeof sentence, "%s%s", muster_error_detail(), advice);
    fail_operation(ended, sentence);
}

static muster_group *begin(operation *begun)
{
    const char *why;
    muster_group *group = begin_turn(begun->comm, begun->turn, &why);

    if (!group)
        fail_operation(begun, why);
    if (begun->has_all)
        begun->out_bytes *= (size_t)muster_group_size(group);
    if (begun->turn == TURN_COLLECTIVE) {
        muster_status status = streams_enter(streams_of(begun->comm), group);
        if (status != MUSTER_OK)
            end(begun, status);
    }
    return group;
}

/* ---- communicators ---- */

int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
    *rank = muster_group_rank(group_of("rank", comm));
    return MPI_SUCCESS;
}

int MPI_Comm_size(MPI_Comm comm, int *size)
{
    *size = muster_group_size(group_of("size", comm));
    return MPI_SUCCESS;
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *made)
{
    muster_group *parent = group_of("split", comm), *child = NULL;

    check("split",
          muster_group_split(parent, color == MPI_UNDEFINED ? MUSTER_COLOR_NONE : color, key, &child));
    *made = MPI_COMM_NULL;
    if (!child)
        return MPI_SUCCESS;
    *made = comms_make(child);
    if (!*made) {
        muster_group_free(child);
        mpi_fail("split", "no memory");
    }
    return MPI_SUCCESS;
}

int MPI_Comm_free(MPI_Comm *comm)
{
    if (comm && *comm && *comm != &ompi_mpi_comm_world) {
        comms_drop(*comm);
        *comm = MPI_COMM_NULL;
    }
    return MPI_SUCCESS;
}

/* ---- beginning and end ---- */

int MPI_Get_library_version(char *version, int *length)
{
    *length = snprintf(version, MPI_MAX_LIBRARY_VERSION_STRING,
                       "muster %s, with the interface of Open MPI v4.1 as MLX uses it", muster_version());
    return MPI_SUCCESS;
}

/* Without a launcher a world of one, which MLX declines, and goes on to its other backends. */
int MPI_Init(int *argc, char ***argv)
{
    muster_group *group = NULL;

    (void)argc, (void)argv;
    check("init", muster_init(false, NULL, &group));
    comms_set_world(group);
    return MPI_SUCCESS;
}

/* Nothing: operations may still be under way on other threads, and may yet be called. The rank leaves its
 * groups when the process ends, and that tells whoever still waits for it. */
int MPI_Finalize(void)
{
    return MPI_SUCCESS;
}

/* ---- types ---- */

/*
 * MLX makes two types, of two bytes each: float16, then bfloat16. To move them, it is enough that all ranks
 * have them in one order, and keeps them apart; to reduce them, the operation says which it is (ops.h).
 */
typedef struct contiguous_type {
    size_t bytes;       /* of one element */
    muster_dtype dtype; /* MUSTER_UINT8: what else a program makes, moved by bytes */
} contiguous_type;

static muster_dtype dtype_of_made(size_t bytes)
{
    static atomic_int halves;
    int before = bytes == 2 ? atomic_fetch_add(&halves, 1) : 2;

    return before == 0 ? MUSTER_FLOAT16 : before == 1 ? MUSTER_BFLOAT16 : MUSTER_UINT8;
}

static bool find_dtype(MPI_Datatype type, muster_dtype *dtype)
{
    static const struct {
        const mpi_object *type;
        muster_dtype dtype;
    } rows[] = {
        { &ompi_mpi_c_bool, MUSTER_BOOL },     { &ompi_mpi_int8_t, MUSTER_INT8 },
        { &ompi_mpi_uint8_t, MUSTER_UINT8 },   { &ompi_mpi_int16_t, MUSTER_INT16 },
        { &ompi_mpi_uint16_t, MUSTER_UINT16 }, { &ompi_mpi_int32_t, MUSTER_INT32 },
        { &ompi_mpi_uint32_t, MUSTER_UINT32 }, { &ompi_mpi_int64_t, MUSTER_INT64 },
        { &ompi_mpi_uint64_t, MUSTER_UINT64 }, { &ompi_mpi_float, MUSTER_FLOAT32 },
        { &ompi_mpi_double, MUSTER_FLOAT64 },  { &ompi_mpi_c_complex, MUSTER_COMPLEX64 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (type != rows[i].type)
            continue;
        *dtype = rows[i].dtype;
        return true;
    }
    return false;
}

/* What is to be moved: elements of a dtype, or bytes. */
typedef struct extent {
    muster_dtype dtype;
    size_t count;
    size_t element_bytes;
    size_t bytes;
    bool is_made;
    bool is_inexact; /* floats or complex numbers, as is what MLX makes types for */
} extent;

static extent extent_of(const char *function, int count, MPI_Datatype type)
{
    extent extent = { MUSTER_UINT8, (size_t)count, 1, 0, true, true };

    if (count < 0)
        mpi_fail(function, "the count is negative: an array has more than 2147483647 elements, which this "
                           "interface cannot say; use smaller arrays");
    if (!type)
        mpi_fail(function, "the datatype is NULL");
    if (find_dtype(type, &extent.dtype)) {
        extent.element_bytes = muster_dtype_size(extent.dtype);
        extent.is_made = false;
        extent.is_inexact = extent.dtype == MUSTER_FLOAT32 || extent.dtype == MUSTER_FLOAT64 ||
                            extent.dtype == MUSTER_COMPLEX64;
    } else {
        const contiguous_type *made = type;
        extent.element_bytes = made->bytes;
        extent.dtype = made->dtype;
        extent.count *= made->bytes / muster_dtype_size(made->dtype);
    }
    extent.bytes = (size_t)count * extent.element_bytes;
    return extent;
}

int MPI_Type_contiguous(int count, MPI_Datatype of, MPI_Datatype *made)
{
    extent whole = extent_of("init", count, of);
    contiguous_type *type = malloc(sizeof *type);

    if (!type)
        mpi_fail("init", "no memory");
    *type = (contiguous_type){ whole.bytes, dtype_of_made(whole.bytes) };
    *made = type;
    return MPI_SUCCESS;
}

int MPI_Type_commit(MPI_Datatype *type)
{
    (void)type;
    return MPI_SUCCESS;
}

/* ---- reductions ---- */

typedef struct user_op {
    MPI_User_function *function;
    pthread_mutex_t lock;
    bool tried[2]; /* on elements of two bytes, on complex numbers */
    bool known[2];
    known_op as[2];
} user_op;

int MPI_Op_create(MPI_User_function *function, int commutes, MPI_Op *made)
{
    user_op *op = calloc(1, sizeof *op);

    (void)commutes; /* all are reduced in the order of the ranks */
    if (!op)
        mpi_fail("init", "no memory");
    op->function = function;
    pthread_mutex_init(&op->lock, NULL);
    *made = op;
    return MPI_SUCCESS;
}

static bool predefined(MPI_Op op, muster_op *found)
{
    if (op == &ompi_mpi_op_sum)
        *found = MUSTER_SUM;
    else if (op == &ompi_mpi_op_max)
        *found = MUSTER_MAX;
    else if (op == &ompi_mpi_op_min)
        *found = MUSTER_MIN;
    else
        return false;
    return true;
}

/* Whether a user operation is one of ours on elements of this type; tried once, on its first use with such.
 */
static bool recognise(user_op *op, MPI_Datatype type, const extent *extent, known_op *known)
{
    bool complex = extent->dtype == MUSTER_COMPLEX64;

    if (!complex && !(extent->is_made && extent->element_bytes == 2))
        return false;
    pthread_mutex_lock(&op->lock);
    if (!op->tried[complex]) {
        op->known[complex] = complex ? recognise_complex(op->function, type, &op->as[1])
                                     : recognise_half(op->function, type, &op->as[0]);
        op->tried[complex] = true;
    }
    *known = op->as[complex];
    bool found = op->known[complex];
    pthread_mutex_unlock(&op->lock);
    return found;
}

/* An operation that is not ours: everything from everyone, reduced here in the order of the ranks. */
static void reduce_as_given(operation *reduction, user_op *op, const void *in, int count, MPI_Datatype type)
{
    size_t bytes = reduction->out_bytes;
    muster_group *group = begin(reduction);
    size_t size = (size_t)muster_group_size(group); /* the group may be freed before the turn, and after */
    unsigned char *all = malloc(size * bytes + 1);

    if (!all) {
        end_turn(reduction->comm, reduction->turn);
        fail_operation(reduction, "no memory for the inputs of all ranks");
    }
    muster_status status = muster_all_gather(in, all, bytes, MUSTER_UINT8, group);
    if (status != MUSTER_OK)
        free(all);
    end(reduction, status);
    for (size_t rank = 1; rank < size && count > 0; rank++)
        op->function(all + (rank - 1) * bytes, all + rank * bytes, &count, &type);
    if (bytes > 0)
        memcpy(reduction->out, all + (size - 1) * bytes, bytes);
    free(all);
}

/* MLX's name of it. */
static const char *name_of(muster_op op)
{
    return op == MUSTER_MAX ? "all_max" : op == MUSTER_MIN ? "all_min" : "all_sum";
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    known_op known = { MUSTER_UINT8, MUSTER_SUM };
    bool is_predefined = predefined(op, &known.op);
    const char *name = is_predefined ? name_of(known.op) : "all_reduce";
    extent extent = extent_of(name, count, type);
    operation reduction = { name, comm, TURN_COLLECTIVE, out, extent.bytes, extent.is_inexact, false };

    if (in == MPI_IN_PLACE)
        in = out;
    if (is_predefined) {
        if (!find_dtype(type, &known.dtype))
            mpi_fail(name, "a predefined operation on a derived type");
    } else if (!op) {
        mpi_fail(name, "the operation is NULL");
    } else if (!recognise(op, type, &extent, &known)) {
        reduce_as_given(&reduction, op, in, count, type);
        return MPI_SUCCESS;
    }
    reduction.name = name_of(known.op);
    muster_group *group = begin(&reduction);
    end(&reduction, muster_all_reduce(in, out, (size_t)count, known.dtype, known.op, group));
    return MPI_SUCCESS;
}

/* ---- the rest ---- */

int MPI_Allgather(const void *in, int in_count, MPI_Datatype in_type, void *out, int out_count,
                  MPI_Datatype out_type, MPI_Comm comm)
{
    extent whole = extent_of("all_gather", out_count, out_type);
    operation gather = { "all_gather", comm, TURN_COLLECTIVE, out, whole.bytes, whole.is_inexact, true };

    if (in != MPI_IN_PLACE && extent_of("all_gather", in_count, in_type).count != whole.count)
        mpi_fail("all_gather", "sends and receives different counts");
    muster_group *group = begin(&gather);
    if (in == MPI_IN_PLACE)
        in = (const unsigned char *)out + (size_t)muster_group_rank(group) * whole.bytes;
    end(&gather, muster_all_gather(in, out, whole.count, whole.dtype, group));
    return MPI_SUCCESS;
}

int MPI_Send(const void *buf, int count, MPI_Datatype type, int dst, int tag, MPI_Comm comm)
{
    extent extent = extent_of("send", count, type);
    operation send = { "send", comm, TURN_SEND, NULL, 0, false, false };
    muster_group *group = begin(&send);

    (void)tag; /* MLX sends with 0 and receives any */
    end(&send, muster_send(buf, extent.count, extent.dtype, dst, 0, group));
    return MPI_SUCCESS;
}

int MPI_Recv(void *buf, int count, MPI_Datatype type, int src, int tag, MPI_Comm comm, MPI_Status *status)
{
    extent extent = extent_of("recv", count, type);
    operation receive = { "recv", comm, TURN_RECEIVE, buf, extent.bytes, extent.is_inexact, false };
    muster_group *group = begin(&receive);

    end(&receive, muster_recv(buf, extent.count, extent.dtype, src, 0, group, NULL));
    if (status)
        *status = (MPI_Status){ src, tag < 0 ? 0 : tag, MPI_SUCCESS, 0, extent.bytes };
    return MPI_SUCCESS;
}
