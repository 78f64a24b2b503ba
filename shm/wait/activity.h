/*
 * What a rank is doing in a group, for observers outside the job (muster inspect): one activity per call
 * class of the group, in the rank's own cell. Only the rank writes it, and no rank reads it, so its lines
 * stay in the rank's cache: entering and leaving a call cost some nanoseconds.
 *
 * The number is odd while the rank is in a call. The other fields are valid only then, for a reader that
 * finds the same number before and after reading them.
 */
#ifndef MST_ACTIVITY_H
#define MST_ACTIVITY_H

#include "shm/base/atomic.h"
#include "shm/base/layout.h"

/* Calls other than collectives; those have lower numbers. */
enum {
    MST_DOING_SEND = 64,
    MST_DOING_RECEIVE,
    MST_DOING_SENDRECV,
    MST_DOING_PUT_SIGNAL,
    MST_DOING_PUSH,
    MST_DOING_SPLIT, /* this and the following have no count of elements */
    MST_DOING_SHRINK,
    MST_DOING_GROW,
    MST_DOING_SHARE,
    MST_DOING_SEAL,
    MST_DOING_WAIT_SIGNAL,
    MST_DOING_DUP,
    MST_DOING_SUBSET, /* waits for one rank after another, as a message does */
    MST_DOING_QUEUE,
    MST_DOING_POP,
    MST_DOING_PHASE, /* no call: a mark in the flight recorder */
    MST_DOING_PROBE,
    MST_DOING_MESSAGES /* waits for messages that were started over several hosts */
};

/* Flags of a kind: a message that was started, not called; what is shown is the first of several operations,
 * of which a wait is for any. */
#define MST_DOING_STARTED 0x100U
#define MST_DOING_ANY 0x200U

#define MST_SHOWN_MAX 4

/* In place of the name of an op, with the second flag: all that are waited for, and whom the first need. */
typedef struct mst_shown_any {
    uint32_t count;
    int16_t peers[MST_SHOWN_MAX]; /* ranks of the group; -1: of another group, or several */
} mst_shown_any;

static_assert(sizeof(mst_shown_any) <= MST_OP_BYTES, "one fits into an activity");

static inline uint32_t mst_doing_kind(const mst_doing *doing)
{
    return doing->kind & ~(MST_DOING_STARTED | MST_DOING_ANY);
}

/* `latest`: the number of the latest operation entered; a nonblocking one may be finished after it. */
static inline void mst_activity_begin(mst_activity *activity, uint64_t latest, const mst_doing *doing,
                                      int64_t now_ns)
{
    activity->doing = *doing;
    activity->entered_ns = now_ns;
    mst_store64_rel(&activity->number, 2 * latest - 1); /* E18 */
}

/* The same where the latest activity differs in nothing but the operation's number. */
static inline void mst_activity_repeat(mst_activity *activity, uint64_t latest, uint64_t operation,
                                       int64_t now_ns)
{
    activity->doing.operation = operation;
    activity->entered_ns = now_ns;
    mst_store64_rel(&activity->number, 2 * latest - 1); /* E18 */
}

static inline bool mst_activity_is_on(const mst_activity *activity)
{
    return mst_load64_rlx(&activity->number) & 1;
}

/* Returns whether the rank was in a call. */
static inline bool mst_activity_end(mst_activity *activity)
{
    uint64_t number = mst_load64_rlx(&activity->number);

    if (number & 1)
        mst_store64_rel(&activity->number, number + 1); /* E18 */
    return number & 1;
}

#endif
