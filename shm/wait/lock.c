/* Waits for the lock of lock.h, and wakes those that wait. */
#include "shm/wait/lock.h"

void mst_lock_init(mst_lock *lock)
{
    pthread_mutex_init(&lock->waiting, NULL);
    pthread_cond_init(&lock->let_go, NULL);
}

void mst_lock_destroy(mst_lock *lock)
{
    pthread_cond_destroy(&lock->let_go);
    pthread_mutex_destroy(&lock->waiting);
}

/* Takes it, or sets `otherwise` in the word of the thread that has it, by one operation. */
static bool take_or_say(mst_lock *lock, uint32_t otherwise)
{
    uint32_t word = mst_load32_rlx(&lock->word), seen;

    for (;;) {
        bool taken = (word & MST_LOCK_TAKEN) != 0;

        seen = mst_cmpxchg32_sc(&lock->word, word, word | (taken ? otherwise : MST_LOCK_TAKEN)); /* E35 */
        if (seen == word)
            return !taken;
        word = seen;
    }
}

/* Whoever finds that it is awaited gets `waiting` only once we sleep. A thread that the program cancels while
 * it sleeps here would keep `waiting` for good. */
void mst_lock_wait(mst_lock *lock)
{
    int cancels;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
    pthread_mutex_lock(&lock->waiting);
    while (!take_or_say(lock, MST_LOCK_AWAITED))
        pthread_cond_wait(&lock->let_go, &lock->waiting);
    pthread_mutex_unlock(&lock->waiting);
    pthread_setcancelstate(cancels, &cancels);
}

/* All of them, since the word says of none any more that it waits. */
void mst_lock_wake(mst_lock *lock)
{
    pthread_mutex_lock(&lock->waiting);
    pthread_cond_broadcast(&lock->let_go);
    pthread_mutex_unlock(&lock->waiting);
}

bool mst_lock_try(mst_lock *lock, bool leaves)
{
    return take_or_say(lock, leaves ? MST_LOCK_LEFT : 0);
}
