/* Implements levels.h. */
#include "shm/group/levels.h"

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/fault.h"

static mst_cell *cell_of(const mst_sequence *sequence, int rank)
{
    return sequence->subarena->cells[rank];
}

static mst_gathered *gathered_of(const mst_sequence *sequence, int leader)
{
    return &cell_of(sequence, leader)->gathered[sequence->round & 1];
}

static int leader_of(const mst_hierarchy *hierarchy, int domain)
{
    return hierarchy->order[hierarchy->begin[domain]];
}

static mst_parking parking_of(const mst_sequence *sequence, _Atomic uint32_t *word, int owner)
{
    return (mst_parking){ word, &cell_of(sequence, owner)->collectives.sleepers };
}

/* ---- one wait, one release ---- */

typedef struct awaited {
    const _Atomic uint32_t *word;
    uint32_t round;
} awaited;

static bool has_come(const void *arg)
{
    const awaited *awaited = arg;

    return mst_count_reached(awaited->word, awaited->round); /* E2, E36, E37 */
}

static mst_wait_result wait_for(mst_sequence *sequence, _Atomic uint32_t *word, int owner, int *missing)
{
    awaited awaited = { word, sequence->round };

    if (has_come(&awaited))
        return MST_WAIT_READY;
    *missing = owner;
    return mst_wait_until(&sequence->waiter, parking_of(sequence, word, owner), has_come, &awaited, owner);
}

/* What is owed from before is settled now: a waiter owes one wake. */
static void owe(mst_sequence *sequence, _Atomic uint32_t *word)
{
    mst_wait_settle(&sequence->waiter);
    sequence->waiter.owed = parking_of(sequence, word, sequence->subarena->rank);
}

/* ---- leading ---- */

/* Waits for the ranks of our domain. */
static mst_wait_result wait_for_domain(mst_sequence *sequence, const int *ranks, int count, int *missing)
{
    mst_wait_result result = MST_WAIT_READY;

    for (int i = 1; i < count && result == MST_WAIT_READY; i++) {
        mst_sequence_lines *lines = &cell_of(sequence, ranks[i])->collectives;

        result = wait_for(sequence, &mst_layout_arrival(lines, sequence->round)->word, ranks[i], missing);
    }
    return result;
}

/* Says that our domain has come, and with what. */
static void say_gathered(mst_sequence *sequence, const int *ranks, int count)
{
    mst_gathered *gathered = gathered_of(sequence, ranks[0]);
    uint64_t request = mst_sequence_own(sequence)->request;
    bool differ = false;

    for (int i = 0; i < count; i++) {
        const mst_arrival *arrival = mst_sequence_arrival(sequence, ranks[i]); /* E2 */

        differ = differ || arrival->request != request;
        memcpy(gathered->payload + (size_t)i * sequence->packed, arrival->payload, sequence->packed);
    }
    gathered->differ = differ;
    gathered->request = request;
    mst_fault_point("levels.gather");
    mst_store32_rel(&gathered->word, 2 * sequence->round); /* E36: publishes what the domain's E2 did */
    mst_fault_point("levels.gathered");
    owe(sequence, &gathered->word);
}

/* Waits for the other leaders, from the next one on, so that not all look at the same line first. *differ:
 * whether any rank's request is another one than ours. */
static mst_wait_result wait_for_leaders(mst_sequence *sequence, bool *differ, int *missing)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;
    int own = hierarchy->domain[sequence->subarena->rank];
    const mst_gathered *ours = gathered_of(sequence, leader_of(hierarchy, own));

    *differ = ours->differ;
    for (int i = 1; i < hierarchy->domains; i++) {
        int leader = leader_of(hierarchy, (own + i) % hierarchy->domains);
        mst_gathered *gathered = gathered_of(sequence, leader);

        mst_wait_result result = wait_for(sequence, &gathered->word, leader, missing);
        if (result != MST_WAIT_READY)
            return result;
        *differ = *differ || gathered->differ || gathered->request != ours->request; /* E36: read once */
    }
    return MST_WAIT_READY;
}

/* What a leader says with `release`, in its field `request`. */
typedef enum verdict {
    SAME,
    DIFFER,
    LOOK_YOURSELF /* other leaders may not have passed on anything yet: all is to be read from all lines */
} verdict;

/* Says to our domain that all have come. One such line is enough, not two in turn: it is written only after
 * all of the domain have arrived at the round, so they have read the last one. */
static void say_release(mst_sequence *sequence, verdict verdict)
{
    mst_arrival *release = &cell_of(sequence, sequence->subarena->rank)->release;

    release->request = verdict;
    mst_fault_point("levels.release");
    mst_store32_rel(&release->word, 2 * sequence->round); /* E37: publishes what all did before */
    mst_fault_point("levels.released");
    owe(sequence, &release->word);
}

static mst_wait_result lead(mst_sequence *sequence, const int *ranks, int count, int *missing)
{
    bool differ;

    mst_wait_result result = wait_for_domain(sequence, ranks, count, missing);
    if (result != MST_WAIT_READY)
        return result;
    say_gathered(sequence, ranks, count);
    result = wait_for_leaders(sequence, &differ, missing);
    if (result == MST_WAIT_READY)
        say_release(sequence, differ ? DIFFER : SAME);
    return result;
}

/* ---- a round ---- */

static mst_wait_result wait_in_levels(mst_sequence *sequence, int *missing)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;
    int rank = sequence->subarena->rank, domain = hierarchy->domain[rank];
    const int *ranks = hierarchy->order + hierarchy->begin[domain];

    if (ranks[0] == rank)
        return lead(sequence, ranks, hierarchy->begin[domain + 1] - hierarchy->begin[domain], missing);
    return wait_for(sequence, &cell_of(sequence, ranks[0])->release.word, ranks[0], missing); /* E37 */
}

/* What our leader has said with the release of this round. */
static verdict released_with(const mst_sequence *sequence)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;
    int leader = leader_of(hierarchy, hierarchy->domain[sequence->subarena->rank]);

    return (verdict)cell_of(sequence, leader)->release.request; /* E37: read once */
}

/* A leader saw by all lines that all have come, and not by the other leaders: its domain, and they, may not
 * know of what ended its wait, and still wait for it. */
static void lead_on(mst_sequence *sequence)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;
    int rank = sequence->subarena->rank, domain = hierarchy->domain[rank];
    const int *ranks = hierarchy->order + hierarchy->begin[domain];

    if (ranks[0] != rank)
        return;
    /* Others may be reading it, if it has been said. */
    if (!mst_count_reached(&gathered_of(sequence, rank)->word, sequence->round))
        say_gathered(sequence, ranks, hierarchy->begin[domain + 1] - hierarchy->begin[domain]);
    say_release(sequence, LOOK_YOURSELF);
    mst_wait_settle(&sequence->waiter);
}

mst_wait_result mst_levels_wait(mst_sequence *sequence, int *missing)
{
    mst_wait_result result = wait_in_levels(sequence, missing);
    bool released = result == MST_WAIT_READY;

    mst_wait_settle(&sequence->waiter);
    if (!released && mst_sequence_first_missing(sequence) >= 0) /* E2 */
        return result;
    if (!released)
        lead_on(sequence);
    sequence->one_level = !released || released_with(sequence) == LOOK_YOURSELF;
    if (sequence->one_level)
        sequence->packed = 0;
    return MST_WAIT_READY;
}

bool mst_levels_same(const mst_sequence *sequence)
{
    return released_with(sequence) == SAME;
}

/* The domain's leader has said E36 before our own one has released us by E37. */
const unsigned char *mst_levels_payload(const mst_sequence *sequence, int rank)
{
    const mst_hierarchy *hierarchy = sequence->hierarchy;

    return gathered_of(sequence, leader_of(hierarchy, hierarchy->domain[rank]))->payload +
           (size_t)hierarchy->position[rank] * sequence->packed;
}
