/* The steps of barrier.h. */
#include "shm/barrier.h"

#include "shm/atomic.h"

void mst_lane_init(mst_lane *lane, mst_subarena *subarena, mst_lane_kind kind, int64_t timeout_ns,
                   void (*tick)(void *arg, int peer), void *tick_arg)
{
    *lane = (mst_lane){
        .subarena = subarena,
        .kind = kind,
        .waiter = { .policy = subarena->attachment->policy,
                    .poison = &subarena->cells[subarena->rank]->poison,
                    .timeout_ns = timeout_ns,
                    .tick = tick,
                    .tick_arg = tick_arg },
    };
}

void mst_lane_begin(mst_lane *lane)
{
    lane->waiter.deadline_ns = 0;
}

static mst_signal *signal_of(const mst_lane *lane, int rank)
{
    mst_cell *cell = lane->subarena->cells[rank];

    return lane->kind == MST_LANE_STEPS ? &cell->steps : &cell->splits;
}

bool mst_lane_has_arrived(const mst_lane *lane, int rank)
{
    return mst_signal_reached(signal_of(lane, rank), lane->step); /* E2, E3 */
}

typedef struct arrival {
    const mst_signal *signal;
    uint32_t step;
} arrival;

static bool has_come(const void *arg)
{
    const arrival *awaited = arg;

    return mst_signal_reached(awaited->signal, awaited->step); /* E2, E3 */
}

mst_wait_result mst_lane_step(mst_lane *lane, int *missing)
{
    int size = lane->subarena->size;
    int self = lane->subarena->rank;

    lane->step++;
    mst_signal_raise(signal_of(lane, self)); /* E2, E3 */
    /* Each rank begins with its neighbour, so that not all look at rank 0's line first. */
    for (int i = 1; i < size; i++) {
        int rank = self + i < size ? self + i : self + i - size;
        mst_signal *signal = signal_of(lane, rank);
        arrival awaited = { signal, lane->step };

        mst_wait_result result = mst_wait_until(&lane->waiter, signal, has_come, &awaited, rank);
        if (result != MST_WAIT_READY) {
            *missing = rank;
            return result;
        }
    }
    return MST_WAIT_READY;
}
