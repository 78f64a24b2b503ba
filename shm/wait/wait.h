/*
 * The one function that waits.
 *
 * Everything in muster that must wait for another rank does so through mst_wait_until(). It returns when the
 * awaited condition holds, when the group is poisoned, or when the deadline passes, whichever it sees first
 * in that order. While it sleeps it looks for dead ranks at every tick, so that no wait remains without an
 * answer.
 *
 * How it waits is a policy: spin with pause while the partner is likely to answer at once, then yield the CPU
 * for a bounded time, then park in the kernel. Where ranks outnumber CPUs it does not spin, since a spinning
 * waiter occupies the very CPU that its partner needs (4 ms per hand-off, against 1.5 us by yielding). Even
 * with enough CPUs the kernel may place two ranks on one: a waiter whose partner arrives as soon as it yields
 * spins less the next time.
 *
 * A rank whose partner was last seen on its own CPU does not spin, since the partner needs that CPU, and a
 * rank on a CPU that other programs contend for parks in place of yielding (place.h).
 */
#ifndef MST_WAIT_H
#define MST_WAIT_H

#include "shm/base/atomic.h"
#include "shm/base/deadline.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"
#include "shm/wait/background.h"
#include "shm/wait/place.h"
#include "shm/wait/wake.h"

typedef struct mst_wait_policy {
    int64_t spin_ns;  /* with pause */
    int64_t yield_ns; /* after that, by sched_yield; then park */
} mst_wait_policy;

/* The policy for `ranks` ranks that together may use `cpus` CPUs. */
mst_wait_policy mst_wait_policy_for(int ranks, int cpus);

typedef enum mst_wait_result { MST_WAIT_READY, MST_WAIT_POISONED, MST_WAIT_TIMED_OUT } mst_wait_result;

/* For how long a wait has slept, and for how long it had at its tick before this one: 0 at the first. */
typedef struct mst_slept {
    int64_t ns, before_ns;
} mst_slept;

/* What a long wait does besides sleeping; each may be NULL. */
typedef struct mst_watch {
    /* Looks for dead ranks and may poison the group; called every 5 to 20 ms of sleep (see also may_rest),
     * right after `ready` was false. True: an awaited rank has left. */
    bool (*tick)(void *arg, int peer, mst_slept slept);
    /* Called if `ready` is still false after that: what the rank did before it left is not enough.
     * Poisons. */
    void (*lost)(void *arg, int peer);
    void (*woke)(void *arg); /* at the end of a wait that ticked */
    void *arg;
    /* Whether a long wait can do with a few ticks per second, because deaths wake it, and what it waits for.
     * NULL: it cannot. */
    bool (*may_rest)(void *arg);
    /* Whether an awaited rank last waited on that CPU (mst_place), so that spinning would keep it from it. */
    bool (*is_beside)(void *arg, int peer, uint32_t cpu);
} mst_watch;

typedef struct mst_waiter {
    mst_wait_policy policy;
    const _Atomic uint64_t *poison; /* ends the wait when it differs from `no_poison`; NULL: no poison */
    uint64_t no_poison;
    mst_deadline deadline; /* of all slow waits of an operation, which starts it */
    mst_watch watch;
    mst_parking owed;  /* its sleepers are still to be woken, since we changed its word; NULL: none */
    int64_t waited_ns; /* in slow waits since the operation began, which resets it */
    bool heavy;        /* the others may work for long before they come: a long yield tells nothing */
    int spin_cut;      /* how often the spin was halved, since the partner seems to share our CPU */
    mst_place *place;  /* NULL: it has none, and always yields before it parks */
    mst_background *background; /* NULL: none */
    mst_parking interruption;   /* on which it sleeps, too, while the background has tasks */
    const mst_parking *more;    /* further words that it sleeps on, up to MST_OS_WATCHED_MAX - 2 */
    size_t more_count;
    bool naps; /* there are more words still: it sleeps for a short time only */
} mst_waiter;

/*
 * Waits until ready(arg). Whatever makes it true must also change the word, or be followed by mst_ring.
 * `peer` is the awaited rank, or -1; it is passed to the tick.
 */
mst_wait_result mst_wait_until(mst_waiter *waiter, mst_parking parking, bool (*ready)(const void *arg),
                               const void *arg, int peer);

/* Wakes the sleepers of `owed`, if any. A wait does so after its first looks, or at once where ranks
 * outnumber CPUs; a caller that set `owed` calls this when it has finished waiting,
 * or before, to wait until its own stores are visible. */
static inline void mst_wait_settle(mst_waiter *waiter)
{
    if (waiter->owed.word)
        mst_wake(waiter->owed);
    waiter->owed.word = NULL;
}

/* Whether a word of the form 2 x count + poison has reached `count`. Acquires what its owner published with
 * it. */
static inline bool mst_count_reached(const _Atomic uint32_t *word, uint32_t count)
{
    uint32_t now = mst_load32_acq(word); /* E2, E3: acquires what the owner published */

    return (int32_t)((now & ~1U) - (count << 1)) >= 0;
}

/* Sleeps for `ns`, for states whose change nobody signals, such as a name that does not exist yet, and counts
 * the time. */
void mst_wait_nap(mst_deadline *deadline, int64_t ns);

/*
 * Sleeps while all of the words keep their values, at most timeout_ns (0: no limit). For threads of the
 * library that watch over ranks, never for a rank. Whoever changes a word wakes them by mst_wake_watchers.
 * Where the system can park on one word only (-ENOSYS), this parks on the first. Another error, as for want
 * of memory, is a sleep of 1 ms.
 */
int mst_wait_watch(const mst_os_watched_word *words, size_t count, int64_t timeout_ns);

#endif
