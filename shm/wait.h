/*
 * The one function that waits.
 *
 * Everything in muster that must wait for another rank does so through mst_wait_until(): it
 * returns when what it waits for is there, when the group is poisoned, or when the deadline passes,
 * whichever it sees first in that order. While it sleeps it looks for the dead at every tick, so
 * that no wait is without an answer.
 *
 * How it waits is a policy: spin with pause while the partner is likely to answer at once, then
 * yield the CPU a bounded time, then park in the kernel. Where ranks outnumber CPUs there is no
 * spin at all, since a spinning waiter holds the very CPU that its partner needs (4 ms per
 * hand-off, against 1.5 us by yielding).
 */
#ifndef MST_WAIT_H
#define MST_WAIT_H

#include "shm/layout.h"

typedef struct mst_wait_policy {
    int64_t spin_ns;  /* with pause */
    int64_t yield_ns; /* after that, by sched_yield; then park */
} mst_wait_policy;

/* The policy for `ranks` ranks that together may use `cpus` CPUs. */
mst_wait_policy mst_wait_policy_for(int ranks, int cpus);

typedef enum mst_wait_result { MST_WAIT_READY, MST_WAIT_POISONED, MST_WAIT_TIMED_OUT } mst_wait_result;

typedef struct mst_waiter {
    mst_wait_policy policy;
    const _Atomic uint64_t *poison;    /* non-zero ends the wait; NULL: nothing can poison it */
    int64_t timeout_ns;                /* from the first slow wait of an operation; 0: no limit */
    int64_t deadline_ns;               /* absolute, set by that first wait; the operation's begin clears it */
    void (*tick)(void *arg, int peer); /* looks for the dead, may poison; every 5 to 20 ms of sleep */
    void *tick_arg;
} mst_waiter;

/*
 * Waits until ready(arg). Whatever makes it true must also change signal->word, or be followed by
 * mst_signal_ring(signal). `peer` is handed to the tick: the rank waited for, or -1.
 */
mst_wait_result mst_wait_until(mst_waiter *waiter, mst_signal *signal, bool (*ready)(const void *arg),
                               const void *arg, int peer);

/* Sleeps a moment, for states that nobody can signal, such as a name that does not exist yet. The
 * caller has a deadline of its own. */
void mst_wait_nap(int64_t ns);

/* Adds 1 to the count and wakes the sleepers, if any. Returns the word as it was. */
uint32_t mst_signal_raise(mst_signal *signal);

/* Wakes whoever sleeps on the signal to look again; free when nobody does. */
void mst_signal_ring(mst_signal *signal);

/* Sets the poison bit and wakes everyone. */
void mst_signal_alarm(mst_signal *signal);

/* Whether the count has come to `count` or beyond. Acquires what its owner published with it. */
bool mst_signal_reached(const mst_signal *signal, uint32_t count);

#endif
