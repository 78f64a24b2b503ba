/*
 * The pending operations of a rank in a group: those that were started and are not completed, whatever their
 * call class, by number; and progress for them.
 *
 * An operation is a struct that begins with mst_pending, and has a kind: coll/started.c defines those of
 * collectives, messages/started_messages.c those of messages. The group has one lock for all of them, because
 * every call of the rank makes progress for all. Progress is made in calls that wait, after their first
 * looks, at the beginning of each call while there is something to do (mst_group_ready), and in muster_wait
 * and its relatives.
 *
 * An operation is completed exactly once, by the wait or test that has taken it, whether it has succeeded or
 * its group is broken; until then the buffers that were given to it must stay.
 */
#ifndef MST_PENDING_H
#define MST_PENDING_H

#include "src/onehost/group/group.h"

/* How an operation ends. */
typedef struct mst_completion {
    bool succeeded;
    const mst_waiter *shown; /* the waiter of the wait in which it had an activity; NULL: it has none */
    int64_t now_ns;          /* mst_group_now_ns; or when its wait began to look, if it has only looked */
} mst_completion;

typedef struct mst_pending_kind {
    /* Whether it has ended. Without the lock. */
    bool (*is_over)(const mst_pending *pending);
    /* Two ranks of the group that must do something, -1: none in particular. True: they must enter a call
     * that they have not entered; false: they only have to go on in any call. Without the lock. */
    bool (*find_peers)(const mst_pending *pending, int peers[2]);
    void (*describe)(const mst_pending *pending, char *text, size_t bytes);
    void (*list_missing)(const mst_pending *pending, char *text, size_t bytes);
    /* Publishes the activity, as this thread waits for it now; false: another thread's is there. */
    bool (*show)(const mst_pending *pending);
    /* Breaks the group if peers do what makes a wait for it one for ever; at each tick. NULL: nothing does.
     */
    void (*look)(const mst_pending *pending);
    /* Adds its name to the thread's latest error, by which it has failed. */
    void (*name_error)(const mst_pending *pending, muster_status status);
    /* It has its result: injected faults happen there. Without the lock. */
    void (*end)(const mst_pending *pending);
    /* It is over, or has failed: ends its activity, if it has one, records it, removes and frees it. With the
     * lock. */
    void (*complete)(mst_pending *pending, const mst_completion *completion);
} mst_pending_kind;

/* The beginning of each pending operation. */
struct mst_pending {
    const mst_pending_kind *kind;
    mst_group *group;
    uint64_t number;
    int64_t timeout_ns; /* that the group had when it was started */
    const void *taken;  /* by the wait or test that works with it, with the lock; NULL: by none */
};

/* Gives the operation a number that contains its class (error: NO_MEMORY), and takes the number back. With
 * the lock. */
muster_status mst_pending_add(mst_pending *pending, muster_call_class class);
void mst_pending_remove(mst_pending *pending);

/* The operation of that number; NULL: there is none. */
mst_pending *mst_pending_find(mst_group *group, uint64_t number);

/* Finds it, and takes it for one wait or test, to which `taker` belongs, until that ends it or lets it go.
 * INVALID: there is none, or it has been taken for this one already; BUSY: for another thread's. */
muster_status mst_pending_take(mst_group *group, uint64_t number, const void *taker, mst_pending **found);
/* Takes consecutive requests, up to `count`, until one is of another group than the first, or cannot be
 * taken. *taken: how many were taken. found: where those of the first `room` requests are noted. */
muster_status mst_pending_take_all(const muster_request *requests, size_t count, const void *taker,
                                   size_t *taken, mst_pending **found, size_t room);
void mst_pending_let_go(mst_pending *pending);

static inline void mst_pending_lock(mst_group *group)
{
    mst_lock_take(&group->pending.lock);
}

/* Rings this rank, as a thread that sleeps has met the lock. */
void mst_pending_ring(mst_group *group) __attribute__((cold));

static inline void mst_pending_unlock(mst_group *group)
{
    if (__builtin_expect(mst_lock_let_go(&group->pending.lock), false))
        mst_pending_ring(group);
}

/* Registers what makes progress of the operations of a class: it has the lock, must not wait, and returns
 * whether there will be more to do. */
void mst_pending_register(mst_group *group, muster_call_class class, bool (*progress)(mst_group *group));

/* Tells that there is something to do for operations of the group, until progress finds that there is not.
 * With the lock. */
void mst_pending_wanted(mst_group *group);

/* Makes progress, if there is something to do. */
void mst_pending_progress(mst_group *group);

void mst_pending_init(mst_group *group);
void mst_pending_destroy(mst_group *group);

#endif
