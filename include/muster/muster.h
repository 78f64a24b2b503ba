/*
 * muster: process groups on one machine, through shared memory.
 *
 * The ranks of a job attach to one shared-memory arena and do collectives and messages through it. A
 * program is started by `muster run -n 4 -- ./program`; without the launcher it is a group of one.
 *
 * Example:
 *
 *     float x[3] = { 1, 2, 3 };
 *     muster_group *world;
 *     if (muster_init(false, NULL, &world) != MUSTER_OK ||
 *         muster_all_sum(x, x, 3, MUSTER_FLOAT32, world) != MUSTER_OK)
 *         fprintf(stderr, "%s\n", muster_error_detail());
 *     muster_group_free(world);
 *
 * These rules hold for every function:
 *
 *   Status    Every function that can fail returns a muster_status; MUSTER_OK is 0. Outputs are written
 *             only on success. muster_error_detail() has one sentence about this thread's last error:
 *             what was wrong, what was expected, what to do.
 *   Counts    Counts are elements, not bytes. A count of 0 moves nothing, synchronises all the same,
 *             and lets buffers be NULL. Buffers may have any alignment.
 *   Order     All ranks of a group call the same collectives on it in the same order. If they do not,
 *             every rank gets MUSTER_ERR_MISMATCH before any data has moved.
 *   Blocking  A collective returns when this rank's part is done, and waits for other ranks until then.
 *             Its buffers may be overwritten or freed as soon as it returns. A function of which nothing
 *             says that it waits or blocks does neither.
 *   In place  A reduction or broadcast is in place when `in == out`. A gather or scatter is in place
 *             when the smaller buffer is this rank's block of the larger one, `base + rank * count`
 *             (the rule of NCCL). Any other overlap of `in` and `out` is MUSTER_ERR_INVALID.
 *   Bits      A reduction combines the ranks' elements in rank order, 0 to n - 1. All ranks get the
 *             same bits, whatever the message size, the algorithm or the instruction set.
 *   Threads   One thread at a time may be in a call of each class of a group (muster_call_class); a
 *             second one gets MUSTER_ERR_BUSY. Calls of different classes or different groups may run
 *             at the same time. With MUSTER_THREADS_MULTIPLE several threads may send, receive, probe, and
 *             wait for messages in one group at the same time.
 *   Faults    When a rank dies, or leaves a group, while others need it, all of them get
 *             MUSTER_ERR_PEER_DIED. A rank that is slow, stopped or debugged is not dead. After
 *             PEER_DIED, TIMED_OUT, MISMATCH, DEADLOCK or ABORTED the group is broken for good: every
 *             later call on it returns the same status. Other groups are not affected. After an error
 *             the contents of output buffers are undefined. The living ranks can make a new group with
 *             muster_group_shrink.
 *   Deadlock  Ranks that wait for each other in a cycle get MUSTER_ERR_DEADLOCK 0.1 s after the cycle
 *             has closed; the error detail shows the cycle. A receive from any source waits for all
 *             ranks that could send: it is in a cycle if all of them are. A wait for any of several
 *             operations is in one if each of them waits for a rank that is. The timeout of a group does
 *             not keep a wait that would break the group out of a cycle: DEADLOCK comes sooner and says
 *             more. This covers messages, and calls in different groups. It covers only processes that have
 *             no other thread, or that set MUSTER_ONE_THREAD, or (within 1 s) whose other threads all wait,
 *             without a limit, for a thread of the process, and that handle no signal but SIGINT and those
 *             of crashes: else another thread could still end the wait.
 *   Fork      A child that a rank forks gets MUSTER_ERR_FORKED when it uses the rank's groups. The
 *             child may call muster_init if its environment names another world, or none.
 *   Versions  A struct that can grow begins with `struct_size`. Later versions append fields, for which
 *             zero means the default, so a program runs with the library of another version than its
 *             header. A program initialises such a struct with the macro of its name,
 *             MUSTER_CONFIG_INIT and the like, which sets struct_size and leaves everything else zero.
 *             In a struct that the library hands out, struct_size says how many bytes that library's
 *             version has.
 */
#ifndef MUSTER_MUSTER_H
#define MUSTER_MUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MUSTER_VERSION_MAJOR 0
#define MUSTER_VERSION_MINOR 1
#define MUSTER_VERSION_PATCH 0

#if defined(__GNUC__)
#define MUSTER_API __attribute__((visibility("default")))
#else
#define MUSTER_API
#endif

/* The value of the _INIT macros. It is a function in C++, where g++ -Wextra warns of every list that
 * leaves fields out; in C it warns of `{ sizeof(type) }`, and not of this. */
#ifdef __cplusplus
extern "C++" {
template <typename T> inline T muster_sized()
{
    T made = T();
    made.struct_size = sizeof(T);
    return made;
}
}
#define MUSTER_SIZED(type) muster_sized<type>()
#else
#define MUSTER_SIZED(type)                                                                                   \
    {                                                                                                        \
        .struct_size = sizeof(type)                                                                          \
    }
#endif

/* ---- status ------------------------------------------------------------------------------- */

/*
 * Example:
 *
 *     muster_status status = muster_barrier(world);
 *     if (status != MUSTER_OK)
 *         fprintf(stderr, "%s: %s\n", muster_status_string(status), muster_error_detail());
 */

/* What a function returns. The comments say what is lost by an error: the call, the group, or more. */
typedef enum muster_status {
    MUSTER_OK = 0,
    /* The call has failed; the group can be used as before. */
    MUSTER_ERR_INVALID,     /* an argument or a MUSTER_* variable is not valid */
    MUSTER_ERR_UNSUPPORTED, /* valid, but not supported by the group's backend */
    MUSTER_ERR_NO_SPACE,    /* no arena memory; the detail has the sizes and a remedy */
    MUSTER_ERR_BUSY,        /* another thread is in such a call, or it is in use otherwise: see each */
    MUSTER_ERR_FORKED,      /* called in a forked child of the rank */
    /* The group is broken for good. */
    MUSTER_ERR_PEER_DIED, /* a rank died or left while others needed it */
    MUSTER_ERR_TIMED_OUT, /* a deadline that the user has set is over; the detail names the missing ranks */
    MUSTER_ERR_MISMATCH,  /* ranks made different calls; the detail shows both */
    MUSTER_ERR_DEADLOCK,  /* ranks wait for each other in a cycle */
    MUSTER_ERR_ABORTED,   /* a rank called muster_group_abort, or was interrupted */
    /* The arena cannot be used. */
    MUSTER_ERR_BAD_ARENA,  /* not an arena, or of another version, or damaged */
    MUSTER_ERR_PERMISSION, /* the arena belongs to another user, or is open to other users */
    /* The process or the system has a problem. */
    MUSTER_ERR_NO_MEMORY,  /* malloc has failed */
    MUSTER_ERR_SYSTEM,     /* a system call has failed; the detail says which and why */
    MUSTER_ERR_UNAVAILABLE /* no such backend, or `strict` and not started by a launcher */
} muster_status;

/* Returns the name of a status, such as "peer died"; never NULL. (MPI_Error_string) */
MUSTER_API const char *muster_status_string(muster_status status);

/* Returns one sentence about this thread's last error, or "" when there was none. The text is valid
 * until the thread's next muster call. (ncclGetLastError) */
MUSTER_API const char *muster_error_detail(void);

/* The ways in which a rank can end. */
typedef enum muster_termination_kind {
    MUSTER_TERMINATION_NONE,     /* it lives, or nobody knows */
    MUSTER_TERMINATION_EXITED,   /* it exited; code: the exit status */
    MUSTER_TERMINATION_SIGNALED, /* a signal killed it; code: the signal */
    MUSTER_TERMINATION_VANISHED, /* it is gone, and nobody knows how */
    MUSTER_TERMINATION_EXECED,   /* its process executes another program */
    MUSTER_TERMINATION_CRASHED   /* it is writing its core file; the signal is not known yet */
} muster_termination_kind;

/* How a rank ended. */
typedef struct muster_termination {
    muster_termination_kind kind;
    int code; /* the exit status or the signal; otherwise 0 */
} muster_termination;

/* Writes how a rank ended, in words that follow its name: "was killed by signal 9 (Killed)", "exited
 * with status 3". `bytes` is the size of `text`; what does not fit is cut off. */
MUSTER_API void muster_termination_describe(muster_termination termination, char *text, size_t bytes);

#define MUSTER_CALL_NAME_BYTES 40  /* of the name of a call, "reduce_scatterv(premul_sum)", with its 0 */
#define MUSTER_GROUP_NAME_BYTES 32 /* of a group's name, with its 0 */

/* The parts of an error, for programs and bindings that decide by them; the sentence has all in words. */
typedef struct muster_error_info {
    size_t struct_size;             /* set by MUSTER_ERROR_INFO_INIT */
    muster_status status;           /* MUSTER_OK: this thread has had no error */
    int rank;                       /* whom it is about, in the group; -1: nobody, or it is not known */
    muster_termination termination; /* how that rank ended; kind NONE: it has not, or nobody knows */
    int64_t deadline_ns;            /* of TIMED_OUT: the limit that passed; 0: none */
    char operation[MUSTER_CALL_NAME_BYTES];   /* the call that failed, such as "all_sum", "all_sum_start" or
                                                 "wait_any"; "": none of a group */
    char group_name[MUSTER_GROUP_NAME_BYTES]; /* of muster_group_set_name */
    uint64_t group;                           /* the group's number, as in muster_seen_call; 0: none */
} muster_error_info;

#define MUSTER_ERROR_INFO_INIT MUSTER_SIZED(muster_error_info)

/*
 * Fills in *info with the parts of this thread's last error, of which muster_error_detail has the
 * sentence. `rank` is the rank that died or left (PEER_DIED), that has not come (TIMED_OUT: the first of
 * them), that asked for something else (MISMATCH; of two that disagree, the other one), that aborted
 * or was interrupted (ABORTED), or that has no memory (NO_SPACE). Errors: INVALID, which is the last error
 * then.
 */
MUSTER_API muster_status muster_last_error(muster_error_info *info);

/* Returns the library's version, "0.1.0". (MPI_Get_library_version) */
MUSTER_API const char *muster_version(void);

/* ---- element types ------------------------------------------------------------------------ */

/*
 * Example:
 *
 *     size_t bytes = 1000 * muster_dtype_size(MUSTER_BFLOAT16);
 *     printf("1000 x %s: %zu bytes\n", muster_dtype_name(MUSTER_BFLOAT16), bytes);
 */

/* The type of the elements of a buffer. */
typedef enum muster_dtype {
    MUSTER_BOOL, /* one byte; 0 is false, any other value true; results are 0 or 1 */
    MUSTER_INT8,
    MUSTER_INT16,
    MUSTER_INT32,
    MUSTER_INT64,
    MUSTER_UINT8,
    MUSTER_UINT16,
    MUSTER_UINT32,
    MUSTER_UINT64,
    MUSTER_FLOAT16,
    MUSTER_BFLOAT16,
    MUSTER_FLOAT32,
    MUSTER_FLOAT64,
    MUSTER_COMPLEX64,  /* two float32: real, imaginary */
    MUSTER_COMPLEX128, /* two float64 */
    /* The 8-bit floats of the Open Compute Project, as torch.float8_e4m3fn and torch.float8_e5m2: E4M3 has
     * no infinity, one NaN of each sign, and 448 as its largest value, which larger results become. E5M2 is
     * the upper half of a float16: what rounds to more than 57344 is infinite. (PyTorch 2.13) */
    MUSTER_FLOAT8_E4M3,
    MUSTER_FLOAT8_E5M2,
    /* Pairs of a value and an index, for MUSTER_MAXLOC and MUSTER_MINLOC. */
    MUSTER_INT32_INT32,          /* muster_int32_int32 */
    MUSTER_INT64_INT64,          /* muster_int64_int64 */
    MUSTER_FLOAT32_INT32,        /* muster_float32_int32 */
    MUSTER_FLOAT64_INT64,        /* muster_float64_int64 */
    MUSTER_BYTES_OF = 0x40000000 /* and above: MUSTER_BYTES */
} muster_dtype;

#define MUSTER_DTYPE_COUNT 21 /* without MUSTER_BYTES */

/* Elements of `n` bytes, from 1 to 2^30 - 1, of which muster knows nothing more: they are moved, and reduced
 * by operations that the program makes (muster_op_create). Another `n` gives a value that is no dtype. */
#define MUSTER_BYTES(n) ((muster_dtype)(MUSTER_BYTES_OF + ((size_t)(n) < 0x40000000 ? (int)(n) : 0)))

/* The elements of the dtypes of pairs. */
typedef struct muster_int32_int32 {
    int32_t value, index;
} muster_int32_int32;
typedef struct muster_int64_int64 {
    int64_t value, index;
} muster_int64_int64;
typedef struct muster_float32_int32 {
    float value;
    int32_t index;
} muster_float32_int32;
typedef struct muster_float64_int64 {
    double value;
    int64_t index;
} muster_float64_int64;

/* Returns the bytes of one element; 0 for a value that is no dtype. (MPI_Type_size) */
MUSTER_API size_t muster_dtype_size(muster_dtype dtype);

/* Returns "float32" and the like, "bytes" for MUSTER_BYTES(n); NULL for a value that is no dtype. */
MUSTER_API const char *muster_dtype_name(muster_dtype dtype);

/*
 * How a reduction combines two elements. These operations work with these dtypes, and with no others:
 *
 *                 SUM           PROD          MAX, MIN         AVG          BAND, BOR, BXOR
 *     bool        or            and           or, and          -            and, or, exclusive or
 *     integers    wraps         wraps         numeric          -            by bit
 *     8-bit and
 *     16-bit
 *     floats      in float32    in float32    NaN wins         in float32   -
 *     float32     in the type   in the type   NaN wins         in the type  -
 *     float64     in the type   in the type   NaN wins         in the type  -
 *     complex     by part       (ac-bd,       real, then       by part      -
 *                               ad+bc)        imaginary part
 *
 * SUM and PROD of floats of 8 and 16 bits reduce all ranks' elements in float32 and round once, to nearest
 * even. MAX and MIN have -0 < +0. When several elements are NaN, the result is the NaN of the lowest rank,
 * made quiet. AVG is the sum divided by the number of ranks in it, which in scans are those up to this one;
 * the quotient is rounded once. Integers have no AVG, as in Gloo: few means are integers. (ncclAvg)
 *
 * MAXLOC and MINLOC work with pairs, and nothing else does: the result is the pair of the greatest or
 * smallest value, by the order of MAX and MIN, and of several such pairs that of the lowest index. A NaN
 * wins. (MPI_MAXLOC)
 *
 * Operations of the program's own (muster_op_create) have other numbers, and work with every dtype.
 */
typedef enum muster_op {
    MUSTER_SUM,
    MUSTER_PROD,
    MUSTER_MAX,
    MUSTER_MIN,
    MUSTER_AVG,
    MUSTER_BAND,
    MUSTER_BOR,
    MUSTER_BXOR,
    MUSTER_MAXLOC,
    MUSTER_MINLOC,
    MUSTER_OP_CREATED = 0x40000000 /* and above: made by muster_op_create */
} muster_op;

#define MUSTER_OP_COUNT 10 /* without those of the program */

/* ---- operations of the program ------------------------------------------------------------ */

/*
 * A program makes an operation, uses it in place of a constant of muster_op, and frees it.
 *
 * Example:
 *
 *     static void gcd(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
 *     {
 *         uint32_t *a = (uint32_t *)acc;
 *         const uint32_t *b = (const uint32_t *)next;
 *         (void)dtype, (void)arg;
 *         for (size_t i = 0; i < count; i++)
 *             for (uint32_t divisor = b[i], rest; divisor; a[i] = divisor, divisor = rest)
 *                 rest = a[i] % divisor;
 *     }
 *
 *     int main(void)
 *     {
 *         muster_group *world;
 *         muster_op op;
 *         uint32_t x = 12;
 *         if (muster_init(false, NULL, &world) == MUSTER_OK &&
 *             muster_op_create("gcd", gcd, NULL, true, &op) == MUSTER_OK) {
 *             muster_all_reduce(&x, &x, 1, MUSTER_UINT32, op, world);
 *             muster_op_free(op);
 *         }
 *         return 0;
 *     }
 */

/*
 * acc[i] = acc[i] op next[i], for `count` elements of `dtype`. The arrays do not overlap. Both are aligned as
 * the ranks' `in` buffers are, at most to 16 bytes. It runs on the thread that makes progress with the
 * operation, also on the one of MUSTER_PROGRESS_THREAD, in which all signals are blocked; ranks that are
 * threads run it at the same time. It must return (no longjmp), and must not call muster, except for
 * muster_group_abort, by which it fails: every rank gets ABORTED, except those whose result includes nothing
 * that was combined after that, and was complete before.
 */
typedef void (*muster_op_fn)(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg);

#define MUSTER_OP_NAME_BYTES 16 /* of a name, with its terminating 0 */

/*
 * Makes an operation for all_reduce, reduce, reduce_scatter, and what else takes a muster_op, with every
 * dtype, MUSTER_BYTES and pairs included.
 * Local: each rank makes its own, and ranks that use it together give it one name, which they compare, and
 * which sentences show. It is always applied in the order of ranks, to in_0 first; `commutative` is for the
 * reader, as in MPI, and changes nothing. How many elements a call of `fn` gets is not defined. It holds for
 * the process and its forked children. A name has 1 to 15 bytes, without control characters. Errors: INVALID;
 * NO_SPACE when the process has 1024 operations. (MPI_Op_create)
 */
MUSTER_API muster_status muster_op_create(const char *name, muster_op_fn fn, void *arg, bool commutative,
                                          muster_op *op);

/*
 * Makes the operation that multiplies the elements of each rank by that rank's factor, and adds the products
 * in the order of ranks. *scalar is this rank's factor, an element of `dtype`, which is the dtype of the
 * calls: integers, which wrap, floats, or complex numbers. Floats of 8 and 16 bits are multiplied and added
 * in float32, and rounded once. Ranks may have different factors. Errors: as muster_op_create.
 * (ncclRedOpCreatePreMulSum)
 */
MUSTER_API muster_status muster_op_create_premul_sum(const void *scalar, muster_dtype dtype, muster_op *op);

/* Frees an operation of this process. Operations that were started with it are completed all the same; a call
 * that begins later gets INVALID. Errors: INVALID for any other value. (MPI_Op_free) */
MUSTER_API muster_status muster_op_free(muster_op op);

/* ---- worlds ------------------------------------------------------------------------------- */

/*
 * Example:
 *
 *     muster_config config = MUSTER_CONFIG_INIT;
 *     config.arena = "/my-job";
 *     config.rank = 0;
 *     config.size = 1;
 *     config.timeout_ns = 30 * 1000000000LL;
 *     muster_group *mine;
 *     if (muster_attach(&config, &mine) == MUSTER_OK)
 *         muster_group_free(mine);
 */

/* An ordered set of ranks that operate together; a communicator of MPI. The group of all ranks is the
 * world. */
typedef struct muster_group muster_group;

/* Returns whether a backend of that name is there: NULL, "any" and "shm" are, and "mpi" where the plug-in
 * for the MPI that has started this process is installed, or for any MPI. (is_available of MLX) */
MUSTER_API bool muster_is_available(const char *backend);

/*
 * Gives the world that the environment describes. `muster run` and muster_launch set these variables,
 * or the user does:
 *
 *   MUSTER_ARENA           "fd:N", inherited from the launcher; or "/name", under which ranks that are
 *                          started by hand meet, in any order.
 *   MUSTER_RANK            This process's rank, from 0.
 *   MUSTER_SIZE            The number of ranks.
 *   MUSTER_ATTACH_TIMEOUT  Seconds to wait for all ranks to attach. Unset: 30 with a name; no limit
 *                          with an inherited arena, since the launcher reports deaths.
 *   MUSTER_TIMEOUT         Seconds that one operation may wait. Unset: no limit.
 *   MUSTER_LIVENESS        How to detect that a rank has died: "futex" (the kernel changes a word that
 *                          a thread of the library watches; Linux 5.16), "tick" (the same word, read
 *                          every 5 to 20 ms of waiting), "pidfd", or "launcher" (only the launcher
 *                          tells). Unset: the first of these that the system has.
 *   MUSTER_REPORT_CRASHES  1: as if muster_report_crashes were called.
 *   MUSTER_RESTARTS        How many earlier processes of this rank have died; set by a launcher that
 *                          starts ranks again. Above 0, muster_init waits until the others call
 *                          muster_group_grow, and the world is the group that this makes.
 *   MUSTER_EXACT_TIMES     1: records have times of 1 ns resolution, for some 80 ns per operation.
 *   MUSTER_LOG             "warn", "info" or "debug": write log lines of up to that level to stderr.
 *   MUSTER_MPI             Which plug-in "mpi" uses: "openmpi", "mpich", or the path of one.
 *   MUSTER_FAKE_HOSTS      For tests: divides the ranks among pretended hosts. "3": so many, of consecutive
 *                          ranks; "0,1": the hosts of the ranks 0, 1, 2, ..., again and again.
 *   MUSTER_FAULT           Faults to inject, for tests. "rank=2:op=7:kill": rank 2 kills itself at its
 *                          seventh operation. Also "stop", "delay=50ms", and "flip", which inverts a
 *                          bit of the next result; several are separated by commas. Not used by
 *                          restarted ranks.
 *   MUSTER_CHAOS           A seed: random delays wherever ranks depend on each other, for tests.
 *   MUSTER_ONE_THREAD      1: one thread only of this rank calls muster, whatever others it has, so
 *                          that deadlocks are detected.
 *   MUSTER_THREADS_MULTIPLE  1: several threads of this rank may be in calls of messages of one group at
 *                          the same time. Each of these calls then takes a lock.
 *   MUSTER_PROGRESS_THREAD  1: a thread of the library makes progress of started operations while no
 *                           thread of this rank is in a call. It sleeps while nothing changes. In a world
 *                           over several hosts it also tells the other hosts of deaths on this one, and
 *                           looks every 10 us to 4 ms while something is under way, which a started receive
 *                           is until it has its message, and sleeps otherwise.
 *   MUSTER_ARENA_MALLOC    1: blocks of 64 KiB and more that the program allocates from then on lie in the
 *                          arena, so that its arrays are as fast as buffers of muster_alloc. It needs the
 *                          library that `muster run --arena-malloc` preloads, and an arena without a name;
 *                          where it cannot be, nothing changes but a line in the log.
 *
 * The backend is NULL or "any": what is there; "shm": ranks of one machine; or "mpi": the ranks that an
 * MPI's launcher, such as mpirun, has started, on one machine or several. "mpi" begins MPI unless the program
 * has, and MPI ends when the process exits, or when the program ends it; the rank then leaves its world.
 * For such ranks MPI's initialization has no limit. On several hosts a program that begins MPI itself gives
 * MPI_Init_thread at least MPI_THREAD_SERIALIZED for MUSTER_THREADS_MULTIPLE, and calls MPI in no other
 * thread meanwhile, and MPI_THREAD_MULTIPLE for MUSTER_PROGRESS_THREAD, which ends with the rank's last
 * group, and has to before the program ends MPI; with less: UNSUPPORTED. In processes that muster has
 * started, and in those that no MPI's launcher has while the program has begun no MPI, "mpi" is as "any". The
 * first call decides.
 *
 * Blocks until all ranks have attached. Without MUSTER_ARENA the world is a group of one or, with
 * `strict`, the result is MUSTER_ERR_UNAVAILABLE. Variables that describe a world that cannot be had
 * are an error, with `strict` or without. Later calls return the same group; each call is paired with
 * one muster_group_free. In a forked child muster_init reads the child's environment, and returns
 * FORKED while that still names the rank that forked it. Errors: those of muster_attach, UNAVAILABLE,
 * FORKED; UNSUPPORTED for what ranks on several machines do not have. (mx.distributed.init of MLX)
 */
MUSTER_API muster_status muster_init(bool strict, const char *backend, muster_group **world);

/* Returns true to end the wait. Called on the waiting thread every 5 to 20 ms. */
typedef bool (*muster_interrupt_fn)(void *arg);

/* Sets the interrupt function of muster_init and of the world that it makes, as
 * muster_group_set_interrupt does for a group. Call it before muster_init. It holds for the process;
 * `fn` NULL removes it. */
MUSTER_API void muster_set_interrupt(muster_interrupt_fn fn, void *arg);

/* How much to log; each level includes those before it. */
typedef enum muster_log_level {
    MUSTER_LOG_OFF,
    MUSTER_LOG_WARN, /* errors, and injected faults */
    MUSTER_LOG_INFO, /* groups and memory that are made and freed */
    MUSTER_LOG_DEBUG /* every call */
} muster_log_level;

/* Receives one line, without a newline, that is valid during the call. Several threads may call it at
 * once. It must not call muster. */
typedef void (*muster_log_fn)(muster_log_level level, const char *line, void *arg);

/* Logs what muster_init's world does, up to `level`, to `fn`, or to stderr when `fn` is NULL. Call it
 * before muster_init. It holds for the process and replaces MUSTER_LOG. The default is MUSTER_LOG_OFF. */
MUSTER_API void muster_set_log(muster_log_level level, muster_log_fn fn, void *arg);

/* Returns whether muster reads an environment variable of that name; true for names without "MUSTER_". */
MUSTER_API bool muster_is_variable(const char *name);

/* Returns the names of all environment variables that muster reads, sorted; the last is NULL. */
MUSTER_API const char *const *muster_variables(void);

/*
 * Finds out whether another launcher (mpirun, srun, torchrun) has started this process as one of
 * several ranks. Returns the variable that says so, WORLD_SIZE, OMPI_COMM_WORLD_SIZE, PMI_SIZE or
 * SLURM_NTASKS, and its value, 2 or more, in *size unless `size` is NULL. Returns NULL when there is
 * none, or muster's own variables are set. Unless it is asked for "mpi", muster_init does not read these
 * variables: such a process is a world of one.
 */
MUSTER_API const char *muster_other_launcher(int *size);

/* Returns how many CPUs this process can use, at least 1: its affinity mask, limited by the quota of
 * its control group. With more ranks than this, ranks share CPUs. */
MUSTER_API int muster_cpu_count(void);

/* What muster_init reads from the environment, for programs that set it themselves. */
typedef struct muster_config {
    size_t struct_size;            /* set by MUSTER_CONFIG_INIT */
    const char *arena;             /* "/name" or "fd:N"; NULL: a private arena, for a group of one */
    int rank;                      /* from 0 */
    int size;                      /* ranks of the world; 0: 1 */
    int64_t attach_timeout_ns;     /* 0: timeout_ns, or 30 s for a name when that is 0; -1: no limit */
    int64_t timeout_ns;            /* of one operation; 0: no limit. Time while the job is stopped is free */
    size_t arena_bytes;            /* address space of the arena, set by its creator; 0: 256 GiB */
    size_t staging_bytes;          /* staging of one rank in one group, likewise; 0: by the number of ranks */
    const char *liveness;          /* as MUSTER_LIVENESS; NULL: the best that the system has */
    bool report_crashes;           /* call muster_report_crashes */
    bool one_thread;               /* as MUSTER_ONE_THREAD */
    int restarts;                  /* as MUSTER_RESTARTS */
    muster_interrupt_fn interrupt; /* as muster_group_set_interrupt, and during attaching; NULL: none */
    void *interrupt_arg;
    bool exact_times; /* as MUSTER_EXACT_TIMES */
    muster_log_level log_level;
    muster_log_fn log; /* NULL: stderr */
    void *log_arg;
    const char *fault;     /* as MUSTER_FAULT; NULL: none */
    uint64_t chaos;        /* as MUSTER_CHAOS, for the process; 0: none */
    bool threads_multiple; /* as MUSTER_THREADS_MULTIPLE; not with one_thread */
    bool progress_thread;  /* as MUSTER_PROGRESS_THREAD */
    bool arena_malloc;     /* as MUSTER_ARENA_MALLOC; for one rank of a process */
} muster_config;

#define MUSTER_CONFIG_INIT MUSTER_SIZED(muster_config)

/*
 * Attaches to an arena as one rank. Blocks until all ranks have attached, or the deadline is over; the
 * error then names the missing ranks. Keeps no state outside the group that it returns, so one process
 * can attach as several ranks. Errors: INVALID, BAD_ARENA, PERMISSION, NO_SPACE, TIMED_OUT, PEER_DIED,
 * ABORTED (interrupted), NO_MEMORY, SYSTEM. (ncclCommInitRank)
 */
MUSTER_API muster_status muster_attach(const muster_config *config, muster_group **world);

/* ---- groups ------------------------------------------------------------------------------- */

/*
 * Example:
 *
 *     int rank = muster_group_rank(world);
 *     muster_group *pair;
 *     if (muster_group_split(world, rank / 2, rank, &pair) == MUSTER_OK) {
 *         muster_barrier(pair);
 *         muster_group_free(pair);
 *     }
 *
 * Example, after a rank has died:
 *
 *     muster_group *rest;
 *     if (muster_barrier(world) == MUSTER_ERR_PEER_DIED &&
 *         muster_group_shrink(world, &rest) == MUSTER_OK) {
 *         muster_group_free(world);
 *         world = rest;
 *     }
 */

/* Returns this process's rank in the group, from 0; -1 for NULL. (MPI_Comm_rank) */
MUSTER_API int muster_group_rank(const muster_group *group);

/* Returns the number of ranks of the group; 0 for NULL. (MPI_Comm_size) */
MUSTER_API int muster_group_size(const muster_group *group);

#define MUSTER_COLOR_NONE (-1) /* of a rank that is to be in no new group (MPI_UNDEFINED) */

/*
 * Makes a group of all ranks that give the same color. They are ordered by key; equal keys keep the
 * order of the parent, and `key` < 0 stands for the rank in the parent. A color is 0 or more, or
 * MUSTER_COLOR_NONE: that rank is in no new group, and *child is NULL. A collective over the parent;
 * blocks. Errors: INVALID; NO_SPACE, on all ranks of the color; those of any collective.
 * (MPI_Comm_split; Group.split of MLX)
 */
MUSTER_API muster_status muster_group_split(muster_group *group, int color, int key, muster_group **child);

/*
 * Makes a group with the same members in the same order, for a library that must not disturb the
 * messages and collectives of its caller. The copy has the timeout and the interrupt function of the
 * group, and no name. A collective over the group; blocks. Errors: NO_SPACE, on all ranks; those of any
 * collective; MISMATCH also when another rank called split. (MPI_Comm_dup)
 */
MUSTER_API muster_status muster_group_dup(muster_group *group, muster_group **copy);

/*
 * Makes a group of the `count` ranks of `group` that are in the list, in the order of the list. Only
 * these call it, all with the same list, and it blocks until all of them have. The other members of
 * `group` take no part, and may be in any call. So ranks may make disjoint subsets at the same time,
 * and overlapping ones in any order in which no ranks wait for each other in a cycle.
 *
 * Errors: INVALID when this rank is not in the list, or the list has a rank twice; NO_SPACE, on all ranks
 * of the list; MISMATCH when two ranks that are in each other's list give different lists; those of any
 * collective. MISMATCH, TIMED_OUT, DEADLOCK and PEER_DIED break `group`, not only the subset. After NO_SPACE
 * `group` is as before, with one exception: a rank that had no memory for its first subset of `group` cannot
 * be in a later one, but in those of a muster_group_dup of it. (MPI_Comm_create_group)
 */
MUSTER_API muster_status muster_group_subset(muster_group *group, const int *ranks, int count,
                                             muster_group **subset);

/*
 * Makes a new group of the living members of a group, in the old order, in fresh memory. The group is
 * usually broken, but may not be. A collective over the living members; it blocks until each of them
 * has called it or freed the group, whatever else happens.
 *
 * All ranks that get MUSTER_OK agree on the members of *survivors. A member may die just then: the new
 * group is then broken in its turn and can be shrunk again. The last rank gets a working group of one.
 *
 * A member that waits in another call of the group gets PEER_DIED once a rank has called this, so that
 * it can call it, too. No other thread should be in a call of the group. The old group remains, and
 * should be freed. Errors: INVALID, BUSY, FORKED; NO_SPACE, on all ranks, which may try again;
 * TIMED_OUT, when a living member has not called it within MUSTER_TIMEOUT; BAD_ARENA. (MPIX_Comm_shrink
 * of ULFM)
 */
MUSTER_API muster_status muster_group_shrink(muster_group *group, muster_group **survivors);

/*
 * Shrinks the group as muster_group_shrink, and adds the respawned ranks: the processes that the
 * launcher starts in place of dead ranks with MUSTER_ON_FAILURE_RESPAWN. Blocks until each dead rank has
 * one that has attached, and lives, or gets none, since no restarts are left. Members are ordered by
 * their rank in the world: when all dead ranks are replaced, every rank has its first number again;
 * otherwise the group is smaller.
 *
 * A collective over the living members of the world, or of a group that shrink or grow has made of it.
 * To a respawned rank muster_init gives the new group as its world. Groups that were split off are made
 * again by muster_group_split. Errors: those of shrink; TIMED_OUT also when a respawned rank has not
 * attached within MUSTER_TIMEOUT; MISMATCH when other ranks called shrink, after which all may try
 * again; INVALID for a group that split has made. (ncclCommGrow)
 */
MUSTER_API muster_status muster_group_grow(muster_group *group, muster_group **grown);

/* Returns the rank that member `rank` of `group` has in `other`, a group of the same process; -1 when
 * it is not a member, or there is no such rank or group. A respawned rank is not the same member as the
 * dead one. Never blocks. (MPI_Group_translate_ranks) */
MUSTER_API int muster_group_translate(const muster_group *group, int rank, const muster_group *other);

/*
 * Names the group, such as "tp:0": sentences of errors about it begin with the name, and muster inspect,
 * ps, trace and report and the functions that look from outside show it. Local: each rank names
 * its own, and usually all give the same name. Shares and queues have the name that the group had when they
 * were created. At most 31 bytes, without control characters; "" or NULL removes it. Errors: INVALID, FORKED,
 * BUSY. (MPI_Comm_set_name)
 */
MUSTER_API muster_status muster_group_set_name(muster_group *group, const char *name);

/* Returns the name that this rank has given the group; "" when it has none, and for NULL. The text is
 * valid until the name is set again, or the group is freed. (MPI_Comm_get_name) */
MUSTER_API const char *muster_group_name(const muster_group *group);

/*
 * Grids of ranks: arithmetic, for any number of ranks; no group is needed, and nothing blocks. `dims` are
 * the ranks along each of up to MUSTER_GRID_MAX dimensions. The last coordinate varies fastest.
 *
 * Example:
 *
 *     int dims[2] = { 0, 0 }, rank = muster_group_rank(world);
 *     if (muster_grid_dims(muster_group_size(world), 2, dims) == MUSTER_OK)
 *         printf("right of %d is %d\n", rank, muster_grid_neighbour(dims, 2, rank, 1, 1, true));
 */
#define MUSTER_GRID_MAX 8

/* Chooses the dims that are 0, so that all dims multiply to `size`: as equal as possible, the larger
 * first. Errors: INVALID when the others do not divide `size`, or it is above 2^20. (MPI_Dims_create) */
MUSTER_API muster_status muster_grid_dims(int size, int dimensions, int *dims);

/* Gives the coordinates of a rank. Errors: INVALID. (MPI_Cart_coords) */
MUSTER_API muster_status muster_grid_coordinates(const int *dims, int dimensions, int rank, int *coordinates);

/* Returns the rank that is `distance` steps from `rank` along a dimension, backwards when `distance` is
 * negative; MUSTER_RANK_NONE, with which messages do nothing, beyond the edge, unless the grid is
 * periodic there, and for arguments that are not valid. (MPI_Cart_shift) */
MUSTER_API int muster_grid_neighbour(const int *dims, int dimensions, int rank, int dimension, int distance,
                                     bool periodic);

/* Frees the group, and with it its arena buffers. Local; never blocks; `group` may be NULL. Members
 * that still need this rank in the group get PEER_DIED, "left the group". Errors: FORKED; BUSY when
 * another thread is in a call of the group, or a started operation is not finished. (MPI_Comm_free) */
MUSTER_API muster_status muster_group_free(muster_group *group);

/* Returns MUSTER_OK, or the status that has broken the group; muster_error_detail() then has the
 * sentence. Looks whether ranks have ended. Any thread may call it, at any time. Never blocks. Other errors:
 * INVALID, FORKED. (ncclCommGetAsyncError) */
MUSTER_API muster_status muster_group_status(const muster_group *group);

/* Breaks the group: every rank that is in a call of it, or makes one later, gets ABORTED with `reason`,
 * of which the first 250 bytes are used, with question marks for control characters, and which may be NULL.
 * Any thread may call it, at any time. Never blocks. Errors: INVALID, FORKED. (ncclCommAbort) */
MUSTER_API muster_status muster_group_abort(muster_group *group, const char *reason);

/*
 * Lets the other ranks learn of a crash of this one at once. Without it they learn when the kernel has
 * written the core file, or after waiting for 100 ms. Installs handlers of SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE and SIGABRT in the process, which report the crash and then do what would have happened
 * without them; not for programs that go on after such a signal. Holds for the rank of `group`, in all
 * its groups, until it has freed them all. Errors: INVALID, FORKED, NO_SPACE (64 ranks of this process
 * have called it).
 */
MUSTER_API muster_status muster_report_crashes(muster_group *group);

/*
 * Sets a function that can interrupt the waits of this rank in the group, and in groups made of it
 * later. It is called every 5 to 20 ms of a wait. When it returns true, the call ends with ABORTED, and
 * the group is broken: the others get ABORTED, "rank 2 was interrupted", since nobody can finish the
 * operation. In shrink, grow, wait_signal and the calls of queues only the call ends. For languages that
 * handle signals between instructions of their own, as Python does with Ctrl-C. `fn` NULL removes it.
 * While another thread is in a call of the group, or, over several hosts, of any group of its world, it can
 * be set where none has been yet, changed with the same `arg`, or removed; it may be called once more then.
 * Errors: INVALID, FORKED.
 */
MUSTER_API muster_status muster_group_set_interrupt(muster_group *group, muster_interrupt_fn fn, void *arg);

/*
 * Sets how long one operation of this rank in the group may wait, in place of MUSTER_TIMEOUT; 0: no
 * limit. It holds for operations that begin later, and for groups made of it later. Local: each rank
 * has its own. Errors: INVALID, FORKED, BUSY.
 */
MUSTER_API muster_status muster_group_set_timeout(muster_group *group, int64_t timeout_ns);

/* ---- collectives -------------------------------------------------------------------------- */

/*
 * All block, all are called by every rank of the group in the same order, and all fail alike. Errors:
 * INVALID (this rank alone; the group is as before), BUSY, FORKED, PEER_DIED, TIMED_OUT, MISMATCH,
 * DEADLOCK, ABORTED, BAD_ARENA; NO_SPACE, on all ranks, before anything has moved, in the first operation
 * of a group that needs more memory than small ones do, after which the group is as before.
 *
 * Example:
 *
 *     double mine[2] = { 1.5, 2.5 }, sum[2];
 *     if (muster_all_sum(mine, sum, 2, MUSTER_FLOAT64, world) != MUSTER_OK)
 *         fprintf(stderr, "%s\n", muster_error_detail());
 */

/* Every rank gets in_0[i] op in_1[i] op ... op in_n-1[i] in out[i]. `in` and `out` have `count`
 * elements. In place: in == out. (MPI_Allreduce) */
MUSTER_API muster_status muster_all_reduce(const void *in, void *out, size_t count, muster_dtype dtype,
                                           muster_op op, muster_group *group);

/* muster_all_reduce with MUSTER_SUM. (all_sum of MLX) */
MUSTER_API muster_status muster_all_sum(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);

/* muster_all_reduce with MUSTER_MAX. (all_max of MLX) */
MUSTER_API muster_status muster_all_max(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);

/* muster_all_reduce with MUSTER_MIN. (all_min of MLX) */
MUSTER_API muster_status muster_all_min(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);

/* Every rank gets the `in` of all ranks, in rank order. `in` has count_per_rank elements, `out` size x
 * count_per_rank. In place: in == out + rank x count_per_rank. (MPI_Allgather; all_gather of MLX) */
MUSTER_API muster_status muster_all_gather(const void *in, void *out, size_t count_per_rank,
                                           muster_dtype dtype, muster_group *group);

/* Rank r gets block r of the reduction of all ranks' `in`. `in` has size x count_per_rank elements,
 * `out` count_per_rank. In place: out == in + rank x count_per_rank. (MPI_Reduce_scatter_block) */
MUSTER_API muster_status muster_reduce_scatter(const void *in, void *out, size_t count_per_rank,
                                               muster_dtype dtype, muster_op op, muster_group *group);

/* muster_reduce_scatter with MUSTER_SUM. (sum_scatter of MLX) */
MUSTER_API muster_status muster_sum_scatter(const void *in, void *out, size_t count_per_rank,
                                            muster_dtype dtype, muster_group *group);

/* Every rank gets the root's `in` in `out`, both of `count` elements. `in` is used on the root only;
 * elsewhere it may be NULL. In place, on the root: in == out. (ncclBroadcast) */
MUSTER_API muster_status muster_broadcast(const void *in, void *out, size_t count, muster_dtype dtype,
                                          int root, muster_group *group);

/* The root gets what muster_all_reduce gives to all. `out` is used on the root only; elsewhere it may
 * be NULL. In place, on the root: in == out. (MPI_Reduce) */
MUSTER_API muster_status muster_reduce(const void *in, void *out, size_t count, muster_dtype dtype,
                                       muster_op op, int root, muster_group *group);

/* The root gets what muster_all_gather gives to all. `out` is used on the root only; elsewhere it may
 * be NULL. In place, on the root: in == out + root x count_per_rank. (MPI_Gather) */
MUSTER_API muster_status muster_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                       int root, muster_group *group);

/* Rank r gets block r of the root's `in`. `in` has size x count_per_rank elements, and is used on the
 * root only; elsewhere it may be NULL. `out` has count_per_rank. In place, on the root: out == in +
 * root x count_per_rank. (MPI_Scatter) */
MUSTER_API muster_status muster_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                        int root, muster_group *group);

/* Block r of this rank's `in` becomes block `rank` of rank r's `out`. Both have size x count_per_rank
 * elements and must not overlap. (MPI_Alltoall) */
MUSTER_API muster_status muster_all_to_all(const void *in, void *out, size_t count_per_rank,
                                           muster_dtype dtype, muster_group *group);

/* Returns when every rank has entered. What a rank wrote to memory before it is visible to all after
 * it. (MPI_Barrier) */
MUSTER_API muster_status muster_barrier(muster_group *group);

/* ---- several threads of a rank in one collective -------------------------------------------- */

/*
 * One thread cannot move memory as fast as a socket can. Where a rank has several threads anyway, they can do
 * a collective together: one of them, thread 0, calls it as ever, and each of the others calls muster_help
 * with its number. The helpers copy and reduce parts of what is large; what is small is done by thread 0, and
 * they only return. Ranks may have different numbers of threads, and other ranks see no difference. The bits
 * are those of one thread.
 *
 * The n-th call of muster_help by a number belongs to the n-th blocking collective of the group, scans and
 * those with a count for each rank included, since muster_group_set_threads. It returns when that has ended,
 * and then the results are there for its thread, too. A helper may be late, even as late as never: thread 0
 * waits for parts that a helper has begun, and for nothing else. So a helper whose collective has ended
 * returns at once. A helper that is early waits, without a limit of its own, and takes part in the collective
 * before. One that waits keeps the group from being freed, with BUSY: a barrier of the group lets it out, and
 * so does muster_abort.
 *
 * Started collectives, messages, shares, queues, and calls that make groups are not counted, and have no
 * helpers. Operations of the program (muster_op_create) that are functions are called by thread 0 alone.
 * Where ranks outnumber CPUs helpers only wait. While a helper waits, wait cycles are not looked for.
 * Helpers give no buffers: they use those that thread 0 was given.
 *
 * Example, of what each thread does after muster_group_set_threads; of OpenMP, as omp_get_thread_num():
 *
 *     float part[4096] = { 1 };
 *     int thread = 0;
 *     muster_status status = thread == 0 ? muster_all_sum(part, part, 4096, MUSTER_FLOAT32, world)
 *                                        : muster_help(world, thread);
 *     if (status != MUSTER_OK)
 *         fprintf(stderr, "%s\n", muster_error_detail());
 */

/*
 * Sets how many threads of this rank do collectives of the group together, from the next one on: 1 to 1024,
 * and 1 at first. Local: each rank has its own number. Groups that are made of it begin with 1. It holds for
 * the group until it is set again, and counts helpers' calls anew. Errors: INVALID; UNSUPPORTED, for more
 * than 1, in a group over several hosts; BUSY while another thread is in a collective or in muster_help of
 * the group; FORKED, NO_MEMORY.
 */
MUSTER_API muster_status muster_group_set_threads(muster_group *group, int threads);

/*
 * Helps in a collective that thread 0 of this rank calls, as thread `thread`, from 1 to one less than
 * muster_group_set_threads was given. Blocks until that collective has ended. Returns its status, with its
 * error detail. A call of thread 0 that is refused, with INVALID for example, is counted, and its status is
 * returned, but not one that is refused with BUSY. If the group breaks before thread 0 has come, what has
 * broken it is returned. Other errors: INVALID, for a number that the group has not, and of a call that comes
 * so late that more than 8 collectives have failed since; BUSY when another thread is in it by that number;
 * FORKED.
 */
MUSTER_API muster_status muster_help(muster_group *group, int thread);

/* ---- collectives with a count for each rank ----------------------------------------------- */

/*
 * As the collectives above, but each rank's block has a count of its own. `counts` and `displacements` are
 * arrays of one number per rank, in elements: how long block r is, and where it begins from the beginning of
 * the buffer. With displacements NULL the blocks are packed, one behind the other. A count may be 0, on
 * some ranks or all. Blocks of `in` may overlap each other; blocks of `out` that do are INVALID, and what is
 * between them is not written. A call is in place as its fixed form, when the one block is this rank's block
 * at its place in the larger buffer.
 *
 * Ranks whose counts disagree get MISMATCH, all of them, before any output is written: the detail names a
 * pair of ranks, and how much the one gives and the other takes. How long a call takes depends on what each
 * rank gives and takes in all, and not on the largest block.
 *
 * Example, in which every rank has as many numbers as its rank says:
 *
 *     size_t counts[64];
 *     int mine[64] = { 0 }, all[64 * 64], rank = muster_group_rank(world);
 *     for (int r = 0; r < muster_group_size(world); r++)
 *         counts[r] = (size_t)r;
 *     muster_all_gatherv(mine, counts[rank], all, counts, NULL, MUSTER_INT32, world);
 *
 * Example, in which only the root knows how much it broadcasts; each rank takes memory of its own for it,
 * and frees it. If one has no memory, all learn it before any of them waits for its part in the broadcast:
 *
 *     int32_t list[3] = { 2, 3, 5 }, mine, worst;
 *     uint64_t count = muster_group_rank(world) == 0 ? 3 : 0;
 *     void *got = NULL;
 *     if (muster_broadcast(&count, &count, 1, MUSTER_UINT64, 0, world) == MUSTER_OK) {
 *         mine = muster_alloc(world, count * sizeof list[0], &got);
 *         if (muster_all_max(&mine, &worst, 1, MUSTER_INT32, world) == MUSTER_OK && worst == MUSTER_OK)
 *             muster_broadcast(list, got, count, MUSTER_INT32, 0, world);
 *         muster_free(world, got);
 *     }
 */

/* Every rank gets block r from rank r, whose `in` has `count` elements: counts[r], on all ranks the same.
 * `out` has all blocks. In place: in == out + displacements[rank]. (MPI_Allgatherv) */
MUSTER_API muster_status muster_all_gatherv(const void *in, size_t count, void *out, const size_t *counts,
                                            const size_t *displacements, muster_dtype dtype,
                                            muster_group *group);

/* The root gets what muster_all_gatherv gives to all. `out`, `counts` and `displacements` are used on the
 * root only; elsewhere they may be NULL. In place, on the root: in == out + displacements[root].
 * (MPI_Gatherv) */
MUSTER_API muster_status muster_gatherv(const void *in, size_t count, void *out, const size_t *counts,
                                        const size_t *displacements, muster_dtype dtype, int root,
                                        muster_group *group);

/* Rank r gets block r of the root's `in`, in its `out` of `count` elements: the root's counts[r]. `in`,
 * `counts` and `displacements` are used on the root only; elsewhere they may be NULL. In place, on the root:
 * out == in + displacements[root]. (MPI_Scatterv) */
MUSTER_API muster_status muster_scatterv(const void *in, const size_t *counts, const size_t *displacements,
                                         void *out, size_t count, muster_dtype dtype, int root,
                                         muster_group *group);

/* Block r of this rank's `in` becomes block `rank` of rank r's `out`: this rank's in_counts[r] is rank r's
 * out_counts[rank]. The buffers must not overlap, but blocks of one may lie between those of the other.
 * (MPI_Alltoallv) */
MUSTER_API muster_status muster_all_to_allv(const void *in, const size_t *in_counts,
                                            const size_t *in_displacements, void *out,
                                            const size_t *out_counts, const size_t *out_displacements,
                                            muster_dtype dtype, muster_group *group);

/* Rank r gets block r, of counts[r] elements, of the reduction of all ranks' `in`, which has all blocks,
 * packed. `counts` is the same on all ranks. In place: out is this rank's block of `in`.
 * (MPI_Reduce_scatter) */
MUSTER_API muster_status muster_reduce_scatterv(const void *in, const size_t *counts, void *out,
                                                muster_dtype dtype, muster_op op, muster_group *group);

/* ---- scans -------------------------------------------------------------------------------- */

/*
 * Collectives, which block and fail as those above.
 *
 * Example, of where in a common list this rank's numbers begin:
 *
 *     uint64_t mine = 7, before = 0;
 *     muster_exscan(&mine, &before, 1, MUSTER_UINT64, MUSTER_SUM, world);
 */

/* Rank r gets in_0[i] op in_1[i] op ... op in_r[i] in out[i], in this order. `in` and `out` have `count`
 * elements. In place: in == out. (MPI_Scan) */
MUSTER_API muster_status muster_scan(const void *in, void *out, size_t count, muster_dtype dtype,
                                     muster_op op, muster_group *group);

/* Rank r gets in_0[i] op ... op in_r-1[i] in out[i]: its own input does not count. On rank 0 `out` is left
 * as it is, and may be NULL. In place: in == out. (MPI_Exscan) */
MUSTER_API muster_status muster_exscan(const void *in, void *out, size_t count, muster_dtype dtype,
                                       muster_op op, muster_group *group);

/* ---- nonblocking collectives ------------------------------------------------------------ */

/*
 * A start function begins an operation and returns without waiting. The operation goes on while the
 * program does other work, and ends in muster_wait, muster_test, muster_wait_any or muster_wait_all.
 *
 * Example:
 *
 *     float x[3] = { 1, 2, 3 };
 *     muster_request request = MUSTER_REQUEST_INIT;
 *     if (muster_all_reduce_start(x, x, 3, MUSTER_FLOAT32, MUSTER_SUM, world, &request) == MUSTER_OK)
 *         muster_wait(&request, 0);
 */

/* A started operation. It may be copied; its fields are the library's. (MPI_Request) */
typedef struct muster_request {
    muster_group *group; /* NULL: none */
    uint64_t number;
} muster_request;

#define MUSTER_REQUEST_INIT                                                                                  \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

/*
 * Start an operation. Its buffers belong to it until it has been completed: until then the program neither
 * writes to `in`, counts and displacements nor touches `out`. Shapes and the in-place rule are those of the
 * blocking forms.
 *
 * All ranks start the operations of a group in the same order. Each rank completes them in any order, and
 * calls other functions of the group in between. An operation that one rank starts is not the one that
 * another calls in the blocking form: ranks that mix the two get MISMATCH. Every collective that moves data
 * has a started form, and so have barriers; what makes or seals groups, shares and queues has none, and a
 * sendrecv is a started send and a started receive. Any number may be started; memory is the limit. An input
 * that is not in an arena buffer, or is small, is copied into the arena: NO_SPACE and NO_MEMORY mean that the
 * operation was not started on this rank, and the others wait until it is: when others that were started have
 * been completed, there is room for it.
 *
 * Operations go on in calls of the rank on that group that communicate, wait or test, whatever they are for
 * (of those that start something, in each eighth), and while the rank waits in a call on any other group of
 * its world; with MUSTER_PROGRESS_THREAD also while the rank is in no call. An operation is over when all
 * ranks have started it. Large reductions, operations on large arena buffers, which are not copied, and all
 * operations of a group over several hosts also need every rank to go on with it after that. Other errors:
 * those of collectives. (MPI_Iallreduce and the like)
 */
MUSTER_API muster_status muster_all_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                                 muster_op op, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_sum_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                              muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_max_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                              muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_min_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                              muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_gather_start(const void *in, void *out, size_t count_per_rank,
                                                 muster_dtype dtype, muster_group *group,
                                                 muster_request *request);
MUSTER_API muster_status muster_reduce_scatter_start(const void *in, void *out, size_t count_per_rank,
                                                     muster_dtype dtype, muster_op op, muster_group *group,
                                                     muster_request *request);
MUSTER_API muster_status muster_sum_scatter_start(const void *in, void *out, size_t count_per_rank,
                                                  muster_dtype dtype, muster_group *group,
                                                  muster_request *request);
MUSTER_API muster_status muster_broadcast_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                                int root, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                             muster_op op, int root, muster_group *group,
                                             muster_request *request);
MUSTER_API muster_status muster_gather_start(const void *in, void *out, size_t count_per_rank,
                                             muster_dtype dtype, int root, muster_group *group,
                                             muster_request *request);
MUSTER_API muster_status muster_scatter_start(const void *in, void *out, size_t count_per_rank,
                                              muster_dtype dtype, int root, muster_group *group,
                                              muster_request *request);
MUSTER_API muster_status muster_all_to_all_start(const void *in, void *out, size_t count_per_rank,
                                                 muster_dtype dtype, muster_group *group,
                                                 muster_request *request);
MUSTER_API muster_status muster_scan_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                           muster_op op, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_exscan_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                             muster_op op, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_gatherv_start(const void *in, size_t count, void *out,
                                                  const size_t *counts, const size_t *displacements,
                                                  muster_dtype dtype, muster_group *group,
                                                  muster_request *request);
MUSTER_API muster_status muster_gatherv_start(const void *in, size_t count, void *out, const size_t *counts,
                                              const size_t *displacements, muster_dtype dtype, int root,
                                              muster_group *group, muster_request *request);
MUSTER_API muster_status muster_scatterv_start(const void *in, const size_t *counts,
                                               const size_t *displacements, void *out, size_t count,
                                               muster_dtype dtype, int root, muster_group *group,
                                               muster_request *request);
MUSTER_API muster_status muster_all_to_allv_start(const void *in, const size_t *in_counts,
                                                  const size_t *in_displacements, void *out,
                                                  const size_t *out_counts, const size_t *out_displacements,
                                                  muster_dtype dtype, muster_group *group,
                                                  muster_request *request);
MUSTER_API muster_status muster_reduce_scatterv_start(const void *in, const size_t *counts, void *out,
                                                      muster_dtype dtype, muster_op op, muster_group *group,
                                                      muster_request *request);
MUSTER_API muster_status muster_barrier_start(muster_group *group, muster_request *request);

/*
 * Completes a started operation and resets *request. Blocks until the operation is over. `timeout_ns`: how
 * long this call may wait, in place of the timeout that the group had when the operation was started; 0:
 * that one. A wait with a limit of its own is in no deadlock: it ends. Errors: INVALID when the request was
 * never started, or has been completed, through a copy, too, and of a timeout below 0; BUSY and FORKED, after
 * which the request is as before; those of collectives, after which the operation is over. (MPI_Wait)
 */
MUSTER_API muster_status muster_wait(muster_request *request, int64_t timeout_ns);

/* Writes into *done whether the operation is over, and then completes it as muster_wait does. Never waits
 * for another rank. It has no timeout of its own. Errors: those of muster_wait. (MPI_Test) */
MUSTER_API muster_status muster_test(muster_request *request, bool *done);

/*
 * Waits until one of `count` operations is over, completes it as muster_wait does, and writes into *index
 * which; `count` when no request was pending. Empty requests are skipped. The requests may be of several
 * groups. Errors: those of muster_wait; the request of the operation that has failed is reset. INVALID, too,
 * when an operation is twice among them, by a copy of its request; all of them are as before then.
 * (MPI_Waitany)
 */
MUSTER_API muster_status muster_wait_any(muster_request *requests, size_t count, int64_t timeout_ns,
                                         size_t *index);

/*
 * Completes each of `count` operations as muster_wait does, whatever the order in which they end.
 * `timeout_ns` is of all together. Empty requests are skipped. The requests may be of several groups.
 * Errors: those of muster_wait, of the first operation that fails. All requests of groups that are broken
 * then have been reset; those of other groups are completed, or as before. INVALID as of muster_wait_any.
 * (MPI_Waitall)
 */
MUSTER_API muster_status muster_wait_all(muster_request *requests, size_t count, int64_t timeout_ns);

/* ---- point to point ----------------------------------------------------------------------- */

/*
 * Messages from one rank to another, with a tag, which the program chooses. A receive names the source and
 * the tag that it wants, or takes any of either. The rules are MPI's:
 *
 *   Order     Of two messages from one rank that match the same receive, the one that was sent first is
 *             received first. Of two receives that match the same message, the one that was made, or
 *             started, first gets it. Messages of other sources or tags may pass.
 *   Any       A receive with MUSTER_ANY_SOURCE serves the sources in turn: none that sends waits for
 *             ever. MUSTER_ANY_TAG takes every tag.
 *   None      To send to MUSTER_RANK_NONE, or to receive from it, does nothing and succeeds at once; the
 *             buffer is not looked at. A probe of it finds such a message.
 *   Oneself   A rank may send to itself, in a group of any size. A message of more than 64 KiB needs a
 *             receive that has been started before, or that comes with it in muster_sendrecv. If that is of
 *             any source, another rank's message may get it first; then the send waits for a receive that
 *             nobody makes, and ends as DEADLOCK.
 *   Buffers   At least 64 KiB of messages are buffered for each pair of ranks. They stay in the arena
 *             until they are received; a sender whose buffer is full waits.
 *
 * One thread may send while another receives. With MUSTER_THREADS_MULTIPLE, or threads_multiple of
 * muster_config, any number of threads may be in these calls, and in muster_wait and its relatives for
 * messages, in one group at the same time, as with MPI_THREAD_MULTIPLE: messages match in the order in which
 * the calls took effect, and each message is received by one receive. A thread that has found a message by a
 * probe may find it received by another one. A request is one thread's at a time: BUSY otherwise. A message
 * to oneself that does not fit waits for another thread to receive it. The groups made of the world are as
 * the world is, and ranks need not agree about it. (MPI_Init_thread)
 *
 * Example:
 *
 *     int size = muster_group_size(world), rank = muster_group_rank(world), got;
 *     muster_sendrecv(&rank, 1, (rank + 1) % size, 0, &got, 1, (rank + size - 1) % size, 0, MUSTER_INT32,
 *                     world, NULL);
 *
 * Example, a rank that serves the others:
 *
 *     char task[100];
 *     muster_message came = MUSTER_MESSAGE_INIT;
 *     muster_recv(task, 100, MUSTER_UINT8, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, world, &came);
 *     muster_send(task, came.count, MUSTER_UINT8, came.source, came.tag, world);
 */

/* In place of a rank, or of a tag. (MPI_ANY_SOURCE, MPI_PROC_NULL, MPI_ANY_TAG) */
#define MUSTER_ANY_SOURCE (-1)
#define MUSTER_RANK_NONE (-2)
#define MUSTER_ANY_TAG (-1)

/* What has been received, or can be. (MPI_Status) */
typedef struct muster_message {
    size_t struct_size; /* set by MUSTER_MESSAGE_INIT */
    int source;         /* MUSTER_RANK_NONE: nothing was received */
    int tag;            /* MUSTER_ANY_TAG: nothing was received */
    size_t count;       /* elements */
    muster_dtype dtype;
} muster_message;

#define MUSTER_MESSAGE_INIT MUSTER_SIZED(muster_message)

/*
 * Sends `count` elements to rank `dst`, with a tag of 0 to 2^31 - 1. A message for which the pair's buffer
 * has room returns at once. A longer one blocks until the receiver has taken enough of it. In an arena buffer
 * a longer message, and one for which the receiver waits already, is read zero-copy: the call returns when
 * the receiver has read it. A message to oneself that has more than 64 KiB, or for which the buffer has no
 * room, is INVALID, unless a receive for it has been started, or another thread may receive it
 * (MUSTER_THREADS_MULTIPLE). When the receive does not fit (muster_recv), both ranks get MISMATCH. Errors:
 * those of collectives. (MPI_Send; send of MLX)
 */
MUSTER_API muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst, int tag,
                                     muster_group *group);

/*
 * Receives the first message of rank `src`, or of any, with `tag`, or with any. Blocks until it is there.
 * When `message` is NULL, the message must have exactly `count` elements. Otherwise it may have fewer, and
 * *message says what has come; `count` is the room in `buf`. A message with other elements than `dtype`, or
 * with too many, is MISMATCH on both ranks, since one of them is wrong; one with none may be of any dtype. A
 * receive from any source is PEER_DIED when any rank has died, since the message might have been from that
 * one, and when all others have left the group. Errors: those of collectives. (MPI_Recv; recv of MLX)
 */
MUSTER_API muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src, int tag,
                                     muster_group *group, muster_message *message);

/* Sends and receives at the same time, so that a ring of ranks that all call it cannot deadlock. Blocks until
 * both are done. The buffers must not overlap. `message` is that of muster_recv. A message to oneself that
 * this receive does not get is INVALID where that of muster_send is. Errors: those of collectives.
 * (MPI_Sendrecv) */
MUSTER_API muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, int sendtag,
                                         void *recvbuf, size_t recvcount, int src, int recvtag,
                                         muster_dtype dtype, muster_group *group, muster_message *message);

/* Waits until there is a message that a receive of this source and tag would get, and says in *message,
 * unless it is NULL, what it is. The message stays where it is. Errors: those of muster_recv. (MPI_Probe) */
MUSTER_API muster_status muster_probe(int src, int tag, muster_group *group, muster_message *message);

/* Says in *found whether there is such a message, without waiting; *message is written only if there is. It
 * needs nothing of the source: that it has left the group is no error. Other errors: those of muster_recv.
 * (MPI_Iprobe) */
MUSTER_API muster_status muster_iprobe(int src, int tag, muster_group *group, bool *found,
                                       muster_message *message);

/*
 * Start a send or a receive, and return without waiting. muster_wait and its relatives complete it. `buf`
 * belongs to it until then, and so does *message, which a receive may have, and which is written when the
 * receive ends.
 *
 * Messages match in the order in which sends and receives were started or called, and may be completed in any
 * order. Any number may be started; memory is the limit: NO_MEMORY, or NO_SPACE for the first message to a
 * rank, means that it was not started. A send whose bytes are buffered is over at once. What is not buffered
 * waits at the sender, in order. Started messages go on in every call of the rank on that group that
 * communicates, waits or tests, and while the rank waits in a call on any other group of its world; with
 * MUSTER_PROGRESS_THREAD also while the rank is in no call. A started receive from oneself can get any
 * message that one sends later. Other errors: those of muster_send and muster_recv. (MPI_Isend, MPI_Irecv)
 *
 * Example, with both neighbours in a ring:
 *
 *     int size = muster_group_size(world), rank = muster_group_rank(world), got[2];
 *     muster_request requests[4];
 *     for (int i = 0; i < 2; i++) {
 *         int peer = (rank + (i ? 1 : size - 1)) % size;
 *         muster_recv_start(&got[i], 1, MUSTER_INT32, peer, i, world, NULL, &requests[i]);
 *         muster_send_start(&rank, 1, MUSTER_INT32, peer, 1 - i, world, &requests[2 + i]);
 *     }
 *     muster_wait_all(requests, 4, 0);
 */
MUSTER_API muster_status muster_send_start(const void *buf, size_t count, muster_dtype dtype, int dst,
                                           int tag, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_recv_start(void *buf, size_t count, muster_dtype dtype, int src, int tag,
                                           muster_group *group, muster_message *message,
                                           muster_request *request);

/* Takes a started receive back that no message has matched yet. *canceled: true: it is over, *request is
 * reset, and `buf` is as it was; false: it must be completed, as must every send and collective. Never
 * blocks. Errors: those of muster_test. (MPI_Cancel) */
MUSTER_API muster_status muster_cancel(muster_request *request, bool *canceled);

/* ---- arena buffers ------------------------------------------------------------------------ */

/*
 * Example:
 *
 *     void *buffer;
 *     if (muster_alloc(world, 1 << 20, &buffer) == MUSTER_OK) {
 *         memset(buffer, 0, 1 << 20);
 *         muster_all_sum(buffer, buffer, 1 << 18, MUSTER_FLOAT32, world);
 *         muster_free(world, buffer);
 *     }
 */

/*
 * Allocates memory inside the arena. Collectives of every group of this rank read it zero-copy. Local,
 * not a collective: each rank allocates what it needs, in any thread; never blocks. The buffer is aligned to
 * 4 KiB and takes a multiple of that, its contents are undefined, and its memory is committed: touching it
 * never fails. 0 bytes give NULL. It lives until muster_free, or until its group is freed, which another
 * thread must not do meanwhile. The time of both calls grows with the number of buffers. Errors: INVALID,
 * FORKED; NO_SPACE, with the sizes, when the system, the rank's part of the arena, or the memory limit of a
 * control group has no more. (ncclMemAlloc)
 */
MUSTER_API muster_status muster_alloc(muster_group *group, size_t bytes, void **buffer);

/* Frees a buffer of this rank and group; NULL does nothing. Local; never blocks. Errors: FORKED; INVALID for
 * any other address. (ncclMemFree) */
MUSTER_API muster_status muster_free(muster_group *group, void *buffer);

/* ---- memory that all ranks map ------------------------------------------------------------- */

/*
 * A share is memory of which each rank of a group gives a block, and which every rank reads and writes
 * directly: a shared window of MPI (MPI_Win_allocate_shared), a symmetric window of NCCL.
 *
 * Example, weights that are in memory once:
 *
 *     size_t bytes = 1000 * sizeof(float);
 *     muster_share *weights;
 *     void *at;
 *     if (muster_share_create(world, muster_group_rank(world) == 0 ? bytes : 0, &weights) == MUSTER_OK) {
 *         muster_share_at(weights, 0, &at, NULL);
 *         if (muster_group_rank(world) == 0)
 *             memset(at, 0, bytes);
 *         muster_share_seal(weights);
 *         printf("%g\n", ((const float *)at)[999]);
 *         muster_share_free(weights);
 *     }
 *
 * What makes a write of one rank visible to another is what makes the latter wait for the former:
 *
 *     written before                    is visible after
 *     muster_barrier, any collective    the same call
 *     muster_send                       the muster_recv of that message
 *     muster_put_signal                 the muster_wait_signal that waited for it
 *     muster_share_seal                 the same call
 *     muster_share_sync                 a later muster_share_sync of the same share
 *     an atomic release in the share    the atomic acquire that reads it
 *
 * Without one of these, two ranks that touch the same bytes at the same time, one of them writing, race as
 * two threads do.
 */

/* Memory that all ranks of a group map. */
typedef struct muster_share muster_share;

/*
 * Creates a share. Each rank gives the bytes of its own block, 0 for none; the sizes may differ. Blocks begin
 * at pages, are zeros, and are committed: touching them never fails. This rank's block is also an arena
 * buffer: collectives and messages read it zero-copy.
 *
 * The share does not depend on the group, which may be freed before it, and it outlives every rank: the block
 * of a rank that died, or freed the share, stays where it is until the last living rank has freed the share,
 * also after muster_group_shrink. A forked child has no share: touching its memory there is SIGSEGV.
 *
 * A collective; blocks. Errors: those of any collective; NO_SPACE, on all ranks, none of which gets
 * anything, when the arena or the system has no room for a block: the detail has the sizes, and the group is
 * as before. (MPI_Win_allocate_shared; ncclCommWindowRegister)
 */
MUSTER_API muster_status muster_share_create(muster_group *group, size_t bytes, muster_share **share);

/* Writes into *address where the block of `rank` is in this process, and into *bytes, unless it is NULL, how
 * large it is as that rank asked for it; NULL and 0 for a block of none. The address is valid until this rank
 * frees the share, whatever becomes of the others, and may differ from process to process. Never blocks.
 * Errors: INVALID, FORKED. (MPI_Win_shared_query) */
MUSTER_API muster_status muster_share_at(const muster_share *share, int rank, void **address, size_t *bytes);

/*
 * Orders this rank's accesses to memory: all syncs of a share, by all its ranks, are in one order, and what
 * was written before one is visible after every later one. For ranks that learn from plain memory that
 * something is there: the writer writes, syncs and sets a flag; the reader sees the flag, syncs and reads. It
 * waits for nobody and tells nobody. A barrier needs no sync before or after it. Any thread may call it, at
 * any time. Errors: INVALID, FORKED. (MPI_Win_sync)
 */
MUSTER_API muster_status muster_share_sync(muster_share *share);

/*
 * Makes all blocks read-only, for all ranks, until they free the share. What was written before is visible to
 * all after it. A write after it is SIGSEGV in the rank that writes, also when the block is the output of a
 * collective. Ranks that are threads of one process have one mapping: there the first that frees the share
 * ends the protection. A collective of the share; blocks. Errors: those of any collective; SYSTEM, on all
 * ranks, when one cannot protect its memory: then none has.
 */
MUSTER_API muster_status muster_share_seal(muster_share *share);

/* Frees the share, for this rank. Local; never blocks; `share` may be NULL. A rank that waits for this one
 * in muster_wait_signal or muster_share_seal gets PEER_DIED. Errors: FORKED; BUSY when another thread is in
 * a call of the share. (MPI_Win_free) */
MUSTER_API muster_status muster_share_free(muster_share *share);

/*
 * Writes into *theirs the address, in this process, of what corresponds to `mine` at member `rank` of the
 * group: the same distance from the beginning of that member's block of the share in whose block of this rank
 * `mine` is. The share may have been created on any group of both ranks. Never guesses: memory of
 * muster_alloc belongs to no share, and is INVALID. The address is valid as long as the share. Never blocks.
 * Errors: FORKED; INVALID when `mine` is in no block of this rank, or the member is not in that share, or its
 * block is smaller. (nvshmem_ptr)
 */
MUSTER_API muster_status muster_peer_buffer(muster_group *group, int rank, const void *mine, void **theirs);

#define MUSTER_SIGNALS 16 /* that each rank can raise at each rank of a share */

/*
 * Copies `bytes` bytes from `from` to `offset` in the block of `rank`, then raises signal number `signal`, 0
 * to MUSTER_SIGNALS - 1, at that rank. Bytes of 0 raise the signal alone; `from` may then be NULL. It asks
 * nobody whether the bytes there may be overwritten: the program knows that, from a signal of that rank for
 * example. Never blocks. One thread at a time. Errors: INVALID, BUSY, FORKED; PEER_DIED when that
 * rank has died or freed the share. (ncclPutSignal; nvshmem_putmem_signal)
 */
MUSTER_API muster_status muster_put_signal(muster_share *share, int rank, size_t offset, const void *from,
                                           size_t bytes, int signal);

/*
 * Waits until rank `source` has raised signal number `signal` at this rank `count` times more than this rank
 * has waited for already; everything that `source` wrote before it raised them is visible then. Each source
 * has signals of its own, which are counted, and so never lost. A `timeout_ns` of 0 is that of the group,
 * above 0 it holds in its place, and below 0 the call does not wait.
 *
 * An error ends this call alone: nothing has been counted as waited for, the share is as before, and the
 * call may be repeated. A wait that a limit ends, be it the group's, is in no deadlock; the same holds of
 * queues. Signals that were raised before `source` died are still waited for. Deaths of other ranks are no
 * error. One thread at a time. Errors: INVALID, BUSY, FORKED; PEER_DIED when `source` has died or freed the
 * share; TIMED_OUT; DEADLOCK; ABORTED when interrupted; BAD_ARENA. (ncclWaitSignal;
 * nvshmem_signal_wait_until)
 */
MUSTER_API muster_status muster_wait_signal(muster_share *share, int source, int signal, uint64_t count,
                                            int64_t timeout_ns);

/* ---- queues of one writer and many readers -------------------------------------------------- */

/*
 * A queue in the arena, bounded, into which one rank pushes and from which every other rank of the group
 * reads every entry, in order: how a scheduler tells its workers what to do. The writer waits for the slowest
 * reader only when that one is a whole queue behind, and the error then says which it is. (MessageQueue of
 * vLLM)
 *
 * Example:
 *
 *     int rank = muster_group_rank(world), step = 7, done;
 *     size_t bytes;
 *     muster_queue *steps;
 *     if (muster_queue_create(world, 0, 64, sizeof step, &steps) == MUSTER_OK) {
 *         if (rank == 0)
 *             muster_queue_push(steps, &step, sizeof step, 0);
 *         else if (muster_queue_pop(steps, &done, sizeof done, 0, &bytes) == MUSTER_OK)
 *             printf("rank %d does step %d\n", rank, done);
 *         muster_queue_free(steps);
 *     }
 */

/* A queue. */
typedef struct muster_queue muster_queue;

/*
 * Creates a queue of `entries` entries of up to `entry_bytes` bytes each, written by rank `writer`, whose
 * part of the arena has room for all of them. It does not depend on the group, which may be freed before it.
 * A collective; blocks. Errors: those of any collective; MISMATCH when ranks give different values; NO_SPACE,
 * on all ranks, none of which gets anything.
 */
MUSTER_API muster_status muster_queue_create(muster_group *group, int writer, size_t entries,
                                             size_t entry_bytes, muster_queue **queue);

/*
 * Pushes a copy of an entry of `bytes` bytes, which may be 0. Everything that the writer wrote before it is
 * visible to a reader that has read it. Waits while the slowest reader has not read the entry that was pushed
 * `entries` before. A `timeout_ns` of 0 is that of the group, above 0 it holds in its place, and below 0 the
 * call does not wait.
 *
 * An error ends this call alone: nothing has been pushed, the queue is as before, and the call may be
 * repeated. Errors: INVALID, BUSY, FORKED; TIMED_OUT, with the reader that lags, and by how many entries;
 * PEER_DIED when a reader has died, or holds up the queue and has freed it: muster_queue_drop goes on without
 * it; DEADLOCK; ABORTED when interrupted; BAD_ARENA.
 */
MUSTER_API muster_status muster_queue_push(muster_queue *queue, const void *entry, size_t bytes,
                                           int64_t timeout_ns);

/*
 * Copies the next entry into `buffer` and its size into *bytes. Waits until the writer has pushed it; the
 * timeout is as of muster_queue_push. Each reader reads all entries, in the order pushed.
 *
 * An error ends this call alone: the entry is still the next one. Entries that were pushed before the writer
 * died, or freed the queue, are still read; after them it is PEER_DIED. Deaths of other readers are no error.
 * Errors: INVALID, also when the entry has more than `capacity` bytes; BUSY, FORKED, PEER_DIED, TIMED_OUT,
 * DEADLOCK, ABORTED, BAD_ARENA.
 */
MUSTER_API muster_status muster_queue_pop(muster_queue *queue, void *buffer, size_t capacity,
                                          int64_t timeout_ns, size_t *bytes);

/* Writes into *entry where the next entry is, in the arena, and into *bytes its size: muster_queue_pop
 * without the copy. It stays there, read-only for the program, until muster_queue_release; until then the
 * same entry is peeked at again, and popped. It is aligned to 16 bytes. Errors: those of muster_queue_pop. */
MUSTER_API muster_status muster_queue_peek(muster_queue *queue, int64_t timeout_ns, const void **entry,
                                           size_t *bytes);

/* Ends the use of the entry that was peeked at: the writer may overwrite it. Never blocks. Errors: INVALID
 * when none was; BUSY, FORKED. */
MUSTER_API muster_status muster_queue_release(muster_queue *queue);

/* Goes on without the readers that have died or freed the queue: pushes neither wait for them nor fail.
 * Writes into *readers, unless it is NULL, how many are left. For the writer; never blocks. Errors: INVALID,
 * BUSY, FORKED. */
MUSTER_API muster_status muster_queue_drop(muster_queue *queue, int *readers);

/* Writes into *rank which reader has most entries before it, the first of several, and into *entries how
 * many; -1 and 0 without readers. Either may be NULL. For the writer; never blocks. Errors: INVALID, BUSY,
 * FORKED. */
MUSTER_API muster_status muster_queue_lag(muster_queue *queue, int *rank, uint64_t *entries);

/* Frees the queue, for this rank. Local; never blocks; `queue` may be NULL. Readers still read what the
 * writer pushed before it freed the queue. Errors: FORKED; BUSY when another thread is in a call of the
 * queue. */
MUSTER_API muster_status muster_queue_free(muster_queue *queue);

/* ---- launching ---------------------------------------------------------------------------- */

/*
 * Example:
 *
 *     static int rank_main(muster_group *world, void *arg)
 *     {
 *         (void)arg;
 *         return muster_barrier(world) == MUSTER_OK ? 0 : 1;
 *     }
 *
 *     int main(void)
 *     {
 *         muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
 *         muster_report report = MUSTER_REPORT_INIT;
 *         config.size = 4;
 *         if (muster_launch(&config, rank_main, NULL, &report) != MUSTER_OK)
 *             fprintf(stderr, "%s\n", muster_error_detail());
 *         return report.exit_status;
 *     }
 */

/* The body of one rank. Returns the rank's exit status: 0 for success, or 1 to 255. */
typedef int (*muster_rank_fn)(muster_group *world, void *arg);

/* What to do when a rank fails. */
typedef enum muster_on_failure {
    MUSTER_ON_FAILURE_KILL,     /* end the others: SIGTERM, and after grace_ns SIGKILL */
    MUSTER_ON_FAILURE_CONTINUE, /* let the others go on; calls that need the rank return PEER_DIED */
    MUSTER_ON_FAILURE_RESPAWN   /* let them go on, and start the rank again, for muster_group_grow */
} muster_on_failure;

/* Receives one sentence, without a newline, that is valid during the call. */
typedef void (*muster_notice_fn)(const char *line, void *arg);

/* Receives a line that a rank has printed, without its newline, valid during the call. `fd` is
 * STDOUT_FILENO or STDERR_FILENO. An unfinished last line is passed, too. A line of more than 1 MiB is
 * passed in parts, and a notice says so. */
typedef void (*muster_output_fn)(int rank, int fd, const char *line, size_t bytes, void *arg);

/* A line that is about to be written, or a part of one: a part is written when no more of the line has
 * come for a moment, as of prompts and progress bars, and the rest when it comes. */
typedef struct muster_line {
    size_t struct_size; /* of the library's version */
    int rank;           /* -1: a notice of the launcher */
    int fd;             /* STDOUT_FILENO or STDERR_FILENO */
    const char *text;   /* without the newline; valid during the call */
    size_t bytes;       /* of the text */
    bool begins;        /* the text is the line's first part */
    bool ends;          /* the text is the line's last part */
    bool continued;     /* another rank's line was written since the part before: this part needs a head */
} muster_line;

#define MUSTER_HEAD_BYTES 96

/* Writes into `head` a string to print before the line. Returns false when the line is not to be
 * printed. */
typedef bool (*muster_show_fn)(const muster_line *line, char head[MUSTER_HEAD_BYTES], void *arg);

/* Called once, before any rank is started, with the descriptor of the job's arena, which is valid
 * during the call. Returns false to give up: muster_launch then returns SYSTEM. */
typedef bool (*muster_arena_fn)(int fd, void *arg);

/* Called in a rank's process before it executes the command. It may change the environment, the
 * directory and the CPUs, or execute another program. Returns NULL, or one sentence: why the rank
 * cannot start. */
typedef const char *(*muster_prepare_fn)(int rank, void *arg);

/* What to start, and how. */
typedef struct muster_launch_config {
    size_t struct_size;         /* set by MUSTER_LAUNCH_CONFIG_INIT */
    int size;                   /* ranks to start; 0: 1 */
    const char *const *command; /* argv of the program of every rank, ends with NULL; when `fn` is NULL */
    bool threads;               /* ranks are threads of this process, for tests; not with command */
    bool prefix_output;         /* begin each line of a rank's output with "[rank] "; not with threads */
    muster_on_failure on_failure;
    int64_t timeout_ns;    /* of the whole run; 0: no limit. Not with threads */
    int64_t grace_ns;      /* from SIGTERM to SIGKILL; 0: 2 s */
    int64_t op_timeout_ns; /* of one operation, as MUSTER_TIMEOUT; 0: as the environment says */
    int signal_fd; /* each byte read from it is the number of a signal to send to all ranks; after SIGTSTP
                      this process stops, too. Where the kernel would discard that signal, as nobody could
                      continue it (an orphaned process group), nobody stops. 0: none */
    size_t arena_bytes;       /* as in muster_config */
    size_t staging_bytes;     /* as in muster_config */
    int restarts;             /* with RESPAWN: the most restarts of all ranks together; 0: 16 */
    int64_t restart_delay_ns; /* before a rank is started again that has lived less than 10 s; it doubles each
                                 time in a row, up to 10 s. 0: 100 ms */
    muster_notice_fn notice;  /* receives each failure and restart as it happens; NULL: nobody */
    void *notice_arg;
    muster_output_fn output; /* receives what ranks print, in place of this process's output; NULL: none */
    void *output_arg;
    muster_prepare_fn prepare; /* with command; NULL: none */
    void *prepare_arg;
    muster_arena_fn arena; /* receives the arena's descriptor, for muster_inspect; NULL: nobody */
    void *arena_arg;
    muster_show_fn show; /* with prefix_output: makes the head of each line, and has notices printed, too;
                            NULL: the head is "[rank] " */
    void *show_arg;
    bool terminal; /* with command, and prefix_output or output: the ranks' stdout and stderr are
                      pseudo-terminals, so that C programs write each line when they print it */
} muster_launch_config;

#define MUSTER_LAUNCH_CONFIG_INIT MUSTER_SIZED(muster_launch_config)

/* What has become of a run. */
typedef struct muster_report {
    size_t struct_size;               /* set by MUSTER_REPORT_INIT */
    muster_termination *terminations; /* input: NULL, or room for one per rank, to be filled in */
    int first_failed;                 /* the rank that failed first and was not replaced; -1: none */
    muster_termination first;         /* how that rank ended */
    bool timed_out;                   /* timeout_ns is over */
    int exit_status; /* for the exit status of a command: 0; the status of first_failed, or 128 + its signal;
                        124 after timeout_ns; 128 + SIGPIPE when nobody reads the ranks' output any more; 1
                        when it cannot be written */
    char summary[512]; /* one line that names the rank and the cause; "" when all went well */
    int restarts;      /* how many restarts there were */
    int stopped_by;    /* the first signal from signal_fd that asked the job to end; 0: none */
    bool output_lost;  /* some of the ranks' output could not be written; exit_status is not 0 */
} muster_report;

#define MUSTER_REPORT_INIT MUSTER_SIZED(muster_report)

/*
 * Starts `size` ranks and waits until all of them have ended. With `fn`, each rank is a fork of this
 * process that calls fn(world, arg), flushes stdio and exits with the result; muster_init inside `fn`
 * gives the same world. With config->command, each rank executes that program, with the environment
 * that muster_init reads. Rank 0 has this process's standard input unless that is a terminal; the
 * others have none. `report` may be NULL. muster_launch forks, so call it before you start threads.
 *
 * Ranks that are processes die with this process; those that execute a command do so even when a
 * wrapper has started them. They start with the signal mask and limits of this process, whose own limit
 * of descriptors may be higher during the run. The ranks are its children: during the run it must not
 * wait for children that it does not know (waitpid(-1), in a handler of SIGCHLD, too), nor ignore
 * SIGCHLD. Otherwise the status of a rank is lost, and counts as a failure:
 * MUSTER_TERMINATION_VANISHED.
 *
 * With MUSTER_ON_FAILURE_RESPAWN a rank that fails is started again, once all ranks have attached, and
 * while another rank is in the world. The others take it in with muster_group_grow. The report has the
 * last process of a rank that was taken in. A rank that fails when no restarts are left stays lost, and
 * the others go on.
 *
 * Returns MUSTER_OK when every rank has exited with 0, PEER_DIED when a rank has failed, TIMED_OUT
 * after timeout_ns, and SYSTEM when output was lost. Errors before any rank is started: INVALID,
 * NO_SPACE, NO_MEMORY, SYSTEM. The report is filled in in all these cases.
 */
MUSTER_API muster_status muster_launch(const muster_launch_config *config, muster_rank_fn fn, void *arg,
                                       muster_report *report);

/* ---- thresholds --------------------------------------------------------------------------- */

/*
 * From which size on one way of moving data follows another depends on the CPU. Whoever creates an arena
 * decides these thresholds for all its ranks; `muster tune` measures them. Results do not depend on them.
 */

/* Where the thresholds come from that an arena created here would get. */
typedef enum muster_tuning_source {
    MUSTER_TUNING_KNOWN,    /* this kind of CPU: nothing was measured here, or MUSTER_TUNING skips it */
    MUSTER_TUNING_MEASURED, /* the file that `muster tune` has written */
    MUSTER_TUNING_REFUSED   /* this kind of CPU, since there is a file that is not to be used */
} muster_tuning_source;

/* Of this machine. */
typedef struct muster_tuning {
    size_t struct_size; /* set by MUSTER_TUNING_INIT */
    muster_tuning_source source;
    char cpu[64];   /* "AuthenticAMD, family 25, model 17" */
    char kind[16];  /* the kind of CPU for which thresholds are known: "zen4", "icelake", or "other" */
    char path[512]; /* the file; "": there is no place for one, or MUSTER_TUNING names none */
    char why[120];  /* REFUSED: why it is not to be used; otherwise "" */
} muster_tuning;

#define MUSTER_TUNING_INIT MUSTER_SIZED(muster_tuning)

/*
 * Finds out what this machine's thresholds come from, and fills in *tuning. Errors: INVALID
 * (MUSTER_TUNING makes no sense).
 *
 * Example:
 *
 *     muster_tuning tuning = MUSTER_TUNING_INIT;
 *     muster_threshold one = MUSTER_THRESHOLD_INIT;
 *
 *     if (muster_tuning_get(&tuning) == MUSTER_OK)
 *         printf("%s, of the kind %s\n", tuning.cpu, tuning.kind);
 *     for (int i = 0; muster_tuning_threshold(i, &one) == MUSTER_OK; i++)
 *         printf("%s: %llu\n", one.name, (unsigned long long)one.used);
 */
MUSTER_API muster_status muster_tuning_get(muster_tuning *tuning);

/* One threshold; UINT64_MAX in place of a value means never. */
typedef struct muster_threshold {
    size_t struct_size; /* set by MUSTER_THRESHOLD_INIT */
    const char *name;   /* as in MUSTER_TUNING; static */
    uint64_t known;     /* the value for this kind of CPU */
    uint64_t used;      /* the value that an arena created here would get */
} muster_threshold;

#define MUSTER_THRESHOLD_INIT MUSTER_SIZED(muster_threshold)

/* Fills in *threshold with the one of that number, from 0. Errors: INVALID, of a number after the last
 * one, too. */
MUSTER_API muster_status muster_tuning_threshold(int number, muster_threshold *threshold);

/* Writes the file: of `settings`, "NAME=BYTES" with commas between them, as in MUSTER_TUNING, those that
 * differ from what is known of this kind of CPU, which holds for all others. What an earlier file said is
 * gone. Other processes see the old file or the new one. NULL: leaves the file as it is, and only tries
 * whether it could be written. Errors: INVALID; UNAVAILABLE, if there is no place for a file; SYSTEM. */
MUSTER_API muster_status muster_tuning_keep(const char *settings);

/* ---- looking from outside ----------------------------------------------------------------- */

/*
 * These functions read a job's arena, in any process of the same user: `fd` is the arena's descriptor,
 * open for reading, such as /proc/PID/fd/N of the launcher or a rank. They disturb nothing, never
 * block, and work when ranks are dead. Each rank is shown as of the moment in which it is read.
 *
 * Example:
 *
 *     int fd = open("/proc/1234/fd/3", O_RDONLY | O_CLOEXEC);
 *     muster_inspection seen = MUSTER_INSPECTION_INIT;
 *     if (muster_inspect(fd, &seen) == MUSTER_OK)
 *         for (int i = 0; i < seen.call_count; i++)
 *             if (seen.calls[i]->in_call)
 *                 printf("rank %d: %s\n", seen.calls[i]->rank, seen.calls[i]->what);
 *     muster_inspection_free(&seen);
 */

/* The classes of calls. One thread may be in a call of each class of a group at the same time; with
 * MUSTER_THREADS_MULTIPLE several in the calls of messages that the last two have. */
typedef enum muster_call_class {
    MUSTER_CALL_COLLECTIVE, /* blocking and nonblocking collectives */
    MUSTER_CALL_SPLIT,      /* split, dup, subset, shrink, grow; creating shares and queues, and sealing */
    MUSTER_CALL_SEND,       /* send, one half of sendrecv; put_signal, queue_push */
    MUSTER_CALL_RECEIVE     /* recv, probe, the other half; wait_signal, queue_pop, queue_peek */
} muster_call_class;

#define MUSTER_CALL_CLASS_COUNT 4

/* A process that is, or was, a rank. */
typedef struct muster_seen_rank {
    size_t struct_size; /* of the library's version */
    int rank;           /* in the world */
    int pid;            /* 0: it has not attached yet */
    bool attached;
    bool left;     /* it has freed all its groups, or exited in the ordinary way */
    bool replaced; /* another process has become this rank, or will */
    muster_termination termination;
} muster_seen_rank;

#define MUSTER_SEEN_WORDS 16 /* of bits by rank */

/* What a rank does in a group, for one class of calls. */
typedef struct muster_seen_call {
    size_t struct_size; /* of the library's version */
    int rank;           /* in the world */
    int pid;
    uint64_t group; /* a number of the group, the same on all members */
    bool world;     /* the group is the world with which the job began */
    int group_rank; /* in the group */
    int group_size;
    muster_call_class call_class;
    bool in_call;         /* it is in a call of this class now; a process that has ended is in none */
    uint64_t operation;   /* the number of the call in the group; when in none, the same as latest */
    uint64_t latest;      /* the number of the latest call that it has entered, or started */
    int peer;             /* the rank in the group for which alone it waits; -1: all, or several */
    char what[100];       /* "all_sum (float32 x 4096)", also of the call in which it ended; else ""; of a
                             wait for any of several operations the first, and how many more there are, and
                             the ranks for which the first four of them wait; `?` for one of another group,
                             or several */
    size_t bytes;         /* of the larger of that call's buffers; else 0 */
    int64_t since_ns;     /* how long it has been in the call, to some milliseconds */
    muster_status broken; /* what has broken the group for this rank; MUSTER_OK: nothing */
    char group_name[MUSTER_GROUP_NAME_BYTES]; /* that the rank has given the group; "": none */
    uint64_t under_way;                  /* started collectives whose results the rank does not have yet */
    uint64_t members[MUSTER_SEEN_WORDS]; /* of a group over several hosts, bits by rank in the world
                                            (MUSTER_SEEN_HAS): its members; else all 0 */
    uint64_t awaited[MUSTER_SEEN_WORDS]; /* likewise: those on other hosts for which it waits, as far as the
                                            rank knows */
} muster_seen_call;

/* Whether the bits have that of the rank. */
#define MUSTER_SEEN_HAS(bits, rank) ((int)((bits)[(rank) / 64] >> (rank) % 64 & 1))

/* What muster_inspect has found. */
typedef struct muster_inspection {
    size_t struct_size;                   /* set by MUSTER_INSPECTION_INIT */
    int size;                             /* ranks of the world */
    int launcher_pid;                     /* 0: the ranks were started without a launcher */
    int rank_count;                       /* processes in `ranks`; more than `size` after restarts */
    int call_count;                       /* entries of `calls` */
    const muster_seen_rank *const *ranks; /* one for each process */
    const muster_seen_call *const *calls; /* at least one for each rank and group: its collectives */
    uint64_t job;             /* of one of several hosts of a job, each of which shows its own ranks: the
                                 job's number, the same on all of them; 0: all ranks are here */
    int first_rank;           /* likewise: of this host */
    const char *const *hosts; /* likewise: by rank in the world the name of its host, such as "host b", one
                                 string for each host; NULL: all ranks are here */
} muster_inspection;

#define MUSTER_INSPECTION_INIT MUSTER_SIZED(muster_inspection)

/*
 * Reads what each rank of a job is doing, as `muster inspect` shows it. It counts the started operations
 * that nobody waits for yet. If several threads of a rank are in calls of one class of a group
 * (MUSTER_THREADS_MULTIPLE), it shows one of them. muster_inspection_free frees the result. Errors: INVALID,
 * BAD_ARENA (not an arena, or of another version of muster), PERMISSION, NO_MEMORY.
 */
MUSTER_API muster_status muster_inspect(int fd, muster_inspection *inspection);

/* Frees what muster_inspect has allocated; NULL does nothing. */
MUSTER_API void muster_inspection_free(muster_inspection *inspection);

/*
 * One finished operation of a rank. Times are of the monotonic clock, in ns. Without MUSTER_EXACT_TIMES,
 * entered_ns may be some milliseconds early, and data that moves for less seems to take no time. The time
 * waited is right, but waits below some 2 us, and the first looks for what was started, count as none.
 */
typedef struct muster_record {
    size_t struct_size; /* of the library's version */
    int rank;           /* in the world */
    uint64_t group;     /* a number of the group, the same on all members */
    bool world;         /* the group is the world with which the job began */
    int group_rank;     /* in the group */
    int group_size;
    muster_call_class call_class;
    uint64_t operation;                /* its number in the group; for collectives the same on all ranks */
    char call[MUSTER_CALL_NAME_BYTES]; /* "all_sum" and the like; "phase": not an operation, but a mark of
                                          muster_phase */
    muster_dtype dtype;
    size_t count;       /* elements, as given to the call */
    size_t bytes;       /* of the larger of the rank's buffers */
    int peer;           /* the root, or the sender or receiver of the message, in the group; -1: none */
    bool exact;         /* the times are exact */
    bool started;       /* it had been started; the times are those of the call that completed it */
    int64_t entered_ns; /* when the rank entered the call */
    int64_t arrived_ns; /* when the last rank that it needed had entered; 0: the call failed before */
    int64_t done_ns;    /* when it left the call */
    char phase[32];     /* of a mark: the phase that begins at entered_ns; "": none */
    char group_name[MUSTER_GROUP_NAME_BYTES]; /* that rank 0 of the group has given it; "": none */
    int tag; /* of a message, as given to the call, where it may be MUSTER_ANY_TAG; else 0 */
} muster_record;

/*
 * Names the phase in which this rank is from now on, such as "forward" or "load", until the next call;
 * "" or NULL ends it. muster trace, muster report and Perfetto show times by phase. Writes one mark
 * into the flight recorder of the rank of `group` (NULL: the world of muster_init). Moves nothing and
 * never blocks; it costs little more than reading the clock. Any thread may call it, also when the
 * group is broken. A name has up to 31 bytes. Errors: INVALID, FORKED.
 */
MUSTER_API muster_status muster_phase(const char *name, const muster_group *group);

/* Receives one record, valid during the call. */
typedef void (*muster_record_fn)(const muster_record *record, void *arg);

/*
 * A reader of the flight recorder of a job. Each rank keeps its latest 1024 operations in the arena,
 * where they stay when it dies. Groups of one are not recorded.
 *
 * Example, which shows the operations that lasted more than 1 ms:
 *
 *     static void show_slow(const muster_record *record, void *arg)
 *     {
 *         int64_t took = record->done_ns - record->entered_ns;
 *         if (took > *(const int64_t *)arg)
 *             printf("rank %d, %s: %lld ns\n", record->rank, record->call, (long long)took);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         int64_t limit = 1000000;
 *         uint64_t lost = 0;
 *         muster_records *records = NULL;
 *         int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
 *         if (muster_records_open(fd, &records) != MUSTER_OK ||
 *             muster_records_read(records, show_slow, &limit, &lost) != MUSTER_OK)
 *             fprintf(stderr, "%s\n", muster_error_detail());
 *         else
 *             printf("%llu were overwritten unread\n", (unsigned long long)lost);
 *         muster_records_close(records);
 *         return 0;
 *     }
 */
typedef struct muster_records muster_records;

/* Opens the flight recorder of an arena. `fd` remains the caller's, and must stay open until
 * muster_records_close. Errors: as muster_inspect. */
MUSTER_API muster_status muster_records_open(int fd, muster_records **records);

/* Passes to `fn` every record that was not passed before, rank by rank, roughly in the order of time.
 * Writes into *lost, unless `lost` is NULL, how many records were overwritten unread so far. Errors:
 * INVALID, BAD_ARENA. */
MUSTER_API muster_status muster_records_read(muster_records *records, muster_record_fn fn, void *arg,
                                             uint64_t *lost);

/* Closes the reader; NULL does nothing. */
MUSTER_API void muster_records_close(muster_records *records);

#ifdef __cplusplus
}
#endif

#endif
