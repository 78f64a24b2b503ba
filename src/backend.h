/*
 * The seam between what the interface promises and who carries it.
 *
 * Above it, src/api checks arguments, lets one thread at a time into each class of calls, keeps what the user
 * has set, and knows neither shared memory nor any other way to reach a rank. Below it, a backend moves the
 * data, waits, and finds out why a group is broken. A backend is one table of functions, and its group begins
 * with ours: {table, rank, size, classes of calls, deadline, interrupt}.
 *
 * What every function of the table relies on: the group is this process's, the thread is the only one in the
 * call's class, and the arguments are sound. What it promises: a call on a broken group returns what the
 * group is broken by, with its sentence, before anything else happens.
 */
#ifndef MST_BACKEND_H
#define MST_BACKEND_H

#include "muster/muster.h"
#include "src/pure/collective.h"
#include "src/pure/log.h"

typedef struct mst_backend mst_backend;

/* A collective as a rank was asked for it. */
typedef struct mst_request {
    mst_collective collective;
    muster_dtype dtype;
    muster_op op;
    int root;
    const void *in;
    void *out;
    size_t count;
    size_t element_bytes; /* of the dtype */
} mst_request;

/* One message, or one in each direction at once. */
typedef struct mst_message {
    const char *name; /* of the call */
    muster_dtype dtype;
    bool sends, receives;
    int destination, source;
    const void *out;
    void *in;
    size_t out_count, in_count;
    size_t out_bytes, in_bytes;
} mst_message;

/* The beginning of every backend's group. */
struct muster_group {
    const mst_backend *backend;
    int rank;
    int size;
    const unsigned char *here;     /* 1 in the process whose group it is, 0 in those forked by it */
    const mst_log *log;            /* where the rank tells what goes on */
    int64_t timeout_ns;            /* of one operation; 0: no limit */
    muster_interrupt_fn interrupt; /* NULL: none */
    void *interrupt_arg;
    _Atomic uint32_t occupied[MUSTER_CALL_CLASS_COUNT]; /* 1: a thread is in a call of that class */
    int started_count;                                  /* operations started and not finished yet */
    bool (*released)(muster_group *group); /* muster_init's: false while others still use the world */
};

struct mst_backend {
    const char *name; /* as users say it: "shm" */
    int ranks_max;    /* of a world */

    /* Makes a world of a config that has been checked as far as every backend would. */
    muster_status (*attach)(const muster_config *config, muster_group **world);
    /* The world is the environment's, and this process the rank: what the launcher has lent it is kept from
     * the programs that it executes. */
    void (*adopt)(muster_group *world, const muster_config *config);
    /* A byte that is 1 in this process and 0 in its forks, for as long as it lives; NULL: no memory. */
    const unsigned char *(*mark_process)(void);

    /* Each of its class. */
    muster_status (*collective)(muster_group *group, const mst_request *request);
    muster_status (*start)(muster_group *group, const mst_request *request, uint64_t *number);
    /* *over: the operation is done with, by success or failure; else there is none of that number. */
    muster_status (*finish)(muster_group *group, uint64_t number, bool *over);
    muster_status (*message)(muster_group *group, const mst_message *message);
    muster_status (*split)(muster_group *group, int color, int key, muster_group **child);
    muster_status (*regroup)(muster_group *group, bool grows, muster_group **made); /* broken ones, too */

    /* At any time, by any thread. */
    muster_status (*alloc)(muster_group *group, size_t bytes, void **buffer);
    bool (*release)(muster_group *group, void *buffer); /* false: it is none of the group's */
    muster_status (*status)(const muster_group *group);
    void (*abort_group)(muster_group *group, const char *reason);
    int (*translate)(const muster_group *group, int rank, const muster_group *other); /* -1: not in there */
    muster_status (*report_crashes)(muster_group *group);
    void (*mark_phase)(const muster_group *group, const char *name);

    /* The group is no thread's any more. */
    void (*close)(muster_group *group);
    /* The process ends in the ordinary way, and with it the rank. */
    void (*leave)(muster_group *world);
};

extern const mst_backend mst_backend_onehost;

#endif
