/* Implements the rounds of barrier.h. */
#include "shm/group/barrier.h"

#include "shm/base/atomic.h"
#include "shm/base/fault.h"
#include "shm/base/ranklist.h"

static inline mst_sequence_lines *lines_of(const mst_sequence *sequence, int rank)
{
    return (mst_sequence_lines *)((unsigned char *)sequence->subarena->cells[rank] + sequence->lines_at);
}

void mst_sequence_init(mst_sequence *sequence, mst_subarena *subarena, mst_sequence_kind kind,
                       int64_t timeout_ns)
{
    *sequence = (mst_sequence){
        .subarena = subarena,
        .lines_at =
            kind == MST_SEQUENCE_COLLECTIVES ? offsetof(mst_cell, collectives) : offsetof(mst_cell, splits),
        .waiter = mst_attachment_waiter(subarena->attachment),
    };
    sequence->own = lines_of(sequence, subarena->rank);
    sequence->waiter.poison = &subarena->cells[subarena->rank]->poison;
    sequence->waiter.no_poison = subarena->no_poison[subarena->rank];
    sequence->waiter.deadline.limit_ns = timeout_ns;
}

mst_arrival *mst_sequence_next(const mst_sequence *sequence)
{
    return &sequence->own->arrivals[(sequence->round + 1) & 1];
}

mst_arrival *mst_sequence_own(const mst_sequence *sequence)
{
    return &sequence->own->arrivals[sequence->round & 1];
}

const mst_arrival *mst_sequence_arrival(const mst_sequence *sequence, int rank)
{
    return &lines_of(sequence, rank)->arrivals[sequence->round & 1];
}

bool mst_sequence_has_arrived(const mst_sequence *sequence, int rank)
{
    return mst_count_reached(&mst_sequence_arrival(sequence, rank)->word, sequence->round); /* E2, E3 */
}

bool mst_sequence_is_ahead(const mst_sequence *sequence, int rank)
{
    uint32_t next = sequence->round + 1;

    return mst_count_reached(&lines_of(sequence, rank)->arrivals[next & 1].word, next); /* E2, E3 */
}

static bool is_missing(const void *sequence, int rank)
{
    return !mst_sequence_has_arrived(sequence, rank);
}

int mst_sequence_list_missing(const mst_sequence *sequence, char *text, size_t bytes)
{
    int size = sequence->subarena->size, first = 0;

    mst_ranklist(text, bytes, size, is_missing, sequence);
    while (first < size && !is_missing(sequence, first))
        first++;
    return first < size ? first : -1;
}

/* Each rank starts with its neighbour, so that they do not all read rank 0's line first. */
static int neighbour(const mst_sequence *sequence, int distance)
{
    int rank = sequence->subarena->rank + distance;

    return rank < sequence->subarena->size ? rank : rank - sequence->subarena->size;
}

/* A member's arrival, or another condition that implies it. */
typedef struct arrival {
    const mst_sequence *sequence;
    int rank;
    bool (*instead)(const void *arg); /* NULL: none */
    const void *arg;
} arrival;

static bool has_come(const void *arg)
{
    const arrival *awaited = arg;

    return mst_sequence_has_arrived(awaited->sequence, awaited->rank) || /* E2, E3 */
           (awaited->instead && awaited->instead(awaited->arg));
}

static mst_wait_result wait_for(mst_sequence *sequence, const arrival *awaited)
{
    mst_sequence_lines *lines = lines_of(sequence, awaited->rank);
    mst_parking parking = { &lines->arrivals[sequence->round & 1].word, &lines->sleepers };

    return mst_wait_until(&sequence->waiter, parking, has_come, awaited, awaited->rank);
}

static mst_wait_result wait_for_all(mst_sequence *sequence, arrival awaited, int *missing)
{
    for (int i = 1; i < sequence->subarena->size; i++) {
        awaited.rank = neighbour(sequence, i);

        if (mst_sequence_has_arrived(sequence, awaited.rank)) /* E2, E3: most have, after one wait */
            continue;
        mst_wait_result result = wait_for(sequence, &awaited);
        if (result != MST_WAIT_READY) {
            *missing = awaited.rank;
            return result;
        }
        if (awaited.instead && awaited.instead(awaited.arg))
            break;
    }
    return MST_WAIT_READY;
}

/* Publishes our arrival; the caller must wake those who sleep on it. */
static inline mst_parking publish(mst_sequence *sequence)
{
    mst_arrival *arrival = mst_sequence_next(sequence);

    sequence->round++;
    mst_fault_point("sequence.publish");
    mst_store32_rel(&arrival->word, 2 * sequence->round); /* E2, E3: publishes what came before */
    mst_fault_point("sequence.published");
    return (mst_parking){ &arrival->word, &sequence->own->sleepers };
}

void mst_sequence_arrive(mst_sequence *sequence)
{
    mst_wake(publish(sequence));
}

void mst_sequence_publish(mst_sequence *sequence)
{
    sequence->waiter.owed = publish(sequence); /* mst_wait_until wakes its sleepers after its first look */
}

mst_wait_result mst_sequence_wait(mst_sequence *sequence, int *missing)
{
    return mst_sequence_wait_unless(sequence, NULL, NULL, missing);
}

mst_wait_result mst_sequence_wait_unless(mst_sequence *sequence, bool (*instead)(const void *arg),
                                         const void *arg, int *missing)
{
    mst_wait_result result = MST_WAIT_READY;

    if (!instead || !instead(arg))
        result = wait_for_all(sequence, (arrival){ sequence, 0, instead, arg }, missing);
    mst_wait_settle(&sequence->waiter);
    return result;
}

void mst_sequence_prefetch(const mst_sequence *sequence, size_t payload_bytes)
{
    mst_prefetch_for_store(mst_sequence_next(sequence), offsetof(mst_arrival, payload) + payload_bytes);
}

void mst_sequence_prefetch_others(const mst_sequence *sequence, size_t payload_bytes)
{
    if (!sequence->waiter.policy.spin_ns ||
        offsetof(mst_arrival, payload) + payload_bytes <= MST_CACHE_LINE_BYTES)
        return;
    for (int i = 1; i < sequence->subarena->size; i++)
        mst_prefetch_for_load((const char *)mst_sequence_arrival(sequence, neighbour(sequence, i)) +
                              MST_CACHE_LINE_BYTES);
}

mst_wait_result mst_sequence_round(mst_sequence *sequence, int *missing)
{
    mst_sequence_publish(sequence);
    return mst_sequence_wait(sequence, missing);
}
