/* The steps of barrier.h. */
#include "shm/group/barrier.h"

#include "shm/base/fault.h"
#include "src/pure/atomic.h"
#include "src/pure/ranklist.h"

void mst_lane_init(mst_lane *lane, mst_subarena *subarena, mst_lane_kind kind, int64_t timeout_ns,
                   mst_watch watch)
{
    *lane = (mst_lane){
        .subarena = subarena,
        .kind = kind,
        .waiter = { .policy = subarena->attachment->policy,
                    .poison = &subarena->cells[subarena->rank]->poison,
                    .no_poison = subarena->no_poison[subarena->rank],
                    .deadline = { .limit_ns = timeout_ns },
                    .watch = watch },
    };
}

void mst_lane_begin(mst_lane *lane)
{
    mst_deadline_begin(&lane->waiter.deadline);
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

mst_arrival *mst_lane_own(const mst_lane *lane)
{
    return &lines_of(lane, lane->subarena->rank)->arrivals[lane->step & 1];
}

const mst_arrival *mst_lane_arrival(const mst_lane *lane, int rank)
{
    return &lines_of(lane, rank)->arrivals[lane->step & 1];
}

bool mst_lane_has_arrived(const mst_lane *lane, int rank)
{
    return mst_count_reached(&mst_lane_arrival(lane, rank)->word, lane->step); /* E2, E3 */
}

void mst_lane_list_missing(const mst_lane *lane, char *text, size_t bytes)
{
    mst_ranklist missing = mst_ranklist_in(text, bytes);

    for (int rank = 0; rank < lane->subarena->size; rank++)
        if (!mst_lane_has_arrived(lane, rank))
            mst_ranklist_add(&missing, rank);
    mst_ranklist_end(&missing);
}

/* Each rank begins with its neighbour, so that not all look at rank 0's line first. */
static int neighbour(const mst_lane *lane, int distance)
{
    int rank = lane->subarena->rank + distance;

    return rank < lane->subarena->size ? rank : rank - lane->subarena->size;
}

/* A member's arrival, or what says as much. */
typedef struct arrival {
    const mst_lane *lane;
    int rank;
    bool (*instead)(const void *arg); /* NULL: nothing */
    const void *arg;
} arrival;

static bool has_come(const void *arg)
{
    const arrival *awaited = arg;

    return mst_lane_has_arrived(awaited->lane, awaited->rank) || /* E2, E3 */
           (awaited->instead && awaited->instead(awaited->arg));
}

static mst_wait_result wait_for(mst_lane *lane, const arrival *awaited)
{
    mst_lane_lines *lines = lines_of(lane, awaited->rank);
    mst_parking parking = { &lines->arrivals[lane->step & 1].word, &lines->sleepers };

    return mst_wait_until(&lane->waiter, parking, has_come, awaited, awaited->rank);
}

static mst_wait_result wait_for_all(mst_lane *lane, arrival awaited, int *missing)
{
    for (int i = 1; i < lane->subarena->size; i++) {
        awaited.rank = neighbour(lane, i);

        if (mst_lane_has_arrived(lane, awaited.rank)) /* E2, E3: most have, once we have waited for one */
            continue;
        mst_wait_result result = wait_for(lane, &awaited);
        if (result != MST_WAIT_READY) {
            *missing = awaited.rank;
            return result;
        }
        if (awaited.instead && awaited.instead(awaited.arg))
            break;
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
    return mst_lane_wait_unless(lane, NULL, NULL, missing);
}

mst_wait_result mst_lane_wait_unless(mst_lane *lane, bool (*instead)(const void *arg), const void *arg,
                                     int *missing)
{
    mst_wait_result result = MST_WAIT_READY;

    if (!instead || !instead(arg))
        result = wait_for_all(lane, (arrival){ lane, 0, instead, arg }, missing);
    mst_wait_settle(&lane->waiter);
    return result;
}

void mst_lane_prefetch(const mst_lane *lane, size_t payload_bytes)
{
    mst_prefetch_for_store(mst_lane_next(lane), offsetof(mst_arrival, payload) + payload_bytes);
}

void mst_lane_prefetch_others(const mst_lane *lane, size_t payload_bytes)
{
    if (!lane->waiter.policy.spin_ns ||
        offsetof(mst_arrival, payload) + payload_bytes <= MST_CACHE_LINE_BYTES)
        return;
    for (int i = 1; i < lane->subarena->size; i++)
        mst_prefetch_for_load((const char *)mst_lane_arrival(lane, neighbour(lane, i)) +
                              MST_CACHE_LINE_BYTES);
}

mst_wait_result mst_lane_step(mst_lane *lane, int *missing)
{
    mst_lane_publish(lane);
    return mst_lane_wait(lane, missing);
}
