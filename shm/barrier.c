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

/* A member's arrival, or, if an election is on (not 0), that somebody leads. */
typedef struct arrival {
    const mst_lane *lane;
    int rank;
    uint64_t election;
} arrival;

/* An election and a rank in one word. */
#define RANK_BITS 16

/* Whom the word says to lead in this election; -1: nobody, or no member. */
static int elected(const mst_lane *lane, uint64_t word, uint64_t election)
{
    int rank = (int)(word & ((1U << RANK_BITS) - 1));

    return word >> RANK_BITS == election && rank < lane->subarena->size ? rank : -1;
}

static int leader_of(const mst_lane *lane, uint64_t election)
{
    return elected(lane, mst_load64_acq(&lane->subarena->cells[0]->leader), election); /* E21 */
}

static bool has_come(const void *arg)
{
    const arrival *awaited = arg;

    return mst_lane_has_arrived(awaited->lane, awaited->rank) || /* E2, E3 */
           (awaited->election && leader_of(awaited->lane, awaited->election) >= 0);
}

static mst_wait_result wait_for(mst_lane *lane, int rank, uint64_t election)
{
    mst_lane_lines *lines = lines_of(lane, rank);
    mst_parking parking = { &lines->arrivals[lane->step & 1].word, &lines->sleepers };
    arrival awaited = { lane, rank, election };

    return mst_wait_until(&lane->waiter, parking, has_come, &awaited, rank);
}

static mst_wait_result wait_for_all(mst_lane *lane, int *missing)
{
    for (int i = 1; i < lane->subarena->size; i++) {
        int rank = neighbour(lane, i);

        if (mst_lane_has_arrived(lane, rank)) /* E2, E3: most have, once we have waited for one */
            continue;
        mst_wait_result result = wait_for(lane, rank, 0);
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

/* ---- a step that is led ---- */

/* Waits until all have come, or somebody leads; *leader: -1 if nobody does. */
static mst_wait_result wait_for_leader(mst_lane *lane, uint64_t election, int *leader, int *missing)
{
    mst_wait_result result = MST_WAIT_READY;

    *leader = leader_of(lane, election);
    for (int i = 1; i < lane->subarena->size && *leader < 0 && result == MST_WAIT_READY; i++) {
        int rank = neighbour(lane, i);

        if (mst_lane_has_arrived(lane, rank))
            continue;
        result = wait_for(lane, rank, election);
        *missing = rank;
        *leader = leader_of(lane, election);
    }
    mst_wait_settle(&lane->waiter);
    return result;
}

/* Leads, unless somebody else does. */
static int stand(const mst_lane *lane, uint64_t election)
{
    _Atomic uint64_t *leader = &lane->subarena->cells[0]->leader;
    uint64_t own = election << RANK_BITS | (uint64_t)lane->subarena->rank;
    uint64_t last = mst_load64_acq(leader); /* E21 */

    if (last >> RANK_BITS == election)
        return elected(lane, last, election);
    mst_fault_point("lane.elect");
    uint64_t found = mst_cas64_sc(leader, last, own); /* E21 */
    mst_fault_point("lane.elected");
    return elected(lane, found == last ? own : found, election);
}

mst_wait_result mst_lane_elect(mst_lane *lane, uint64_t election, int *leader, int *missing)
{
    mst_wait_result result = wait_for_leader(lane, election, leader, missing);

    if (result == MST_WAIT_READY && *leader < 0)
        *leader = stand(lane, election);
    return result;
}

mst_wait_result mst_lane_follow(mst_lane *lane, int leader)
{
    lane->step++;
    return wait_for(lane, leader, 0);
}
