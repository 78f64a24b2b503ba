/*
 * Rounds: the one synchronisation that collectives are made of.
 *
 * Every member has two arrival lines per sequence and alternates between them. It writes what the others
 * should read (a request and a small payload in the line itself, larger data elsewhere), then the number of
 * the round, and waits until every other member's line has that number. No counter is ever reset and no line
 * has two writers (except for the poison bit), so a fast rank may be one round ahead without harm. A round
 * costs one line transfer per peer, and a system call only if someone sleeps.
 *
 * Why two lines, and double-buffered memory in general, are enough: whatever a member wrote before it arrived
 * at round s is visible to all who have waited for s (E2), and a member that has waited for round s + 1 knows
 * that all have finished what they did after round s. Memory used at round s may be written again for round s
 * + 2.
 *
 * A group of many ranks may meet in two levels (levels.h): with fewer lines for each rank, by the same lines.
 *
 * A group has two sequences, one for collectives and one for splits, so that one thread can split while
 * another is in a collective.
 */
#ifndef MST_BARRIER_H
#define MST_BARRIER_H

#include "shm/base/fault.h"
#include "shm/base/hierarchy.h"
#include "shm/group/subarena.h"

typedef enum mst_sequence_kind { MST_SEQUENCE_COLLECTIVES, MST_SEQUENCE_SPLITS } mst_sequence_kind;

/* Where each member's bytes of the current round are, which a waiting rank prefetches with every look at that
 * member's arrival, so that both come together. */
typedef struct mst_sequence_bytes {
    bool in_slots;  /* in the members' small slots; else in their arrivals, behind the line of the flag */
    uint32_t at;    /* of a slot */
    uint32_t count; /* 0: none */
} mst_sequence_bytes;

typedef struct mst_sequence {
    mst_subarena *subarena;
    mst_cell **cells; /* by rank: of the subarena, as rank and size */
    int rank, size;
    mst_sequence_lines *own;        /* our lines */
    size_t lines_at;                /* where a member's lines are in its cell */
    uint32_t round;                 /* the last one we arrived at */
    uint64_t work;                  /* number of rounds so far that were followed by shared work (chunks.h) */
    uint64_t operations;            /* operations begun on this sequence; their parity selects call records */
    const mst_hierarchy *hierarchy; /* its rounds wait by mst_levels_wait; NULL: in one level */
    bool one_level;                 /* the current round was waited for in one level after all */
    size_t packed; /* bytes of each payload that leaders pass on in the current round (levels.h); 0: none */
    mst_sequence_bytes ahead;
    mst_waiter waiter;
} mst_sequence;

void mst_sequence_init(mst_sequence *sequence, mst_subarena *subarena, mst_sequence_kind kind,
                       int64_t timeout_ns);

/* Starts a new operation: its deadline counts from its first slow wait. The watch of its waits is
 * sequence->waiter.watch. */
static inline void mst_sequence_begin(mst_sequence *sequence)
{
    mst_deadline_begin(&sequence->waiter.deadline);
    sequence->waiter.waited_ns = 0;
}

static inline mst_sequence_lines *mst_sequence_lines_of(const mst_sequence *sequence, int rank)
{
    return (mst_sequence_lines *)((unsigned char *)sequence->cells[rank] + sequence->lines_at);
}

/* Our line of the next round, to be filled in before arriving; and our line of the current round. */
static inline mst_arrival *mst_sequence_next(const mst_sequence *sequence)
{
    return mst_layout_arrival(sequence->own, sequence->round + 1);
}

static inline mst_arrival *mst_sequence_own(const mst_sequence *sequence)
{
    return mst_layout_arrival(sequence->own, sequence->round);
}

/* The line of `rank` at the current round; to be read once all have arrived. */
static inline const mst_arrival *mst_sequence_arrival(const mst_sequence *sequence, int rank)
{
    return mst_layout_arrival(mst_sequence_lines_of(sequence, rank), sequence->round);
}

/* Whether a member has arrived at our current round. */
static inline bool mst_sequence_has_arrived(const mst_sequence *sequence, int rank)
{
    return mst_count_reached(&mst_sequence_arrival(sequence, rank)->word, sequence->round); /* E2, E3 */
}

/* Prefetches the bytes of `rank`. */
void mst_sequence_prefetch_of(const mst_sequence *sequence, int rank);

/* Whether a member has arrived at the round after that, already. */
bool mst_sequence_is_ahead(const mst_sequence *sequence, int rank);

/* Looks at the flag of `rank`, and prefetches what comes with it. */
static inline bool mst_sequence_look(const mst_sequence *sequence, int rank)
{
    if (sequence->ahead.count)
        mst_sequence_prefetch_of(sequence, rank);
    return mst_sequence_has_arrived(sequence, rank); /* E2, E3 */
}

/* The first time. The second line of an arrival, which its owner stores last but for the flag, is left to it.
 */
static inline bool mst_sequence_look_first(const mst_sequence *sequence, int rank)
{
    return sequence->ahead.in_slots ? mst_sequence_look(sequence, rank)
                                    : mst_sequence_has_arrived(sequence, rank); /* E2, E3 */
}

/* Each rank starts with its neighbour, so that they do not all read rank 0's line first. */
static inline int mst_sequence_neighbour(const mst_sequence *sequence, int distance)
{
    int rank = sequence->rank + distance;

    return rank < sequence->size ? rank : rank - sequence->size;
}

/* Arrives at the next round and waits for all. On failure *missing is a rank that has not arrived. */
mst_wait_result mst_sequence_round(mst_sequence *sequence, int *missing);

/* Parts of a round, for callers with other work in between. Sleepers are woken by the wait. */
static inline void mst_sequence_publish(mst_sequence *sequence)
{
    mst_arrival *arrival = mst_sequence_next(sequence);

    sequence->round++;
    mst_fault_point("sequence.publish");
    mst_store32_rel(&arrival->word, 2 * sequence->round); /* E2, E3: publishes what came before */
    mst_fault_point("sequence.published");
    /* mst_wait_until wakes its sleepers after its first look */
    sequence->waiter.owed = (mst_parking){ &arrival->word, &sequence->own->sleepers };
}

/* Waits for those from this neighbour on, which has not arrived. */
mst_wait_result mst_sequence_wait_from(mst_sequence *sequence, int distance, int *missing);

static inline mst_wait_result mst_sequence_wait(mst_sequence *sequence, int *missing)
{
    mst_wait_result result = MST_WAIT_READY;
    int distance = 1, size = sequence->size;

    while (distance < size && mst_sequence_look_first(sequence, mst_sequence_neighbour(sequence, distance)))
        distance++;
    if (distance < size)
        result = mst_sequence_wait_from(sequence, distance, missing);
    mst_wait_settle(&sequence->waiter);
    return result;
}

/* Waits for all, or until instead(arg), which implies that all have arrived. */
mst_wait_result mst_sequence_wait_unless(mst_sequence *sequence, bool (*instead)(const void *arg),
                                         const void *arg, int *missing);

/* After a round: prefetches our next arrival, with this much payload, for writing. */
static inline void mst_sequence_prefetch(const mst_sequence *sequence, size_t payload_bytes)
{
    mst_prefetch_for_store(mst_sequence_next(sequence), offsetof(mst_arrival, payload) + payload_bytes);
}

/* Lets so many turns of a loop pass, of a cycle each, in which a rank that stores at the same time as we did
 * gets it done. A look that comes earlier takes the line from that rank, which must then fetch it back before
 * it can arrive. */
void mst_sequence_hold_back(int steps);

/* Before a wait: that these bytes come with the arrivals; and looks so many steps later. */
static inline void mst_sequence_expect(mst_sequence *sequence, mst_sequence_bytes bytes, int steps)
{
    bool spins = sequence->waiter.policy.spin_ns && !sequence->hierarchy; /* each rank has a CPU */

    sequence->ahead = spins ? bytes : (mst_sequence_bytes){ .count = 0 };
    if (spins && steps)
        mst_sequence_hold_back(steps);
}

/* The first member that has not arrived; -1: all have. */
int mst_sequence_first_missing(const mst_sequence *sequence);

/* Lists the members that have not arrived, as text. Returns the first of them; -1: all have. */
int mst_sequence_list_missing(const mst_sequence *sequence, char *text, size_t bytes);

#endif
