/* Publishes this rank's request, waits for the others, and compares their requests (agree.h), as described in
 * round.h. */
#include "src/onehost/coll/round.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "shm/group/levels.h"
#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/coll/view.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/wait/broken.h"

/* ---- rounds ---- */

/* `worker`: the only rank that this one waited for; -1: it waited for all. */
static __attribute__((cold, noinline)) muster_status round_failed(mst_call *call, mst_wait_result result,
                                                                  int worker)
{
    char doing[120], late[120];

    mst_call_describe(call, doing, sizeof doing);
    if (worker >= 0) {
        snprintf(late, sizeof late, "rank %d to work for all", worker);
        return mst_group_wait_failed(call->group, result, doing, late, worker);
    }
    int first = mst_sequence_list_missing(call->sequence, late, sizeof late);
    return mst_group_wait_failed(call->group, result, doing, late, first);
}

static void copy_records(mst_call *call)
{
    for (int rank = 0; rank < call->group->base.size; rank++)
        mst_record_copy(&call->group->records[rank],
                        &call->group->subarena->cells[rank]->calls[call->parity]); /* E2 */
}

static __attribute__((noinline)) muster_status compare_records(mst_call *call)
{
    copy_records(call);
    call->views = mst_any_input_in_arena(call);
    return mst_records_compare(call, call->group->records);
}

/* Compares requests: packed, from the lines, which are in our cache, if that is enough; else by records. */
static inline muster_status compare_requests(mst_call *call)
{
    const mst_sequence *sequence = call->sequence;
    bool same = call->brief || (!call->plan.viewable && !call->request->unusual &&
                                call->request->elements < MST_COUNT_PACKED_MAX);

    if (sequence->hierarchy && !sequence->one_level)
        return same && mst_levels_same(sequence) ? MUSTER_OK : compare_records(call);
    for (int i = 1; i < sequence->size && same; i++) /* the peers have our own line now */
        same = mst_sequence_arrival(sequence, mst_sequence_neighbour(sequence, i))->request ==
               call->plan.request; /* E2: read once */
    return same ? MUSTER_OK : compare_records(call);
}

/* Writes this rank's request, packed and as a record; E2 publishes both. */
static inline void announce(const mst_call *call)
{
    mst_sequence_next(call->sequence)->request = call->plan.request;
    mst_call_record *record = &call->group->cell->calls[call->parity];
    if (call->repeats > 1) /* the operation before the previous one has left all the rest there */
        record->operation = call->operation;
    else
        mst_call_note(record, call);
}

/* ---- whether all ranks pass the same `staged` ---- */

#ifdef MST_CHECKED

static void publish_staged(const mst_call *call, size_t staged)
{
    mst_sequence_next(call->sequence)->staged = (uint32_t)staged + 1; /* published by E2 */
}

/* Where the requests differ, `staged` may, too, and the sentence is about the requests. */
static muster_status check_staged(mst_call *call, size_t staged)
{
    for (int rank = 0; rank < call->group->base.size; rank++) {
        uint32_t said = mst_sequence_arrival(call->sequence, rank)->staged; /* E2: read once */
        char doing[120];

        if (said == 0 || said == (uint32_t)staged + 1) /* 0: a build without MST_CHECKED */
            continue;
        muster_status status = compare_records(call);
        if (status != MUSTER_OK)
            return status;
        mst_call_describe(call, doing, sizeof doing);
        return mst_group_poison(
            call->group, MST_POISON_DAMAGE,
            "rank %d advanced by %zu bytes in a round of %s, and rank %d by %u: a defect in muster",
            call->group->base.rank, staged, doing, rank, said - 1);
    }
    return MUSTER_OK;
}

#else

static void publish_staged(const mst_call *call, size_t staged)
{
    (void)call, (void)staged;
}

static muster_status check_staged(const mst_call *call, size_t staged)
{
    (void)call, (void)staged;
    return MUSTER_OK;
}

#endif

/* ---- meeting ---- */

/*
 * To be called when views have been read, before this rank says so: whoever sees it arrive, or sees its chunk
 * done, can rely on what it has made of them. If the group was broken by then, a peer's call may have failed,
 * and its program may have written to its buffers while they were read here. What breaks the group later does
 * no harm: an operation that all ranks have gone through succeeds.
 */
static muster_status check_views(const mst_call *call)
{
    return call->views ? mst_group_was_whole(call->group) : MUSTER_OK;
}

/* So much that the others may work on it for as long as a time slice. */
#define MUCH_BYTES (1024 * 1024)

static inline mst_sequence_bytes in_slots(const mst_call *call, size_t bytes)
{
    /* Beyond a few lines, and where a root alone stores, looks would take lines that are half filled. */
    bool few = bytes <= MST_PREFETCH_BYTES_MAX && !mst_shapes[call->request->collective].rooted;

    return (mst_sequence_bytes){ .in_slots = true,
                                 .at = (uint32_t)call->group->staging.next[MST_STAGING_SMALL],
                                 .count = few ? (uint32_t)bytes : 0 };
}

/* Where the others have staged as much as we. With counts by rank they have heads of the same size, and, as
 * far as the latest call tells, what they had in it. */
static inline mst_sequence_bytes bytes_of_others(const mst_call *call, size_t staged, bool in_line,
                                                 bool varied)
{
    size_t beside = MST_CACHE_LINE_BYTES - offsetof(mst_arrival, payload);

    if (!in_line && !varied)
        return in_slots(call, staged);
    if (varied && call->others_in_slots)
        return in_slots(call, call->others_in_slots);
    return (mst_sequence_bytes){ .count = staged > beside ? MST_CACHE_LINE_BYTES : 0 };
}

/* How much later this rank looks than it could. Without anything to stage ranks arrive at nearly the same
 * time; what many bytes take makes each wait for more than a look too early costs, and so does what counts by
 * rank take. */
static inline int hold_back_of(size_t staged, bool varied)
{
    if (varied)
        return 0;
    return staged == 0 ? 44 : staged <= MST_FEW_BYTES ? 18 : 0;
}

/*
 * Arrives and waits for all. A look at a peer's line takes it from that peer, which then must fetch it back
 * to arrive; and it cannot arrive before all that it has staged has left its CPU. So a rank that has staged
 * much first wakes its sleepers, for that waits until its own bytes have left, when those of the others
 * mostly have, too.
 * `brief`: it is the only round of a brief call, of which that decides much. `varied`: the first one with
 * counts by rank.
 */
static inline __attribute__((always_inline)) muster_status meet(mst_call *call, size_t staged, bool brief,
                                                                bool varied)
{
    bool first = brief || !call->met, in_line = brief || call->plan.in_line,
         shared = !brief && call->plan.shared;
    int missing;

    muster_status status = brief ? MUSTER_OK : check_views(call);
    if (status != MUSTER_OK)
        return status;
    if (first)
        announce(call);
    publish_staged(call, staged);
    call->sequence->waiter.heavy = !brief && call->plan.in_bytes + call->plan.out_bytes > MUCH_BYTES;
    mst_levels_publish(call->sequence, in_line && !varied ? staged : 0);
    if (first && (brief || call->plan.small))
        mst_call_show(call);
    if (in_line || (call->plan.small && !shared))
        mst_sequence_expect(call->sequence, bytes_of_others(call, staged, in_line, varied),
                            hold_back_of(staged, varied));
    else
        mst_sequence_expect(call->sequence, (mst_sequence_bytes){ .count = 0 }, 0);
    if (staged && !in_line && !call->plan.small) /* whose bytes take longer to leave than a look at a line */
        mst_wait_settle(&call->sequence->waiter);
    mst_wait_result result = shared ? mst_chunks_meet(call->sequence, &missing)
                                    : mst_levels_wait_for_all(call->sequence, &missing);
    if (result != MST_WAIT_READY)
        return round_failed(call, result, -1);
    call->met = true;
    /* A rank that takes no chunk of shared work need not compare, unless it needs the records: those who take
     * one do. Whoever takes its first chunk in a later round needs those of an operation that is made. */
    if (first || !call->request->unusual)
        call->compared = !first || !shared || call->plan.viewable;
    if (in_line)
        mst_sequence_prefetch(call->sequence, staged);
    if (first)
        mst_group_arrived(call->group, MUSTER_CALL_COLLECTIVE, &call->sequence->waiter);
    return MUSTER_OK;
}

static muster_status round_of_brief(mst_call *call, size_t staged)
{
    muster_status status = meet(call, staged, true, false);
    if (status == MUSTER_OK)
        status = compare_requests(call);
    return status == MUSTER_OK ? check_staged(call, staged) : status;
}

muster_status mst_round(mst_call *call, size_t staged)
{
    bool first = !call->met;

    if (call->brief && first)
        return round_of_brief(call, staged);
    muster_status status = meet(call, staged, false, false);
    if (status != MUSTER_OK)
        return status;
    if (!call->plan.in_line)
        mst_staging_turn(&call->group->staging, call->plan.part, staged);
    if (call->plan.small && !call->plan.in_line && staged <= MST_FEW_BYTES)
        mst_call_prefetch(call, staged);
    status = first && call->compared ? compare_requests(call) : MUSTER_OK;
    return status == MUSTER_OK ? check_staged(call, staged) : status;
}

muster_status mst_round_varied(mst_call *call, size_t staged)
{
    bool first = !call->met;
    muster_status status =
        call->brief && first ? meet(call, staged, true, true) : meet(call, staged, false, true);

    return status == MUSTER_OK && first ? compare_requests(call) : status;
}

/* ---- staging that is not there yet ---- */

static muster_status accept_offer(mst_call *call, int rank)
{
    mst_staging_offer offer;

    memcpy(&offer, mst_sequence_arrival(call->sequence, rank)->payload, sizeof offer); /* E2: read once */
    if (offer.status != MUSTER_OK)
        return mst_fail_about(
            rank, MUSTER_ERR_NO_SPACE,
            "rank %d has no memory for staging, which this group has not needed before; nothing "
            "has moved, and the group is as before: free buffers or groups, and try again",
            rank);
    if (!mst_staging_place(call->group->subarena, rank, offer.offset))
        return mst_group_poison(call->group, MST_POISON_DAMAGE,
                                "rank %d says that its staging is outside its region: the arena is damaged",
                                rank);
    return MUSTER_OK;
}

/* All ranks get the same result, since they read the same offers. */
static muster_status accept_offers(mst_call *call)
{
    muster_status status = MUSTER_OK;

    for (int rank = 0; rank < call->group->base.size && status == MUSTER_OK; rank++)
        status = accept_offer(call, rank);
    call->group->subarena->staged = status == MUSTER_OK;
    return status;
}

muster_status mst_round_for_staging(mst_call *call)
{
    mst_staging_offer offer = mst_staging_claim(call->group->subarena);
    mst_error_copy why;
    int missing;

    if (offer.status != MUSTER_OK)
        mst_error_keep(&why);
    announce(call);
    memcpy(mst_sequence_next(call->sequence)->payload, &offer, sizeof offer); /* published by E2 */
    publish_staged(call, 0);
    mst_sequence_expect(call->sequence, (mst_sequence_bytes){ .count = 0 }, 0);
    call->sequence->waiter.heavy = false;
    mst_fault_point("staging.offer");
    mst_wait_result result = mst_levels_round(call->sequence, &missing);
    if (result != MST_WAIT_READY)
        return round_failed(call, result, -1);
    call->met = true;
    mst_group_arrived(call->group, MUSTER_CALL_COLLECTIVE, &call->sequence->waiter);
    muster_status status = compare_requests(call);
    if (status == MUSTER_OK)
        status = check_staged(call, 0);
    if (status == MUSTER_OK && offer.status != MUSTER_OK)
        return mst_error_again(&why); /* the sentence of the claim says more than that of accept_offers */
    return status == MUSTER_OK ? accept_offers(call) : status;
}

/* ---- shared work ---- */

muster_status mst_work_share(mst_call *call, int count, mst_chunk_fn work, const void *arg)
{
    for (int chunk = mst_chunks_take(call->sequence, 0, count); chunk < count;
         chunk = mst_chunks_take(call->sequence, chunk + 1, count)) {
        if (!call->compared) {
            muster_status status = compare_requests(call);
            if (status != MUSTER_OK)
                return status;
            call->compared = true;
        }
        if (work)
            work(call, arg, chunk);
        muster_status status = check_views(call);
        if (status != MUSTER_OK)
            return status;
        mst_chunks_done(call->sequence, chunk);
    }
    return MUSTER_OK;
}

muster_status mst_work_await(mst_call *call, int chunk, int *by)
{
    mst_wait_result result = mst_chunks_wait(call->sequence, chunk, by);

    if (result != MST_WAIT_READY)
        return round_failed(call, result, *by);
    if (*by < 0)
        return mst_group_poison(
            call->group, MST_POISON_DAMAGE,
            "rank %d found no owner of the shared work of operation %llu: the arena is damaged",
            call->group->base.rank, (unsigned long long)call->operation);
    return MUSTER_OK;
}

/* ---- whole rounds ---- */

muster_status mst_round_empty(mst_call *call)
{
    int by;

    muster_status status = mst_round(call, 0);
    if (!call->plan.shared || status != MUSTER_OK)
        return status;
    status = mst_work_share(call, 1, NULL, NULL); /* tells late members that all have arrived */
    return status == MUSTER_OK ? mst_work_await(call, 0, &by) : status;
}

muster_status mst_round_if_arena(mst_call *call)
{
    return mst_any_input_in_arena(call) ? mst_round(call, 0) : MUSTER_OK;
}
