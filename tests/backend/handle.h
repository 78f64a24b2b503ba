/*
 * One rank's group of the backend of threads, breaking it, and the one function that waits.
 */
#ifndef TEST_HANDLE_H
#define TEST_HANDLE_H

#include "src/backend.h"
#include "src/kernels/reduce.h"
#include "tests/backend/shared.h"

#define NS_PER_S 1000000000LL

typedef struct buffer {
    struct buffer *next;
    void *memory;
} buffer;

/* An operation that was started and is not completed. */
typedef struct started {
    struct started *next;
    uint64_t number;
    rendezvous *rendezvous; /* of a collective; NULL: it is a message */
    mst_message message;
    envelope lent;     /* a send for which there was no room */
    receipt receipt;   /* a receive */
    const bool *over;  /* of the two; NULL: it is */
    int64_t limit_ns;  /* of a message */
    const void *taken; /* by the wait or test that works with it; NULL: by none */
} started;

/* One rank's group. */
typedef struct handle {
    muster_group base;
    mst_log log;
    const mst_kernels *kernels;
    shared_group *shared;
    uint64_t met[RENDEZVOUS_KINDS]; /* rendezvous that it has reached */
    started *first, *last;          /* in the order of their numbers */
    uint64_t starts;
    buffer *buffers;
} handle;

static inline handle *handle_of(muster_group *group)
{
    return (handle *)group;
}

static inline const handle *handle_of_const(const muster_group *group)
{
    return (const handle *)group;
}

static inline void lock(const handle *handle)
{
    pthread_mutex_lock(&handle->shared->world->lock);
}

static inline void unlock(const handle *handle)
{
    pthread_mutex_unlock(&handle->shared->world->lock);
}

static inline void tell_all(const shared_group *shared)
{
    pthread_cond_broadcast(&shared->world->changed);
}

/* ---- with the lock ---- */

/* What the group is broken by, with its sentence; MUSTER_OK: it is not. */
muster_status explain(const shared_group *shared);

/* Breaks it by something about a rank, unless it is broken, and returns what it is broken by now. */
muster_status break_group(shared_group *shared, int about, muster_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds the group to an error that is of a group, unless it has one. Without the lock, too. */
muster_status in_group(const muster_group *group, muster_status status);

/* What is waited for: that all have reached a rendezvous, that a message is over, or that there is one. */
typedef struct wait {
    const char *doing; /* in words */
    const rendezvous *rendezvous;
    const bool *over;
    const mst_matching *matching;
    int peer; /* of a message, or any */
    int tag;  /* of one to come */
    bool receives;
    int64_t limit_ns; /* 0: none */
} wait;

/* Whether that is so; an error: the group is broken, as somebody needed has left, or as it has taken too long
 * since then. */
muster_status look_at(handle *handle, const wait *wait, int64_t begun_ns, bool *over);

/* Until something changes, or for a tick if it is to be looked then, whatever changes. Asks the program
 * whether to go on. */
muster_status sleep_once(handle *handle, const wait *wait, int64_t *asked_ns);
int64_t now_ns(void);

/* Returns when that is so, or when the group is broken: by others, as somebody needed has left, as it takes
 * too long, or as the program does not want to wait any longer. */
muster_status wait_for(handle *handle, const wait *wait);

/* ---- collectives: start and completion; without the lock ---- */

/* Puts a request with a copy of its input into the next rendezvous. */
muster_status collective_come(handle *handle, const mst_request *request, rendezvous **to);

/* Once all have come: compares, and computes this rank's output. */
muster_status collective_complete(handle *handle, rendezvous *rendezvous);

void collective_describe(const rendezvous *rendezvous, int rank, char *text, size_t bytes);

/* What ends this wait ends it alone: TIMED_OUT, without a sentence, a member that is needed, or the program.
 * The caller makes the sentence of TIMED_OUT, and be_late_alone adds whom it is about, and the limit. */
typedef struct lone_wait {
    const char *doing;
    bool (*there)(const void *arg);
    int (*peer)(const void *arg); /* who must act */
    const void *arg;
    int64_t timeout_ns; /* 0: the group's; below 0: it only looks */
} lone_wait;

muster_status wait_alone(handle *handle, const lone_wait *wait);
void be_late_alone(const handle *handle, const lone_wait *wait);

/* Whether the member does nothing more in the group; and PEER_DIED with the sentence. */
bool has_gone(const shared_group *shared, int rank);
muster_status refuse_gone(const handle *handle, int rank, const char *doing);

/* ---- without the lock ---- */

/* Meets all members to make what all of them make; *made: a handle of what has become of it, which is the
 * group of this rank's posting, or NULL. */
muster_status meet_to_make(handle *parent, const posting *mine, handle **made);

extern const mst_share_methods shares_of_threads;
extern const mst_queue_methods queues_of_threads;

/* Starts the message, and takes it back in a group that is broken, or if no message has come for it. */
muster_status message_begin(handle *handle, started *started);
void message_drop(handle *handle, started *started);

/* What a wait for it waits for. */
wait message_wait(const started *started, char *doing, size_t bytes);

/* ---- for the table ---- */

muster_status thread_collective(muster_group *group, const mst_request *request);
muster_status thread_start(muster_group *group, const mst_request *request, uint64_t *number);
muster_status thread_test(muster_group *group, uint64_t number, bool *over);
muster_status thread_wait(mst_wait_set *set, size_t *index);
muster_status thread_message(muster_group *group, const mst_message *message);
muster_status thread_start_message(muster_group *group, muster_call_class call_class,
                                   const mst_message *message, uint64_t *number);
muster_status thread_cancel(muster_group *group, uint64_t number, bool *over);
muster_status thread_probe(muster_group *group, int source, int tag, bool waits, bool *found,
                           muster_message *result);
muster_status thread_status(const muster_group *group);
muster_status thread_split(muster_group *group, int color, int key, muster_group **child);
muster_status thread_dup(muster_group *group, muster_group **copy);
muster_status thread_subset(muster_group *group, const int *ranks, int count, muster_group **subset);

#endif
