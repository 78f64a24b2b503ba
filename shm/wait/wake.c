/* Changes the words of wake.h, and wakes their sleepers. */
#include "shm/wait/wake.h"

#include "shm/base/atomic.h"
#include "shm/port/os.h"

static uint32_t raise_word(mst_parking parking)
{
    uint32_t before = mst_add32_sc(parking.word, 2); /* E1: publishes what came before */

    if (mst_load32_sc(parking.sleepers) != 0) /* E9: after the word, so no sleeper is missed */
        mst_os_unpark_all(parking.word);
    return before;
}

uint32_t mst_eventcount_advance(mst_eventcount *event)
{
    return raise_word(mst_eventcount_parking(event));
}

void mst_ring_sleepers(mst_parking parking)
{
    raise_word(parking);
}

void mst_alarm(mst_parking parking)
{
    /* E7: the sleeper's word changes, so it cannot fall asleep now; if the bit was already set, the sleeper
     * sees the poison at its next tick. E9: this is ordered before or after the sleeper's own add. */
    mst_or32_sc(parking.word, 1);
    mst_wake(parking);
}

void mst_wake_watchers(const _Atomic uint32_t *word)
{
    mst_os_unpark_all(word);
}
