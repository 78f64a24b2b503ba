/* Waits for the other ranks of the world, as described in gather.h. */
#include "shm/join/gather.h"

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/ranklist.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "shm/wait/rendezvous.h"

static bool never_comes(const mst_geometry *geometry, uint32_t rank, uint32_t state)
{
    return state == MST_RANK_LEFT || mst_termination_of(geometry, rank).kind != MUSTER_TERMINATION_NONE;
}

static mst_outcome look_at_rank(const mst_geometry *geometry, uint32_t rank)
{
    uint32_t state = mst_load32_acq(&mst_layout_entry(geometry, rank)->state); /* E1 */

    if (state == MST_RANK_ATTACHED)
        return MST_OUTCOME_COMPLETE;
    if (never_comes(geometry, rank, state))
        return state == MST_RANK_LEFT ? MST_OUTCOME_LEFT : MST_OUTCOME_ENDED;
    return state == MST_RANK_VACANT || state == MST_RANK_JOINING ? MST_OUTCOME_OPEN : MST_OUTCOME_DAMAGED;
}

/* Order of severity: damage, then a termination, then a rank that may still attach. */
static bool is_worse(mst_outcome found, mst_outcome worst)
{
    return worst == MST_OUTCOME_COMPLETE || (worst == MST_OUTCOME_OPEN && found > MST_OUTCOME_COMPLETE) ||
           (worst != MST_OUTCOME_DAMAGED && found == MST_OUTCOME_DAMAGED);
}

/* The state of the rendezvous as seen now; OPEN: with the first rank that has not attached. */
static mst_rendezvous look_around(const mst_attachment *attachment)
{
    const mst_geometry *geometry = &attachment->geometry;
    mst_rendezvous seen = mst_rendezvous_read(geometry);

    if (seen.outcome != MST_OUTCOME_OPEN) /* some may already have left */
        return seen;
    seen = (mst_rendezvous){ .outcome = MST_OUTCOME_COMPLETE, .by = attachment->rank };
    for (uint32_t rank = 0; rank < geometry->size; rank++) {
        mst_outcome found = look_at_rank(geometry, rank);

        if (rank == attachment->rank && found != MST_OUTCOME_COMPLETE) /* we have attached */
            found = MST_OUTCOME_DAMAGED;
        bool earlier = found == MST_OUTCOME_ENDED && seen.outcome == MST_OUTCOME_ENDED &&
                       mst_termination_precedes(geometry, rank, seen.rank);
        if (found == MST_OUTCOME_COMPLETE || (!earlier && !is_worse(found, seen.outcome)))
            continue;
        seen.outcome = found;
        seen.rank = rank;
    }
    if (seen.outcome == MST_OUTCOME_ENDED)
        seen.termination = mst_termination_of(geometry, seen.rank);
    return seen;
}

static bool no_longer_gathering(const void *arg)
{
    return look_around(arg).outcome != MST_OUTCOME_OPEN;
}

static bool has_not_come(const void *geometry, int rank)
{
    return mst_load32_acq(&mst_layout_entry(geometry, (uint32_t)rank)->state) != MST_RANK_ATTACHED; /* E1 */
}

static muster_status explain_termination(const mst_rendezvous *settled)
{
    muster_termination_kind kind = settled->termination.kind;
    bool over = kind == MUSTER_TERMINATION_EXITED || kind == MUSTER_TERMINATION_SIGNALED ||
                kind == MUSTER_TERMINATION_EXECED;
    char ended[120];

    muster_termination_describe(settled->termination, ended, sizeof ended);
    mst_fail(MUSTER_ERR_PEER_DIED, "rank %u %s%s", settled->rank, ended,
             over ? " before it attached" : ", and had not attached");
    mst_error_about((int)settled->rank, settled->termination);
    return MUSTER_ERR_PEER_DIED;
}

static muster_status say_late(const mst_attachment *attachment, const mst_rendezvous *settled)
{
    const mst_deadline *deadline = &attachment->attaching.patience;
    char text[200];

    mst_ranklist(text, sizeof text, (int)attachment->geometry.size, has_not_come, &attachment->geometry);
    if (settled->by == attachment->rank)
        return mst_fail(
            MUSTER_ERR_TIMED_OUT,
            "rank %u waited %.1f s for all %u ranks to attach and %s did not attach; start them, or "
            "give them longer with MUSTER_ATTACH_TIMEOUT",
            attachment->rank, (double)deadline->total_ns / MST_NS_PER_S, attachment->geometry.size, text);
    if (settled->rank == attachment->rank)
        return mst_fail(
            MUSTER_ERR_TIMED_OUT,
            "rank %u attached too late: rank %u had waited for it and given up; give all longer with "
            "MUSTER_ATTACH_TIMEOUT",
            settled->rank, settled->by);
    return mst_fail(MUSTER_ERR_TIMED_OUT,
                    "rank %u waited for all %u ranks to attach and gave up, since rank %u did not attach; "
                    "start it, or give it longer with MUSTER_ATTACH_TIMEOUT",
                    settled->by, attachment->geometry.size, settled->rank);
}

static muster_status explain_late(const mst_attachment *attachment, const mst_rendezvous *settled)
{
    muster_status status = say_late(attachment, settled);

    mst_error_about((int)settled->rank, (muster_termination){ MUSTER_TERMINATION_NONE, 0 });
    mst_error_late(attachment->attaching.patience.limit_ns);
    return status;
}

/* Reports the same cause on all ranks. */
static muster_status explain(const mst_attachment *attachment, const mst_rendezvous *settled)
{
    switch (settled->outcome) {
    case MST_OUTCOME_COMPLETE:
        return MUSTER_OK;
    case MST_OUTCOME_ENDED:
        return explain_termination(settled);
    case MST_OUTCOME_LEFT:
        return mst_fail_about((int)settled->rank, MUSTER_ERR_PEER_DIED,
                              "rank %u left before all had attached", settled->rank);
    case MST_OUTCOME_LATE:
        return explain_late(attachment, settled);
    case MST_OUTCOME_REFUSED:
        return mst_fail_about((int)settled->rank, MUSTER_ERR_PEER_DIED, "rank %u could not attach: %s",
                              settled->rank, muster_status_string(settled->status));
    case MST_OUTCOME_INTERRUPTED:
        return mst_fail_about((int)settled->rank, MUSTER_ERR_ABORTED,
                              "rank %u was interrupted while it waited for all to attach", settled->rank);
    case MST_OUTCOME_ORPHANED:
        return mst_fail(MUSTER_ERR_PEER_DIED, "the launcher of these ranks is gone, and the job with it");
    default:
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "rank %u found an outcome of attaching that no rank writes: the arena "
                        "is damaged",
                        attachment->rank);
    }
}

/* Settles the outcome for all, whatever it is, unless another rank was faster. */
static mst_rendezvous settle(mst_attachment *attachment, const mst_rendezvous *proposed)
{
    mst_rendezvous settled = mst_rendezvous_settle(&attachment->geometry, proposed);

    mst_eventcount_advance(&mst_layout_header(&attachment->geometry)->arrivals);
    mst_attachment_remove_name(attachment);
    return settled;
}

muster_status mst_gather(mst_attachment *attachment)
{
    mst_log_line(&attachment->log, MUSTER_LOG_DEBUG, "waits for all %u ranks to attach, in process %d",
                 attachment->geometry.size, mst_os_process_id());
    mst_awaited result = mst_attachment_await(attachment, no_longer_gathering, attachment);
    mst_rendezvous seen = look_around(attachment);

    if (seen.outcome == MST_OUTCOME_OPEN && result == MST_AWAITED_INTERRUPTED)
        seen = (mst_rendezvous){ .outcome = MST_OUTCOME_INTERRUPTED, .rank = attachment->rank };
    else if (seen.outcome == MST_OUTCOME_OPEN && result == MST_AWAITED_ORPHANED)
        seen.outcome = MST_OUTCOME_ORPHANED;
    else if (seen.outcome == MST_OUTCOME_OPEN)
        seen.outcome = MST_OUTCOME_LATE;
    seen.by = attachment->rank;
    seen = settle(attachment, &seen);
    return explain(attachment, &seen);
}

void mst_gather_refuse(mst_attachment *attachment, muster_status status)
{
    settle(attachment, &(mst_rendezvous){ .outcome = MST_OUTCOME_REFUSED,
                                          .rank = attachment->rank,
                                          .by = attachment->rank,
                                          .status = status });
}
