/*
 * A lock for short work, which one thread alone does nearly always: one atomic operation takes it, and one
 * lets it go.
 *
 * A thread that must not wait leaves its work to the one that has the lock. It says so in the lock's word, by
 * the same operation that finds the lock taken; whoever lets go reads that there (E35).
 */
#ifndef MST_LOCK_H
#define MST_LOCK_H

#include <pthread.h>

#include "shm/base/atomic.h"

#define MST_LOCK_TAKEN 1U
#define MST_LOCK_AWAITED 2U /* a thread waits for it */
#define MST_LOCK_LEFT 4U    /* a thread has left its work to the one that has it */

typedef struct mst_lock {
    _Atomic uint32_t word;
    pthread_mutex_t waiting; /* of threads that wait, and of those that wake them */
    pthread_cond_t let_go;
} mst_lock;

void mst_lock_init(mst_lock *lock);
void mst_lock_destroy(mst_lock *lock);

/* Where another thread has it, or waits for it. */
void mst_lock_wait(mst_lock *lock) __attribute__((cold));
void mst_lock_wake(mst_lock *lock) __attribute__((cold));

static inline void mst_lock_take(mst_lock *lock)
{
    if (__builtin_expect(mst_cmpxchg32_sc(&lock->word, 0, MST_LOCK_TAKEN) != 0, false))
        mst_lock_wait(lock);
}

/* False: another thread has it. `leaves`: that one gets to know, when it lets go. */
bool mst_lock_try(mst_lock *lock, bool leaves);

/* Whether another thread has left its work meanwhile. */
static inline bool mst_lock_let_go(mst_lock *lock)
{
    uint32_t word = mst_exchange32_sc(&lock->word, 0); /* E35 */

    if (__builtin_expect(word & MST_LOCK_AWAITED, false))
        mst_lock_wake(lock);
    return (word & MST_LOCK_LEFT) != 0;
}

#endif
