/* Implements the rounds of barrier.h. */
#include "shm/group/barrier.h"

#include "shm/base/atomic.h"
#include "shm/base/ranklist.h"

#ifdef __clang__
#define ONE_COPY __attribute__((noinline)) /* it makes no further ones */
#else
#define ONE_COPY __attribute__((noinline, noclone))
#endif

void mst_sequence_init(mst_sequence *sequence, mst_subarena *subarena, mst_sequence_kind kind,
                       int64_t timeout_ns)
{
    *sequence = (mst_sequence){
        .subarena = subarena,
        .cells = subarena->cells,
        .rank = subarena->rank,
        .size = subarena->size,
        .lines_at =
            kind == MST_SEQUENCE_COLLECTIVES ? offsetof(mst_cell, collectives) : offsetof(mst_cell, splits),
        .waiter = mst_attachment_waiter(subarena->attachment),
    };
    sequence->own = mst_sequence_lines_of(sequence, subarena->rank);
    sequence->waiter.poison = &subarena->cells[subarena->rank]->poison;
    sequence->waiter.no_poison = subarena->no_poison[subarena->rank];
    sequence->waiter.deadline.limit_ns = timeout_ns;
}

bool mst_sequence_is_ahead(const mst_sequence *sequence, int rank)
{
    uint32_t next = sequence->round + 1;

    return mst_count_reached(&mst_layout_arrival(mst_sequence_lines_of(sequence, rank), next)->word,
                             next); /* E2, E3 */
}

static bool is_missing(const void *sequence, int rank)
{
    return !mst_sequence_has_arrived(sequence, rank);
}

int mst_sequence_first_missing(const mst_sequence *sequence)
{
    int size = sequence->size, first = 0;

    while (first < size && !is_missing(sequence, first))
        first++;
    return first < size ? first : -1;
}

int mst_sequence_list_missing(const mst_sequence *sequence, char *text, size_t bytes)
{
    mst_ranklist(text, bytes, sequence->size, is_missing, sequence);
    return mst_sequence_first_missing(sequence);
}

void mst_sequence_prefetch_of(const mst_sequence *sequence, int rank)
{
    const mst_sequence_bytes *ahead = &sequence->ahead;
    const unsigned char *from =
        ahead->in_slots ? sequence->subarena->slots[rank] + ahead->at
                        : (const unsigned char *)mst_sequence_arrival(sequence, rank) + MST_CACHE_LINE_BYTES;

    for (uint32_t at = 0; at < ahead->count; at += MST_CACHE_LINE_BYTES)
        mst_prefetch_for_load(from + at);
}

/* Each turn waits for the one before. By this name test_instructions leaves them out, as waiting.
 */
ONE_COPY void mst_sequence_hold_back(int steps)
{
    uint32_t number = 1;

    for (int i = 0; i < steps; i++) {
        number *= 3;
        __asm__ __volatile__("" : "+r"(number));
    }
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

    return mst_sequence_look(awaited->sequence, awaited->rank) || /* E2, E3 */
           (awaited->instead && awaited->instead(awaited->arg));
}

static mst_wait_result wait_for(mst_sequence *sequence, const arrival *awaited)
{
    mst_sequence_lines *lines = mst_sequence_lines_of(sequence, awaited->rank);
    mst_parking parking = { &mst_layout_arrival(lines, sequence->round)->word, &lines->sleepers };

    return mst_wait_until(&sequence->waiter, parking, has_come, awaited, awaited->rank);
}

/* Waits for all members from the one at `distance` on. `looks`: that one may have arrived. */
static mst_wait_result wait_for_each(mst_sequence *sequence, arrival awaited, int distance, bool looks,
                                     int *missing)
{
    for (; distance < sequence->size; distance++, looks = true) {
        awaited.rank = mst_sequence_neighbour(sequence, distance);

        if (looks && mst_sequence_has_arrived(sequence, awaited.rank)) /* E2, E3: most have, after one wait */
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

/* By this name test_instructions leaves waits out: there must be no copy of it. */
ONE_COPY mst_wait_result mst_sequence_wait_from(mst_sequence *sequence, int distance, int *missing)
{
    return wait_for_each(sequence, (arrival){ .sequence = sequence }, distance, false, missing);
}

mst_wait_result mst_sequence_wait_unless(mst_sequence *sequence, bool (*instead)(const void *arg),
                                         const void *arg, int *missing)
{
    mst_wait_result result = MST_WAIT_READY;

    if (!instead || !instead(arg))
        result = wait_for_each(sequence, (arrival){ sequence, 0, instead, arg }, 1, true, missing);
    mst_wait_settle(&sequence->waiter);
    return result;
}

mst_wait_result mst_sequence_round(mst_sequence *sequence, int *missing)
{
    mst_sequence_publish(sequence);
    return mst_sequence_wait(sequence, missing);
}
