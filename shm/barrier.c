/* The steps of barrier.h. */
#include "shm/barrier.h"

#include "shm/atomic.h"
#include "shm/fault.h"

void mst_lane_init(mst_lane *lane, mst_subarena *subarena, mst_lane_kind kind, int64_t timeout_ns,
                   mst_watch watch)
{
    *lane = (mst_lane){
        .subarena = subarena,
        .kind = kind,
        .waiter = { .policy = subarena->attachment->policy,
                    .poison = &subarena->cells[subarena->rank]->poison,
                    .timeout_ns = timeout_ns,
                    .watch = watch },
    };
}

void mst_lane_begin(mst_lane *lane)
{
    lane->waiter.deadline_ns = 0;
    lane->waiter.waited_ns = 0;
}

static mst_lane_lines *lines_of(const mst_lane *lane, int rank)
{
    mst_cell *cell = lane->subarena->cells[rank];

    if (lane->kind >= MST_LANE_STARTED)
        return &cell->started[lane->kind - MST_LANE_STARTED].lane;
    return lane->kind == MST_LANE_STEPS ? &cell->steps : &cell->splits;
}

mst_arrival *mst_lane_next(const mst_lane *lane)
{
    return &lines_of(lane, lane->subarena->rank)->arrivals[(lane->step + 1) & 1];
}

const mst_arrival *mst_lane_arrival(const mst_lane *lane, int rank)
{
    return &lines_of(lane, rank)->arrivals[lane->step & 1];
}

bool mst_lane_has_arrived(const mst_lane *lane, int rank)
{
    return mst_count_reached(&mst_lane_arrival(lane, rank)->word, lane->step); /* E2, E3 */
}

/* Each rank begins with its neighbour, so that not all look at rank 0's line first. */
static int neighbour(const mst_lane *lane, int distance)
{
    int rank = lane->subarena->rank + distance;

    return rank < lane->subarena->size ? rank : rank - lane->subarena->size;
}

typedef struct arrival {
    const mst_lane *lane;
    int rank;
} arrival;

static bool has_come(const void *arg)
{
    const arrival *awaited = arg;

    return mst_lane_has_arrived(awaited->lane, awaited->rank); /* E2, E3 */
}

static mst_wait_result wait_for_all(mst_lane *lane, int *missing)
{
    for (int i = 1; i < lane->subarena->size; i++) {
        int rank = neighbour(lane, i);
        mst_lane_lines *lines = lines_of(lane, rank);
        mst_parking parking = { &lines->arrivals[lane->step & 1].word, &lines->sleepers };
        arrival awaited = { lane, rank };

        if (mst_lane_has_arrived(lane, rank)) /* E2, E3: most have, once we have waited for one */
            continue;
        mst_wait_result result = mst_wait_until(&lane->waiter, parking, has_come, &awaited, rank);
        if (result != MST_WAIT_READY) {
            *missing = rank;
            return result;
        }
    }
    return MST_WAIT_READY;
}

/* Publishes the arrival; who sleeps on it is still to be woken. */
static mst_parking publish(mst_lane *lane)
{
    mst_arrival *arrival = mst_lane_next(lane);

    lane->step++;
    mst_fault_point("lane.publish");
    mst_store32_rel(&arrival->word, 2 * lane->step); /* E2, E3: publishes what came before */
    mst_fault_point("lane.published");
    return (mst_parking){ &arrival->word, &lines_of(lane, lane->subarena->rank)->sleepers };
}

void mst_lane_arrive(mst_lane *lane)
{
    mst_wake(publish(lane));
}

void mst_lane_publish(mst_lane *lane)
{
    lane->waiter.owed = publish(lane); /* its sleepers are woken while we wait */
}

mst_wait_result mst_lane_wait(mst_lane *lane, int *missing)
{
    mst_wait_result result = wait_for_all(lane, missing);

    mst_wait_settle(&lane->waiter);
    return result;
}

mst_wait_result mst_lane_step(mst_lane *lane, int *missing)
{
    mst_lane_publish(lane);
    return mst_lane_wait(lane, missing);
}
