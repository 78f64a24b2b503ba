/*
 * muster: process groups on one machine, through shared memory.
 *
 * Ranks attach to one arena and do collectives through it. A program is usually
 *
 *     muster_group *world;
 *     muster_init(false, NULL, &world);
 *     muster_all_sum(x, x, count, MUSTER_FLOAT32, world);
 *     muster_group_free(world);
 *
 * started as `muster run -n 4 -- ./program`. Without the launcher it is a group of one.
 *
 * Rules that hold for every function below
 * ----------------------------------------
 * Status     Every function that can fail returns a muster_status; MUSTER_OK is 0. Outputs are
 *            written only on success. muster_error_detail() has one sentence about this thread's
 *            last error: what was wrong, what was expected, what to do.
 * Counts     are elements, never bytes. A count of 0 moves nothing, synchronises all the same, and
 *            lets buffers be NULL. Any alignment will do.
 * Order      All ranks of a group call the same collectives on it in the same order. Where they do
 *            not, every rank gets MUSTER_ERR_MISMATCH before any data has moved.
 * Blocking   A collective returns when this rank's part is done; it waits for the other ranks to
 *            enter. A buffer may be overwritten or freed as soon as the call returns, on every rank.
 * In place   Reductions and broadcast: `in == out`. Gathers and scatters: this rank's own part may
 *            lie where it belongs in the large buffer, `base + rank * count` (NCCL's rule). Any
 *            other overlap of `in` and `out` is MUSTER_ERR_INVALID.
 * Bits       A reduction reduces in rank order 0 ... n-1, element by element. Every rank gets the
 *            same bits, whatever the message size, the path or the instruction set.
 * Threads    One thread at a time per group: a second one gets MUSTER_ERR_BUSY. Different groups,
 *            and split beside a collective of the same group, may run at the same time.
 * Faults     A rank that dies or leaves while others need it: MUSTER_ERR_PEER_DIED on all of them.
 *            After PEER_DIED, TIMED_OUT, MISMATCH, DEADLOCK or ABORTED the group is broken for good
 *            (poisoned) and every later call on it returns the same status; other groups live on.
 *            After an error the contents of output buffers are undefined. Those who are left may make
 *            a new group: muster_group_shrink.
 * Deadlock   Ranks that wait for each other in a cycle, by messages or in different groups, get
 *            MUSTER_ERR_DEADLOCK with the cycle spelled out, a tenth of a second after it has closed.
 *            Only of processes whose one thread is the one that waits (or see MUSTER_ONE_THREAD):
 *            another thread might still do what is waited for, and a rank that computes is never
 *            taken for part of a cycle.
 * Fork       A child forked by a rank may not use the rank's groups: MUSTER_ERR_FORKED. muster_init in the
 *            child reads the child's environment: it makes a world if that names another one or none, and
 *            returns MUSTER_ERR_FORKED if that still names the rank that forked it.
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

/*
 * Structs that grow begin with struct_size, and the others' fields are appended in later versions: a program
 * compiled with one version's header works with the library of another. One that the program fills in begins
 * with its _INIT, which sets struct_size, and all other fields to zero, which means the default. (In C++ a
 * function, since there is no list of initialisers that all C++ compilers take without a warning.)
 */
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

typedef enum muster_status {
    MUSTER_OK = 0,
    /* the call is lost; the group is as it was */
    MUSTER_ERR_INVALID,     /* an argument, or a MUSTER_* variable, makes no sense */
    MUSTER_ERR_UNSUPPORTED, /* understood, but not offered (no dtype x op pair at present) */
    MUSTER_ERR_NO_SPACE,    /* the arena cannot get the memory; the detail has numbers and a remedy */
    MUSTER_ERR_BUSY,        /* another thread is inside this group */
    MUSTER_ERR_FORKED,      /* called in a forked child of the rank */
    /* the group is lost, for good */
    MUSTER_ERR_PEER_DIED, /* a rank died or left while others needed it */
    MUSTER_ERR_TIMED_OUT, /* the deadline that the user set has passed; the detail names who is missing */
    MUSTER_ERR_MISMATCH,  /* ranks asked for different things; the detail shows both sides */
    MUSTER_ERR_DEADLOCK,  /* ranks wait for each other in a cycle */
    MUSTER_ERR_ABORTED,   /* a rank called muster_group_abort */
    /* the arena is lost */
    MUSTER_ERR_BAD_ARENA,  /* not an arena, another version or layout, or damaged */
    MUSTER_ERR_PERMISSION, /* another user's, or open to other users */
    /* the process has a problem */
    MUSTER_ERR_NO_MEMORY,
    MUSTER_ERR_SYSTEM,     /* a system call failed; the detail says which and why */
    MUSTER_ERR_UNAVAILABLE /* no such backend, or not launched and strict */
} muster_status;

/* The name of a status, "peer died" and the like; never NULL. */
MUSTER_API const char *muster_status_string(muster_status status);

/* One sentence about this thread's last error, "" if there was none. Valid until the thread's next
 * muster call. */
MUSTER_API const char *muster_error_detail(void);

/* "0.1.0" */
MUSTER_API const char *muster_version(void);

/* ---- element types ------------------------------------------------------------------------ */

typedef enum muster_dtype {
    MUSTER_BOOL, /* one byte; 0 is false, anything else true; results are 0 or 1 */
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
    MUSTER_COMPLEX64 /* two float32: real, imaginary */
} muster_dtype;

#define MUSTER_DTYPE_COUNT 14

/* Bytes of one element; 0 for a value that is no dtype. */
MUSTER_API size_t muster_dtype_size(muster_dtype dtype);

/* "float32" and the like; NULL for a value that is no dtype. */
MUSTER_API const char *muster_dtype_name(muster_dtype dtype);

/*
 * What each operation means for each kind of element. Every pair is supported.
 *
 *               SUM                 PROD                MAX, MIN
 *   bool        or                  and                 or, and
 *   integers    wraps               wraps               numeric
 *   float16,    reduces in float32, rounds once           NaN propagates, -0 < +0
 *   bfloat16    to nearest even
 *   float32/64  in the type         in the type         NaN propagates, -0 < +0
 *   complex64   per part            (ac-bd, ad+bc)      by real, then imaginary part; NaN propagates
 *
 * Where several elements are NaN, the one of the lowest rank wins, made quiet.
 */
typedef enum muster_op { MUSTER_SUM, MUSTER_PROD, MUSTER_MAX, MUSTER_MIN } muster_op;

#define MUSTER_OP_COUNT 4

/* ---- worlds and groups -------------------------------------------------------------------- */

/* An ordered set of ranks that operate together (MPI: a communicator). */
typedef struct muster_group muster_group;

/* Whether `backend` can serve: NULL, "any" and "shm" are known here; another name is false. */
MUSTER_API bool muster_is_available(const char *backend);

/*
 * The world that the environment describes; what `muster run` and muster_launch set, or the user:
 *
 *   MUSTER_ARENA            fd:N, inherited from the launcher, or /name: ranks that start on their
 *                           own meet under that name, in any order
 *   MUSTER_RANK, MUSTER_SIZE  who this process is
 *   MUSTER_ATTACH_TIMEOUT   seconds to wait for all ranks (named: 30; inherited: no limit, since
 *                           the launcher reports the dead)
 *   MUSTER_TIMEOUT          seconds that any one operation may wait; no limit when unset
 *   MUSTER_LIVENESS         how to learn that a peer died, best first: futex (a word that the kernel
 *                           changes, watched by a thread of the library; needs Linux 5.16), tick (the
 *                           same word, looked at every 5 to 20 ms of waiting), pidfd, launcher (only
 *                           when the launcher says so). The best that the system has when unset
 *   MUSTER_REPORT_CRASHES   1: as if muster_report_crashes were called
 *   MUSTER_RESTARTS         how many processes were this rank before, all dead; set by a launcher that
 *                           replaces the dead (MUSTER_ON_FAILURE_RESPAWN). Above 0, the world is the group
 *                           that the others make with muster_group_grow, and init blocks until they do;
 *                           the program then gets from them what state it needs
 *   MUSTER_EXACT_TIMES      1: what muster_records_read shows has times to the nanosecond, which takes each
 *                           operation some 80 ns
 *   MUSTER_LOG              warn, info or debug: tell so much on stderr; see muster_set_log
 *   MUSTER_FAULT            what is to go wrong, for tests of programs: rank=2:op=7:kill has rank 2 kill
 *                           itself when it begins its seventh operation (collective, message, split, ...;
 *                           of any group); stop, delay=50ms and flip (a bit of the next result that it
 *                           gets) go as well; several with commas. Not in a process that replaces another
 *   MUSTER_CHAOS            a seed: random delays wherever ranks depend on each other
 *   MUSTER_ONE_THREAD       1: only one thread of this rank calls muster, whatever others it has; then
 *                           deadlocks are found in programs of many threads, too
 *
 * The answer is kept: later calls return the same group, and each is paired with one
 * muster_group_free. Blocks until all ranks have come. Without MUSTER_ARENA the world is a group of
 * one, or, when `strict`, MUSTER_ERR_UNAVAILABLE. An environment that asks for a world and cannot
 * give it is an error even when not strict. (MLX: mx.distributed.init)
 */
MUSTER_API muster_status muster_init(bool strict, const char *backend, muster_group **world);

/* Whether to go on waiting no longer; called on the thread that waits. */
typedef bool (*muster_interrupt_fn)(void *arg);

/* Lets muster_init be interrupted, and waits in the world that it gives: as muster_group_set_interrupt.
 * For the whole process; called before muster_init. `fn` NULL: no more. */
MUSTER_API void muster_set_interrupt(muster_interrupt_fn fn, void *arg);

/* How much to tell: what is wrong or was asked for by MUSTER_FAULT; what is made and given back; each call.
 */
typedef enum muster_log_level {
    MUSTER_LOG_OFF,
    MUSTER_LOG_WARN,
    MUSTER_LOG_INFO,
    MUSTER_LOG_DEBUG
} muster_log_level;

/* One sentence, without a newline; `line` is good for the call. Called on the thread that has something to
 * say, of which several may at once, within a call of muster's: it must not call muster itself. */
typedef void (*muster_log_fn)(muster_log_level level, const char *line, void *arg);

/* Has muster_init's world tell `fn` what goes on, up to that level; `fn` NULL: lines on stderr. For the whole
 * process; called before muster_init, and in place of MUSTER_LOG. Nothing is told unless asked for. */
MUSTER_API void muster_set_log(muster_log_level level, muster_log_fn fn, void *arg);

/* Whether muster reads an environment variable of that name; true of names that do not begin with MUSTER_. */
MUSTER_API bool muster_is_variable(const char *name);

/* The names of all environment variables that muster reads, in alphabetical order; ends with NULL. */
MUSTER_API const char *const *muster_variables(void);

/* Whether this process looks like a rank of another launcher, mpirun, srun or torchrun: the variable that
 * says so (WORLD_SIZE, OMPI_COMM_WORLD_SIZE, PMI_SIZE or SLURM_NTASKS), and in *size, unless that is NULL,
 * how many ranks it says there are, 2 or more. NULL: it does not, or muster's own variables are set, which
 * say better. Such a process becomes a world of one by muster_init, as muster does not read them: start it
 * with muster run. */
MUSTER_API const char *muster_other_launcher(int *size);

/* How many CPUs this process can keep busy: those that it may run on, or fewer where a control group allows
 * less time; at least 1. As many ranks as that do not get into each other's way. */
MUSTER_API int muster_cpu_count(void);

/* Everything that muster_init reads from the environment, explicit. Zero means the default. */
typedef struct muster_config {
    size_t struct_size; /* sizeof(muster_config), set by MUSTER_CONFIG_INIT */
    const char *arena;  /* "/name" or "fd:N"; NULL: a private arena for a group of one */
    int rank;
    int size;                      /* 0: 1 */
    int64_t attach_timeout_ns;     /* 0: timeout_ns, or if that is 0, too, 30 s for a name; -1: no limit */
    int64_t timeout_ns;            /* of one operation; 0: no limit. Not counted while the job is stopped */
    size_t arena_bytes;            /* address space for all ranks, for whoever creates it; 0: 256 GiB */
    size_t staging_bytes;          /* of one rank in one group, likewise; 0: by the number of ranks */
    const char *liveness;          /* how to learn of deaths, as MUSTER_LIVENESS; NULL: the best there is */
    bool report_crashes;           /* calls muster_report_crashes */
    bool one_thread;               /* as MUSTER_ONE_THREAD */
    int restarts;                  /* as MUSTER_RESTARTS */
    muster_interrupt_fn interrupt; /* as muster_group_set_interrupt, and already while it attaches */
    void *interrupt_arg;
    bool exact_times; /* as MUSTER_EXACT_TIMES */
    muster_log_level log_level;
    muster_log_fn log; /* NULL: stderr */
    void *log_arg;
    const char *fault; /* as MUSTER_FAULT; NULL: none */
    uint64_t chaos;    /* as MUSTER_CHAOS; 0: none. Of the whole process */
} muster_config;

#define MUSTER_CONFIG_INIT MUSTER_SIZED(muster_config)

/*
 * Attaches to an arena as one rank; blocks until all have come or the deadline passes, and then
 * names those who did not. No state outside the group that it returns. Errors: INVALID, BAD_ARENA,
 * PERMISSION, NO_SPACE, TIMED_OUT, PEER_DIED, ABORTED (interrupted), SYSTEM.
 */
MUSTER_API muster_status muster_attach(const muster_config *config, muster_group **world);

MUSTER_API int muster_group_rank(const muster_group *group); /* -1 for NULL */
MUSTER_API int muster_group_size(const muster_group *group); /* 0 for NULL */

#define MUSTER_COLOR_NONE (-1)

/*
 * Ranks that give the same color form a group, in the order of their keys; equal keys keep the
 * order of the parent. `key` < 0: the rank in the parent. `color` >= 0, or MUSTER_COLOR_NONE for
 * ranks that join nothing (*child is NULL then). A collective over the parent. Errors: INVALID,
 * NO_SPACE (on all ranks of the color; the parent is as before), and those of any wait.
 * (MPI_Comm_split; MLX: Group.split)
 */
MUSTER_API muster_status muster_group_split(muster_group *group, int color, int key, muster_group **child);

/*
 * The members of a broken group that are left form a new one, in the old order, in fresh memory: every
 * living member calls it, or has given the group back. A collective over the living: it waits for each of
 * them, and however many die meanwhile, those who return MUSTER_OK agree on who is in *survivors. One of
 * those may have died since; then the new group is broken in its turn, and is shrunk again. k - 1 deaths
 * leave a working group of one. Members that wait in another call of the group for one that has called this
 * get PEER_DIED ("has gone to shrink the group"), so that all meet here; so no other thread should be in a
 * call of the group. The old group is as it was otherwise, and should be given back. Not only after deaths:
 * after any error, or none, it makes a new group of the living. Errors: INVALID, BUSY, FORKED, NO_SPACE (on
 * all, who may try again), TIMED_OUT (a member that lives did not call it in MUSTER_TIMEOUT), BAD_ARENA.
 * (MPIX_Comm_shrink of ULFM)
 */
MUSTER_API muster_status muster_group_shrink(muster_group *group, muster_group **survivors);

/*
 * As muster_group_shrink, and the new group also has those that replace lost ranks of the world: it waits
 * for all that the launcher has promised (on_failure MUSTER_ON_FAILURE_RESPAWN), each of which comes, or
 * dies in its turn, or is not to come since its restarts are used up. In the order of the ranks in the
 * world, so that, when all have been replaced, every rank has its first number again; where some have not,
 * the group is smaller, as muster_group_size says. A collective over the living members: those who have
 * shrunk the world grow what they got. The new ones get the group as their world, from muster_init. For
 * the world, and what shrink and grow have made of it; groups that were split off are made again by split.
 * Errors: those of shrink, TIMED_OUT also when a replacement does not come in MUSTER_TIMEOUT, MISMATCH
 * when some called shrink (all may try again), INVALID for a group that split made. (ncclCommGrow)
 */
MUSTER_API muster_status muster_group_grow(muster_group *group, muster_group **grown);

/* The rank that member `rank` of `group` has in `other`, another group of this process's rank; -1: it is
 * not in it, or there is no such rank or group. A replacement is another member than the dead. Never blocks.
 * (MPI_Group_translate_ranks) */
MUSTER_API int muster_group_translate(const muster_group *group, int rank, const muster_group *other);

/* Gives the group back: local, never blocks, NULL is fine. Peers that still wait for this rank in
 * the group get PEER_DIED, "left the group". Arena buffers of the group go with it. Errors: FORKED;
 * BUSY when another thread is inside. */
MUSTER_API muster_status muster_group_free(muster_group *group);

/* MUSTER_OK, or what broke the group; muster_error_detail() then has the sentence. Never blocks. */
MUSTER_API muster_status muster_group_status(const muster_group *group);

/* Breaks the group: every rank that is in a call of it, or makes one later, gets ABORTED with
 * `reason` (may be NULL; the first 250 bytes count). Any rank, any thread; never blocks. */
MUSTER_API muster_status muster_group_abort(muster_group *group, const char *reason);

/*
 * Asks that this rank's peers be told of a crash at once. A crash is otherwise found when the core file is
 * written, or, while that takes, after 100 ms of waiting. Installs handlers of SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE and SIGABRT for the process, which tell the peers and then let happen what would have happened
 * without them; so it is not for programs that go on after such a signal. For the rank, whatever group
 * of it is given, until it has left all groups. Errors: INVALID, FORKED, NO_SPACE (64 ranks of this process
 * have asked).
 */
MUSTER_API muster_status muster_report_crashes(muster_group *group);

/*
 * Lets waits of this rank in the group, and in groups made from it later, be interrupted: `fn` is called
 * every 5 to 20 ms of a wait, and when it returns true, the call ends with MUSTER_ERR_ABORTED, and so do
 * those of the others ("rank 2 was interrupted"), as an operation that one rank has left half done cannot be
 * finished. In shrink and grow the call alone ends. For languages that act on signals between their own
 * instructions, as Python does on Ctrl-C. `fn` NULL: no more. Errors: INVALID, FORKED.
 */
MUSTER_API muster_status muster_group_set_interrupt(muster_group *group, muster_interrupt_fn fn, void *arg);

/*
 * How long an operation of this rank in the group may wait from now on, in place of MUSTER_TIMEOUT; 0: no
 * limit. For operations begun later, started ones and messages included, and for groups made from it later.
 * Local: each rank has its own. Errors: INVALID, FORKED, and BUSY when another thread is inside.
 */
MUSTER_API muster_status muster_group_set_timeout(muster_group *group, int64_t timeout_ns);

/* ---- collectives -------------------------------------------------------------------------- */

/* out[i] = in_0[i] op in_1[i] op ... op in_n-1[i], on every rank. `in`, `out`: count elements.
 * (MPI_Allreduce; MLX: all_sum, all_max, all_min) */
MUSTER_API muster_status muster_all_reduce(const void *in, void *out, size_t count, muster_dtype dtype,
                                           muster_op op, muster_group *group);
MUSTER_API muster_status muster_all_sum(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);
MUSTER_API muster_status muster_all_max(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);
MUSTER_API muster_status muster_all_min(const void *in, void *out, size_t count, muster_dtype dtype,
                                        muster_group *group);

/* Every rank gets every rank's `in` (count_per_rank elements) in rank order in `out` (size x
 * count_per_rank). In place: in == out + rank x count_per_rank. (MPI_Allgather, MLX: all_gather) */
MUSTER_API muster_status muster_all_gather(const void *in, void *out, size_t count_per_rank,
                                           muster_dtype dtype, muster_group *group);

/* Rank r gets block r of the reduction of all `in` (size x count_per_rank elements) in `out`
 * (count_per_rank). In place: out == in + rank x count_per_rank.
 * (MPI_Reduce_scatter_block; MLX: sum_scatter) */
MUSTER_API muster_status muster_reduce_scatter(const void *in, void *out, size_t count_per_rank,
                                               muster_dtype dtype, muster_op op, muster_group *group);
MUSTER_API muster_status muster_sum_scatter(const void *in, void *out, size_t count_per_rank,
                                            muster_dtype dtype, muster_group *group);

/* Every rank gets the root's `in` in `out`; `in` counts on the root only, elsewhere it may be NULL.
 * In place on the root: in == out. (ncclBroadcast) */
MUSTER_API muster_status muster_broadcast(const void *in, void *out, size_t count, muster_dtype dtype,
                                          int root, muster_group *group);

/* all_reduce whose result only the root gets; elsewhere `out` may be NULL. (MPI_Reduce) */
MUSTER_API muster_status muster_reduce(const void *in, void *out, size_t count, muster_dtype dtype,
                                       muster_op op, int root, muster_group *group);

/* all_gather whose result only the root gets; elsewhere `out` may be NULL. (MPI_Gather) */
MUSTER_API muster_status muster_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                       int root, muster_group *group);

/* Rank r gets block r of the root's `in` (size x count_per_rank) in `out`; elsewhere `in` may be
 * NULL. In place on the root: out == in + root x count_per_rank. (MPI_Scatter) */
MUSTER_API muster_status muster_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                        int root, muster_group *group);

/* Block r of this rank's `in` goes to rank r, as block `rank` of its `out`; both have size x
 * count_per_rank elements. No in-place form. (MPI_Alltoall) */
MUSTER_API muster_status muster_all_to_all(const void *in, void *out, size_t count_per_rank,
                                           muster_dtype dtype, muster_group *group);

/* Returns when every rank has entered. What a rank wrote to memory before is seen after. */
MUSTER_API muster_status muster_barrier(muster_group *group);

/* ---- nonblocking collectives ------------------------------------------------------------ */

/*
 * Start publishes this rank's part and returns without waiting; finish waits for the others and
 * completes the operation. In between the program does other work while the other ranks arrive.
 *
 * `in` is the program's again when start returns, since what peers read has been copied; `out`
 * holds the result, and may be touched, when finish returns MUSTER_OK. In place as in the ordinary
 * forms. Ranks start operations of a group in the same order, and may finish them in any; ordinary
 * collectives of the group may come in between. Up to MUSTER_STARTED_MAX operations of a group may
 * be started and not finished: one is MUSTER_ERR_BUSY until the one MUSTER_STARTED_MAX before it is
 * finished, whatever came after that, and so is freeing the group before all are.
 * Starting needs arena memory for the copy: MUSTER_ERR_NO_SPACE concerns this rank alone, and the
 * others wait until it has started the operation after all. (MPI_Iallreduce and MPI_Wait)
 */
typedef struct muster_request {
    muster_group *group;
    uint64_t number;
} muster_request;

#define MUSTER_REQUEST_INIT                                                                                  \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define MUSTER_STARTED_MAX 4

MUSTER_API muster_status muster_all_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                                 muster_op op, muster_group *group, muster_request *request);
MUSTER_API muster_status muster_all_gather_start(const void *in, void *out, size_t count_per_rank,
                                                 muster_dtype dtype, muster_group *group,
                                                 muster_request *request);
MUSTER_API muster_status muster_reduce_scatter_start(const void *in, void *out, size_t count_per_rank,
                                                     muster_dtype dtype, muster_op op, muster_group *group,
                                                     muster_request *request);
MUSTER_API muster_status muster_broadcast_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                                int root, muster_group *group, muster_request *request);

/* Completes the operation and resets *request. A request that is not under way, because it was never
 * started, or has been finished before (also through a copy), is MUSTER_ERR_INVALID. After BUSY and
 * FORKED the request is as it was; after any other error the operation is over, and with PEER_DIED,
 * TIMED_OUT, MISMATCH, DEADLOCK and ABORTED the group is broken. */
MUSTER_API muster_status muster_finish(muster_request *request);

/* ---- point to point ----------------------------------------------------------------------- */

/*
 * Messages of a pair arrive in the order sent. At least 64 KiB of messages per pair are buffered: a
 * send that fits returns at once, a longer one when the receiver has taken enough. From an arena
 * buffer a longer one, or one that the receiver waits for already, is read where it lies, and
 * returns when that is done. count and dtype of the receive equal those of the send, or both ranks'
 * group is poisoned with MISMATCH. A message to oneself must fit the buffer. A send may run beside a
 * receive of the same group, from another thread. (MPI_Send, MPI_Recv with one tag; MLX: send, recv)
 */
MUSTER_API muster_status muster_send(const void *buf, size_t count, muster_dtype dtype, int dst,
                                     muster_group *group);
MUSTER_API muster_status muster_recv(void *buf, size_t count, muster_dtype dtype, int src,
                                     muster_group *group);

/* Both at once; never deadlocks, whatever the pattern. The buffers must not overlap.
 * (MPI_Sendrecv) */
MUSTER_API muster_status muster_sendrecv(const void *sendbuf, size_t sendcount, int dst, void *recvbuf,
                                         size_t recvcount, int src, muster_dtype dtype, muster_group *group);

/* ---- arena buffers ------------------------------------------------------------------------ */

/*
 * Memory inside the arena: collectives of `group` and of every other group of this rank read it
 * where it lies, without copying it first. Local, not a collective: each rank allocates what it
 * needs. Aligned to a page; contents undefined; bytes 0 gives NULL. A buffer lives until
 * muster_free or until its group is freed. It is committed: touching it never fails. Errors:
 * NO_SPACE with numbers, where the system, the rank's part of the arena or a memory control group
 * has no more, INVALID for a buffer that is not of this rank and group. muster_free(group, NULL) is
 * fine.
 */
MUSTER_API muster_status muster_alloc(muster_group *group, size_t bytes, void **buffer);
MUSTER_API muster_status muster_free(muster_group *group, void *buffer);

/* ---- launching ---------------------------------------------------------------------------- */

/* The body of one rank; 0 is success, other values 1 ... 255 are the rank's exit status. */
typedef int (*muster_rank_fn)(muster_group *world, void *arg);

typedef enum muster_on_failure {
    MUSTER_ON_FAILURE_KILL,     /* the first failure ends the others: TERM, then KILL */
    MUSTER_ON_FAILURE_CONTINUE, /* the others go on; their calls return PEER_DIED where they need it */
    MUSTER_ON_FAILURE_RESPAWN   /* the same, and the rank is started again, for muster_group_grow */
} muster_on_failure;

/* One sentence, without a newline; `line` is good for the call. */
typedef void (*muster_notice_fn)(const char *line, void *arg);

/* A line that a rank has printed, without its newline; `fd` is 1 or 2; `line` is good for the call. An
 * unfinished last line is a line, too; of one of over 1 MiB the parts are, and `notice` is told so. */
typedef void (*muster_output_fn)(int rank, int fd, const char *line, size_t bytes, void *arg);

/* A line, or a part of one, that is about to be shown. A part of a line is shown when it has waited for a
 * moment, as prompts and progress bars do; the others follow as they come. */
typedef struct muster_line {
    size_t struct_size; /* as the library knows it */
    int rank;           /* -1: a sentence of the launcher's own */
    int fd;             /* 1 or 2 */
    const char *text;   /* without the newline; good for the call */
    size_t bytes;
    bool begins, ends; /* whether it is the line's first part, and its last */
    bool continued;    /* another rank has printed since the part before, so this one needs a head, too */
} muster_line;

#define MUSTER_HEAD_BYTES 96

/* Writes what is to stand before the line, a string; false: it is not to be shown. */
typedef bool (*muster_show_fn)(const muster_line *line, char head[MUSTER_HEAD_BYTES], void *arg);

/* Called once, with the descriptor of the arena of the job, before any rank is started; it is good for the
 * call. False: do not start them; muster_launch returns SYSTEM. */
typedef bool (*muster_arena_fn)(int fd, void *arg);

/* Called in a rank's process before it executes the command: may change the environment, the folder, the
 * CPUs, or execute something else itself. NULL, or one sentence: why the rank cannot start. */
typedef const char *(*muster_prepare_fn)(int rank, void *arg);

typedef struct muster_launch_config {
    size_t struct_size;         /* sizeof(muster_launch_config), set by MUSTER_LAUNCH_CONFIG_INIT */
    int size;                   /* ranks to start; 0: 1 */
    const char *const *command; /* with fn NULL: argv to execute in every rank, NULL-terminated */
    bool threads;               /* ranks as threads of this process, for tests; not with command */
    bool prefix_output;         /* begin each line of a rank's output with "[rank] "; not with threads */
    muster_on_failure on_failure;
    int64_t timeout_ns;    /* of the whole run; 0: none. Not with threads. */
    int64_t grace_ns;      /* between TERM and KILL; 0: 2 s */
    int64_t op_timeout_ns; /* of one operation, as MUSTER_TIMEOUT; 0: as the environment says */
    int signal_fd;         /* each byte read from it is a signal to pass on to all ranks; after SIGTSTP this
                              process stops, too, until it is continued. 0: none */
    size_t arena_bytes;    /* as in muster_config */
    size_t staging_bytes;
    int restarts; /* with RESPAWN: how often, all ranks together; 0: 16. Each takes address space. */
    int64_t restart_delay_ns; /* before a rank is started again that lived less than 10 s, doubled each time
                                 that it does so again, up to 10 s; 0: 100 ms */
    muster_notice_fn notice;  /* told of each failure and restart when it happens; NULL: nobody */
    void *notice_arg;
    muster_output_fn output; /* gets what ranks print, in place of our own output; NULL: see prefix_output */
    void *output_arg;
    muster_prepare_fn prepare; /* with command only; NULL: nothing to prepare */
    void *prepare_arg;
    muster_arena_fn arena; /* for those who look on from outside; NULL: nobody */
    void *arena_arg;
    muster_show_fn show; /* with prefix_output: what stands before each line; also shows `notice`'s sentences;
                            NULL: "[rank] " */
    void *show_arg;
    bool terminal; /* with command and prefix_output or output: each rank's stdout and stderr are
                      pseudo-terminals, so that C programs write each line as they print it */
} muster_launch_config;

#define MUSTER_LAUNCH_CONFIG_INIT MUSTER_SIZED(muster_launch_config)

typedef enum muster_termination_kind {
    MUSTER_TERMINATION_NONE,     /* alive, or unknown */
    MUSTER_TERMINATION_EXITED,   /* code: the exit status */
    MUSTER_TERMINATION_SIGNALED, /* code: the signal */
    MUSTER_TERMINATION_VANISHED, /* gone, and nobody could say how */
    MUSTER_TERMINATION_EXECED,   /* its process goes on as another program */
    MUSTER_TERMINATION_CRASHED   /* is writing its core file; nobody could say yet of what */
} muster_termination_kind;

typedef struct muster_termination {
    muster_termination_kind kind;
    int code;
} muster_termination;

/* How a rank ended, in words that follow its name: "was killed by signal 9 (Killed)", "exited with status 3".
 * They are cut off where they have no room. */
MUSTER_API void muster_termination_describe(muster_termination termination, char *text, size_t bytes);

typedef struct muster_report {
    size_t struct_size;               /* sizeof(muster_report), set by MUSTER_REPORT_INIT */
    muster_termination *terminations; /* in: NULL, or room for one ending per rank, filled by rank */
    int first_failed;                 /* the rank that failed first and was not replaced; -1: none */
    muster_termination first;         /* how it ended */
    bool timed_out;
    int exit_status;   /* what a command should exit with: 0, the status of the rank that failed
                          first, 128 + its signal, 124 after a timeout, 128 + SIGPIPE when nobody reads
                          what ranks print, or 1 when it cannot be written */
    char summary[512]; /* one line that names rank and cause; "" when all went well */
    int restarts;      /* how many ranks were started again */
    int stopped_by;    /* the first signal by signal_fd that asked the job to end; 0: none has */
    bool output_lost;  /* something that ranks printed could not be written; exit_status is not 0 then */
} muster_report;

#define MUSTER_REPORT_INIT MUSTER_SIZED(muster_report)

/*
 * Starts `size` ranks and waits for all of them. With `fn`, each is a fork of this process that
 * runs fn(world, arg), flushes stdio and _exit()s with its value; muster_init inside fn gives the
 * same world. With config->command, each executes that instead, with the environment that
 * muster_init reads; rank 0 keeps standard input unless it is a terminal, the others get none.
 * Ranks die with the launching process, and those that execute a command also if a wrapper has started them
 * (not so for threads). They start with the signals and limits that this process has when it calls; while
 * they run it may have a higher limit of descriptors. `report` may be NULL.
 *
 * They are children of this process: while they run it must not wait for children that it does not know
 * (waitpid(-1), also in a handler of SIGCHLD), nor ignore SIGCHLD. Else how a rank ended is lost, and
 * counts as a failure: MUSTER_TERMINATION_VANISHED.
 *
 * With MUSTER_ON_FAILURE_RESPAWN a rank that fails once all have attached is started again, in the same
 * way, while another one is in the world still: MUSTER_RESTARTS says how often that was. The others take
 * it in by muster_group_grow. What counts for the report is the rank's last process that was taken in. A
 * rank that fails when the restarts are used up stays lost, and the others go on. Not with threads.
 *
 * Returns MUSTER_OK when every rank ended with 0; PEER_DIED when one did not, TIMED_OUT after the
 * timeout, SYSTEM with output_lost when what ranks printed could not be written, all with the report filled
 * in; else no rank was started: INVALID, NO_SPACE, SYSTEM. Call it
 * before starting threads of your own: it forks.
 */
MUSTER_API muster_status muster_launch(const muster_launch_config *config, muster_rank_fn fn, void *arg,
                                       muster_report *report);

/* ---- looking from outside ----------------------------------------------------------------- */

/* What may run beside what in a group: one thread may be in a call of each class. A sendrecv is in two. */
typedef enum muster_call_class {
    MUSTER_CALL_COLLECTIVE, /* nonblocking ones, too */
    MUSTER_CALL_SPLIT,      /* split, shrink and grow */
    MUSTER_CALL_SEND,
    MUSTER_CALL_RECEIVE
} muster_call_class;

#define MUSTER_CALL_CLASS_COUNT 4

/* A process that is, or was, a rank. */
typedef struct muster_seen_rank {
    size_t struct_size; /* as the library knows it */
    int rank;           /* of the world */
    int pid;            /* 0: has not come */
    bool attached;
    bool left;     /* freed all its groups, or ended in the ordinary way */
    bool replaced; /* another process is this rank now, or will be */
    muster_termination termination;
} muster_seen_rank;

/* What it does in a group: nothing at present (in_call false), or a call. */
typedef struct muster_seen_call {
    size_t struct_size; /* as the library knows it */
    int rank;           /* of the world */
    int pid;
    uint64_t group; /* the same for all members of a group */
    bool world;     /* the group in which all began */
    int group_rank;
    int group_size;
    muster_call_class call_class;
    bool in_call;
    uint64_t operation;   /* the call's number in the group; not in a call: as `latest` */
    uint64_t latest;      /* the latest that it has entered there; what was started may end later */
    int peer;             /* whom alone it waits for, in the group; -1: all */
    char what[100];       /* "all_sum (float32 x 4096)"; "" when not in a call */
    size_t bytes;         /* of the larger of the rank's buffers; 0 when not in a call */
    int64_t since_ns;     /* how long it is in the call, to some milliseconds */
    muster_status broken; /* what has broken the group for this rank; MUSTER_OK: nothing */
} muster_seen_call;

typedef struct muster_inspection {
    size_t struct_size; /* sizeof(muster_inspection), set by MUSTER_INSPECTION_INIT */
    int size;           /* ranks of the world */
    int launcher_pid;   /* 0: the ranks were started on their own */
    int rank_count;
    int call_count;
    const muster_seen_rank *const *ranks; /* pointers, since a later version's are longer */
    const muster_seen_call *const *calls; /* at least one per rank and group */
} muster_inspection;

#define MUSTER_INSPECTION_INIT MUSTER_SIZED(muster_inspection)

/*
 * Looks at a job through its arena, as `muster inspect` does, from any process of the same user: `fd` is the
 * arena's descriptor, opened for reading at least, such as /proc/PID/fd/N of the launcher or a rank. Disturbs
 * nothing: it only reads, and waits for nobody. Each rank is shown as it is when it is looked at, not all at
 * one moment. Also when ranks have died. Not for the started operations that nobody finishes yet. Given back
 * by muster_inspection_free. Errors: INVALID, BAD_ARENA (no arena, or of another version of muster),
 * PERMISSION, NO_MEMORY.
 */
MUSTER_API muster_status muster_inspect(int fd, muster_inspection *inspection);
MUSTER_API void muster_inspection_free(muster_inspection *inspection); /* NULL is fine */

/*
 * One operation that a rank has behind it. Times are the monotonic clock's. Where they are not exact,
 * `entered_ns` is up to some milliseconds early, what was waited is right, but for waits of less than some
 * 2 us, which count as none, and what is moved within some milliseconds takes no time.
 */
typedef struct muster_record {
    size_t struct_size; /* as the library knows it */
    int rank;           /* of the world */
    uint64_t group;     /* the same for all members of a group */
    bool world;         /* the group in which all began */
    int group_rank;
    int group_size;
    muster_call_class call_class; /* as in muster_seen_call */
    uint64_t operation;           /* its number there: the same on all ranks for collectives */
    char call[24]; /* "all_sum"; "phase": no operation, but a mark that muster_phase has left */
    muster_dtype dtype;
    size_t count;       /* elements, as the call gives them */
    size_t bytes;       /* of the larger of the rank's buffers */
    int peer;           /* the root, or whom the message was from or to, in the group; -1: none */
    bool exact;         /* times are exact */
    bool started;       /* this is muster_finish; the rank had come before */
    int64_t entered_ns; /* when the rank entered the call */
    int64_t arrived_ns; /* when all whom it waited for had come; 0: they did not, and the call failed */
    int64_t done_ns;
    char phase[32]; /* of a mark: the phase that begins at entered_ns, "": none */
} muster_record;

/*
 * Names what the rank does from now on, "forward" or "load", until the next call; "" or NULL names nothing.
 * muster trace, muster report and Perfetto then show the time by phase. Leaves one mark in the flight
 * recorder of the rank that uses the group (NULL: the world that muster_init has given this process); moves
 * nothing, waits for nobody, costs little more than reading the clock, and may be called by any thread, also
 * when the group is broken. The name has up to 31 bytes. Errors: INVALID, FORKED.
 */
MUSTER_API muster_status muster_phase(const char *name, const muster_group *group);

typedef void (*muster_record_fn)(const muster_record *record, void *arg);

/*
 * The flight recorder of a job: each rank remembers its latest 1024 operations in the arena, where they are
 * also when it has died. Opened on the arena's descriptor, as for muster_inspect, which stays the caller's
 * and stays open. Reading hands over what there is and was not handed over before, rank by rank, roughly in
 * the order of time, and says how many have been overwritten unread so far. Groups of one are not recorded.
 * Disturbs nothing. Errors: as muster_inspect.
 */
typedef struct muster_records muster_records;

MUSTER_API muster_status muster_records_open(int fd, muster_records **records);
MUSTER_API muster_status muster_records_read(muster_records *records, muster_record_fn fn, void *arg,
                                             uint64_t *lost);
MUSTER_API void muster_records_close(muster_records *records); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
