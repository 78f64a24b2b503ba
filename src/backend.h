/*
 * The backend interface: between the public API and what carries it.
 *
 * Above it, src/api checks arguments, lets one thread at a time into each call class, keeps what the user has
 * set, and knows neither shared memory nor any other transport. Below it, a backend moves the data, waits,
 * and finds out why a group is broken. A backend is one table of functions, and its group begins with struct
 * muster_group: {table, rank, size, call classes, deadline, interrupt}.
 *
 * Each function may rely on this: the group belongs to this process, the thread is the only one in the call's
 * class, and the arguments are valid. It must ensure this: a call on a broken group has no effect but to
 * return what broke the group, with its sentence.
 *
 * What else a new backend must provide (tests/backend is a small one; TEST_BACKEND runs the tests of the
 * public API on it):
 *
 * 1. It fills all of struct muster_group, with zeros from `occupied` on. `here` and `log` live as long as the
 *    group, which may outlive the world. A group made from another takes over its log, timeout, interrupt and
 *    threads_multiple.
 *
 * 2. An operation keeps the timeout that the group had when it began or was started. The interrupt function
 *    is called on the waiting thread, every 5 to 20 ms, without a lock held: it may call muster.
 *
 * 3. All ranks compare their requests before any output is written. The op counts only if the shape reduces,
 *    the root only if it is rooted; operations that programs made are compared by name, premultiplied sums
 *    without their factors. A difference is MISMATCH on all ranks; the sentence has rank 0's request
 *    and the first one that differs, by mst_collective_describe. Started and ordinary operations are counted
 *    together.
 *
 *    Of varied blocks they compare what each gives to each with what that one takes: the sentence names the
 *    pair and both counts.
 *
 * 4. `out` may overlap `in` as the in-place rules allow. With count 0 the buffers may be NULL, and the ranks
 *    still wait for each other.
 *
 * 5. The number of a started operation is mst_started_number of its call class and of a number that no
 *    other operation of the group has that is not over. Collectives are started in the same order on all
 *    ranks, and end in any order. `wait` and `test` make progress of all that was started in the groups
 *    involved, and so does every other call that waits. With progress_thread of the config they also go on
 *    while the rank is in no call.
 *
 * 6. Messages match receives as MPI says: of those that match, the message that was sent first and the
 *    receive that was posted first. A receive of any source is fair. Each pair buffers at least 64 KiB of
 *    messages, of any sizes; so does a rank for itself. A message to oneself that does not fit is INVALID,
 *    unless a receive of it has been started, or comes with it in a sendrecv. A message that is buffered, or
 *    waits for its receive, delays no other one. sendrecv sends and receives at the same time.
 *
 * 7. A rank that waits for a member which closes the group, or leaves, gets PEER_DIED.
 *
 * 8. An error of a group, whoever caused it, tells the group, and where it is known the rank that it is about
 *    (mst_error_in_group, mst_fail_about).
 *
 * 9. Where the group has threads_multiple, several threads may be in each of the calls of messages, and wait
 *    for operations and test them: messages match in the order in which the calls took effect, and each ends
 *    one receive. A wait takes an operation for itself, as a test and a cancellation do meanwhile: to another
 *    thread that gives it, it is BUSY.
 *
 * 10. `close` frees the group's buffers. It is not called while an operation is started and not finished.
 */
#ifndef MST_BACKEND_H
#define MST_BACKEND_H

#include "muster/muster.h"
#include "shm/base/atomic.h" /* these five know no shared memory: what both sides of the seam need */
#include "shm/base/error.h"
#include "shm/base/log.h"
#include "shm/base/plain.h"
#include "shm/base/ranklist.h"
#include "src/pure/blocks.h"
#include "src/pure/shown.h"

typedef struct mst_backend mst_backend;

/* An operation that the program made. It lives until the requests that use it are over. */
typedef struct mst_made_op {
    char name[MUSTER_OP_NAME_BYTES];
    muster_op_fn fn; /* NULL: a premultiplied sum */
    void *arg;
    muster_dtype dtype;       /* of the factor */
    unsigned char factor[16]; /* of a premultiplied sum: this rank's */
} mst_made_op;

/* A collective, as the user called it. */
typedef struct mst_request {
    mst_collective collective;
    muster_dtype dtype;
    muster_op op;            /* MST_OP_PREMUL_SUM or MST_OP_USER in place of the number of a made one */
    const mst_made_op *made; /* NULL: the op is a constant */
    bool unusual;            /* dtype and op say less than all: `made`, or MUSTER_BYTES */
    bool starts;             /* it was given to the function that starts it */
    int root;
    const void *in;
    void *out;
    size_t count;
    mst_blocks in_blocks, out_blocks; /* of buffers whose spans are varied, on the ranks that have them */
    mst_counts gives, takes;          /* where a span is varied: to and from each rank */
    size_t in_elements, out_elements; /* likewise: of this rank's buffers */
    size_t elements;                  /* as sentences say it: the count, or of varied blocks those of the
                                         larger buffer together */
    size_t element_bytes;             /* of the dtype */
    bool repeated;                    /* all fields are those of the group's latest blocking collective; in
                                         `latest` itself: there is one */
} mst_request;

/* One message, or one in each direction at once. */
typedef struct mst_message {
    const char *name; /* of the call */
    muster_dtype dtype;
    bool sends, receives;
    int destination;
    int source; /* or MUSTER_ANY_SOURCE */
    int send_tag;
    int receive_tag; /* or MUSTER_ANY_TAG */
    const void *out;
    void *in;
    size_t out_count, in_count;
    size_t out_bytes, in_bytes;
    muster_message *result; /* what has come, if it receives; NULL: exactly in_count elements must come */
} mst_message;

/* A group in whose calls of a class a waiting thread is. */
typedef struct mst_waited {
    struct mst_waited *next;
    muster_group *group;
} mst_waited;

/* One wait for started operations. */
typedef struct mst_wait_set {
    muster_request *requests; /* those without a group are skipped; all others are of one backend */
    size_t count;
    bool all;                                    /* waits for each of them, in place of any of them */
    int64_t timeout_ns;                          /* of the wait; 0: those that the operations began with */
    mst_waited *groups[MUSTER_CALL_CLASS_COUNT]; /* in whose calls of a class this thread is, each once */
    mst_waited one;                              /* of these: what waits for one operation needs no memory */
} mst_wait_set;

#define MST_THREADS_MAX 1024 /* of a rank, in collectives */

/* In `occupied`, each of several threads counts this; a thread that must be alone in its class counts 1. */
#define MST_ONE_OF_SEVERAL 2

/* The number of a started operation contains its call class. */
static inline uint64_t mst_started_number(uint64_t number, muster_call_class class)
{
    return number * MUSTER_CALL_CLASS_COUNT + class;
}

static inline muster_call_class mst_started_class(uint64_t number)
{
    return (muster_call_class)(number % MUSTER_CALL_CLASS_COUNT);
}

/* The beginning of every backend's group. */
struct muster_group {
    const mst_backend *backend;
    int rank;
    int size;
    const unsigned char *here;     /* 1 in the process whose group it is, 0 in its forked children */
    const mst_log *log;            /* the rank's log */
    int64_t timeout_ns;            /* of one operation; 0: no limit */
    muster_interrupt_fn interrupt; /* NULL: none */
    void *interrupt_arg;
    bool threads_multiple; /* several threads may be in calls of messages at the same time */
    bool carries; /* for a group of another backend: what a member owes here, it may owe in no call of
                     the program, so waits here are part of no wait cycle */
    bool is_part; /* of a group over several hosts: its arena's numbers of ranks are not the world's */
    bool hidden;  /* of a group of another backend, which logs in its own words that it is broken */
    _Atomic uint32_t threads; /* of this rank, in collectives (muster_group_set_threads); 0: as 1 */
    /* Where it carries: of what is started in it, in place of timeout_ns. It is not beside that one, which a
     * split may write meanwhile: compilers load neighbours together. */
    int64_t started_limit_ns;
    /* By call class: 0: no thread is in a call. 1: one is, and must be alone. The address of a wait set: one
     * waits. Else the number of threads x MST_ONE_OF_SEVERAL. */
    _Atomic uint64_t occupied[MUSTER_CALL_CLASS_COUNT];
    mst_waited waited[MUSTER_CALL_CLASS_COUNT]; /* in a wait set: of the only thread in that class */
    _Atomic uint64_t started_count[MUSTER_CALL_CLASS_COUNT]; /* operations that are not completed yet */
    mst_request latest;       /* the latest blocking collective that passed the checks of src/api */
    size_t *latest_counts;    /* the counts and displacements that it was given; NULL: never any
                                 (src/api/varied.c) */
    struct mst_kept_op *kept; /* made operations that started ones use */
    bool starts_functions;    /* of the program's (muster_op_create): one has been started in the group */
    bool (*released)(muster_group *group); /* set by muster_init; false: others still use the world */
    uint64_t number;                       /* the same on all members, and no other group's of the job */
    char name[MUSTER_GROUP_NAME_BYTES];    /* "": none */
};

/* The beginning of every backend's share. */
struct muster_share {
    muster_group *group; /* of the same members, in the same order; nobody else knows it */
    bool sealed;         /* muster_share_seal has succeeded */
};

/* Bytes for a member's block, and a signal for the member. */
typedef struct mst_put {
    int rank;
    size_t offset;
    const void *from;
    size_t bytes;
    int signal;
} mst_put;

typedef struct mst_signal_wait {
    int source;
    int signal;
    uint64_t count;
    int64_t timeout_ns; /* 0: the group's; below 0: it does not wait */
} mst_signal_wait;

/* Memory that all members of a group map. */
typedef struct mst_share_methods {
    /* Collective, as split; the share's group takes over what a group made from another does. Blocks are
     * zeros, and begin at pages. */
    muster_status (*create)(muster_group *group, size_t bytes, muster_share **share);
    void (*at)(const muster_share *share, int rank, void **address, size_t *bytes);
    void (*sync)(muster_share *share);
    muster_status (*seal)(muster_share *share); /* collective */
    /* The bytes are in the block. By one thread at a time; never blocks. */
    muster_status (*put_signal)(muster_share *share, const mst_put *put);
    /* A deadline, an interruption or a death ends the call alone. By one thread at a time. */
    muster_status (*wait_signal)(muster_share *share, const mst_signal_wait *wait);
    /* The address that corresponds, in the block of that member of the group, to one in this rank's block of
     * any share. */
    muster_status (*peer)(muster_group *group, int rank, const void *mine, void **theirs);
    void (*close)(muster_share *share);
} mst_share_methods;

/* The beginning of every backend's queue. */
struct muster_queue {
    muster_group *group; /* as of a share */
    int writer;
    size_t entries, entry_bytes;
    bool peeked; /* at the entry that is popped or released next */
};

/* Entries from one member of a group to all others, in order. What ends a wait ends the call alone. By one
 * thread at a time of the writer, and of each reader; the deadlines are as of signals. */
typedef struct mst_queue_methods {
    /* Collective, as split: MISMATCH unless all give the same. */
    muster_status (*create)(muster_group *group, int writer, size_t entries, size_t entry_bytes,
                            muster_queue **queue);
    muster_status (*push)(muster_queue *queue, const void *entry, size_t bytes, int64_t timeout_ns);
    /* The next entry, where it is, until `release`; again the same one until then. */
    muster_status (*peek)(muster_queue *queue, int64_t timeout_ns, const void **entry, size_t *bytes);
    void (*release)(muster_queue *queue);
    int (*drop)(muster_queue *queue); /* readers that are gone; returns how many are left */
    /* The reader that has most entries before it, and how many; -1 and 0: there is none. At any time. */
    void (*lag)(const muster_queue *queue, int *rank, uint64_t *entries);
    void (*close)(muster_queue *queue);
} mst_queue_methods;

struct mst_backend {
    const char *name; /* as users name it: "shm" */
    int ranks_max;    /* of a world */

    /* Creates a world from a config, of which the checks common to all backends have been made. */
    muster_status (*attach)(const muster_config *config, muster_group **world);
    /* The world is the environment's, and this process its rank: resources that it got from the launcher must
     * not pass to programs that it executes. */
    void (*adopt)(muster_group *world, const muster_config *config);
    /* A byte that is 1 in this process and 0 in its forked children, valid until exit; NULL: no memory. */
    const unsigned char *(*mark_process)(void);

    /* One thread at a time per call class, but see 9. */
    muster_status (*collective)(muster_group *group, const mst_request *request);
    muster_status (*start)(muster_group *group, const mst_request *request, uint64_t *number);
    /* So many threads of this rank, 1 to MST_THREADS_MAX, do its collectives from now on. In the class of
     * collectives; BUSY while a thread is in `help`. NULL: one does. */
    muster_status (*set_threads)(muster_group *group, int threads);
    /* Thread 1 ... group->threads - 1, by any thread at any time: does parts of the collective that its call
     * belongs to, until that has ended; returns its status, with its error, or what has broken the group
     * before. BUSY: another thread is here by that number. */
    muster_status (*help)(muster_group *group, int thread);
    /* Whether a thread is in `help`. */
    bool (*is_helped)(const muster_group *group);
    /* A collective has ended with that status, whose error is the thread's latest, also one that `collective`
     * was not called for, since its arguments are not valid. Where group->threads is above 1; in the class of
     * collectives. */
    void (*end_collective)(muster_group *group, muster_status status);
    /* Makes progress, without waiting. *over: the operation has ended, and this is its status; INVALID, and
     * not over: no operation of that number is pending. */
    muster_status (*test)(muster_group *group, uint64_t number, bool *over);
    /* Waits until one operation of the set, or each, is over, and completes it (mst_request_over). Returns at
     * the first that fails, with its status; `all` then completes those of broken groups, too. *index: the
     * request of one that has succeeded; the count if none was pending. INVALID, before any wait: a request
     * is not pending. */
    muster_status (*wait)(mst_wait_set *set, size_t *index);
    muster_status (*message)(muster_group *group, const mst_message *message);
    /* Starts a message of one direction, or of none: that is over at once. */
    muster_status (*start_message)(muster_group *group, muster_call_class call_class,
                                   const mst_message *message, uint64_t *number);
    /* *over: it was a receive that no message had matched, and is over; so it is in a broken group, with the
     * group's status. INVALID, and not over: no operation of that number is pending. */
    muster_status (*cancel)(muster_group *group, uint64_t number, bool *over);
    /* Whether a message of that source and tag, which may be any, can be received; *result: what it is.
     * `waits`: until there is one. */
    muster_status (*probe)(muster_group *group, int source, int tag, bool waits, bool *found,
                           muster_message *result);
    /* In the order of keys, of equal ones in the parent's; *child is NULL for MUSTER_COLOR_NONE. */
    muster_status (*split)(muster_group *group, int color, int key, muster_group **child);
    /* A split in which all give the same color, and that is called dup. */
    muster_status (*dup)(muster_group *group, muster_group **copy);
    /* Only those in the list call it: different ranks of the group, this one among them. Two ranks that give
     * different lists, at the call that they make together, get MISMATCH. */
    muster_status (*subset)(muster_group *group, const int *ranks, int count, muster_group **subset);
    muster_status (*regroup)(muster_group *group, bool grows, muster_group **made); /* broken ones too */

    /* At any time, by any thread. */
    muster_status (*alloc)(muster_group *group, size_t bytes, void **buffer);
    bool (*release)(muster_group *group, void *buffer); /* false: not a buffer of this group */
    const mst_share_methods *shares;                    /* NULL: none, as between hosts */
    const mst_queue_methods *queues;                    /* likewise */
    muster_status (*status)(const muster_group *group);
    /* For groups that carry: whether status would return MUSTER_OK, by a glance at memory, which does not
     * know yet of a death that nobody has seen, or that is recorded and has not come to the group. NULL:
     * there are no such groups. */
    bool (*seems_whole)(const muster_group *group);
    void (*abort_group)(muster_group *group, const char *reason);
    int (*translate)(const muster_group *group, int rank, const muster_group *other); /* -1: not a member */
    muster_status (*report_crashes)(muster_group *group);
    void (*mark_phase)(const muster_group *group, const char *name);
    void (*show_name)(const muster_group *group); /* to observers: the group has another name */
    /* For groups of another backend; one thread at a time for each class. From now on observers see of this
     * group what the next functions say; with NULL nothing; `only_number`: as before, by that number. Returns
     * the number. */
    uint64_t (*show_as)(muster_group *group, const mst_seen_as *as, bool only_number);
    void (*show)(muster_group *group, const mst_shown *what);           /* until unshow */
    void (*show_awaited)(muster_group *group, const uint64_t *awaited); /* of other hosts; a hint */
    void (*unshow)(muster_group *group, muster_call_class call_class);
    /* What is over; times of the monotonic clock; arrived 0: not all have come. */
    void (*record)(muster_group *group, const mst_shown *what, int64_t entered_ns, int64_t arrived_ns);
    /* Of the group of all ranks on this host, whose config wants a progress thread: the thread does this,
     * too, once, from now on until the last group has been closed or the rank has left. `turn` is called
     * with no lock held, and returns after how many ns it is to be called again; 0: after the next ring. */
    muster_status (*do_besides)(muster_group *world, int64_t (*turn)(void *arg), void *arg);
    void (*ring_besides)(muster_group *world);
    /* Around a call of a function of the program's: a process that ends does not wait for it. */
    void (*in_program)(muster_group *world, bool begins);
    /* No thread is in a call of the group, which has another timeout. NULL: nobody else needs to know. */
    void (*take_timeout)(muster_group *group);

    /* Frees the group, which no thread uses any more. */
    void (*close)(muster_group *group);
    /* The process, and so the rank, ends in the ordinary way. */
    void (*leave)(muster_group *world);

    /* What only a backend has that asks another launcher for the ranks; each may be NULL. Whether what it
     * needs is installed; and whether that launcher has started this process. */
    bool (*is_there)(void);
    bool (*is_started)(void);
    /* In place of attach, where the config makes no sense: tells the other ranks, which wait for this one,
     * the thread's latest error, and waits for them as the config says. */
    void (*decline)(const muster_config *config);
    /* Whether this process has asked for its ranks, which it can do once, and whether it failed or not. */
    bool (*has_asked)(void);
};

/* A started operation no longer needs what the program made for it (src/api/operations.c). */
void mst_op_let_go(muster_group *group, uint64_t number);

/* Of an operation that is started now. */
static inline int64_t mst_started_limit_ns(const muster_group *group)
{
    return group->carries ? group->started_limit_ns : group->timeout_ns;
}

/* Leaves the world of muster_init, if the process has one, as at its end (src/api/init.c). */
void mst_leave_world(void);

/* In a call of the class, so that there is one thread; of messages there may be several. */
static inline void mst_count_started(muster_group *group, muster_call_class class, int64_t change)
{
    _Atomic uint64_t *count = &group->started_count[class];

    if (group->threads_multiple)
        mst_add64_rlx(count, (uint64_t)change);
    else
        mst_store64_rlx(count, mst_load64_rlx(count) + (uint64_t)change);
}

/* The operation of a request has ended, and its backend has forgotten it. */
static inline void mst_request_over(muster_request *request)
{
    muster_call_class class = mst_started_class(request->number);

    /* Only collectives have any, and their class excludes a second thread. */
    if (class == MUSTER_CALL_COLLECTIVE && request->group->kept)
        mst_op_let_go(request->group, request->number);
    mst_count_started(request->group, class, -1);
    *request = (muster_request)MUSTER_REQUEST_INIT;
}

extern const mst_backend mst_backend_onehost;
extern const mst_backend mst_backend_hosts;
extern const mst_backend mst_backend_mpi;

#endif
