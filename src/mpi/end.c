/* Leaves, waits and decides, as described in end.h. */
#include "src/mpi/end.h"

#include "shm/base/atomic.h"
#include "shm/base/deadline.h"
#include "shm/base/log.h"
#include "shm/wait/wait.h"

#define PATIENCE_NS MST_NS_PER_S
#define NAP_NS MST_NS_PER_MS
#define NAPS_PER_LOOK 20 /* at the processes, which takes the CPU from a rank that is waited for */

/* A word that nobody writes, as a process that has gone wrong may have left it, gives up. */
static uint32_t understand(uint32_t word)
{
    return word == MST_MPI_UNDECIDED || word == MST_MPI_FINALIZES ? word : MST_MPI_GIVES_UP;
}

/* The decision, which is `wanted` if there was none. */
static uint32_t decide(mst_mpi_job *job, uint32_t wanted)
{
    if (!job->decision)
        return wanted;
    uint32_t before = mst_cmpxchg32_sc(job->decision, MST_MPI_UNDECIDED, wanted); /* E38 */
    return before == MST_MPI_UNDECIDED ? wanted : understand(before);
}

static bool has_given_up(const mst_mpi_job *job)
{
    return (job->decision && understand(mst_load32_rlx(job->decision)) == MST_MPI_GIVES_UP) || /* E38 */
           (job->wire && mst_wire_has_given_up(job->wire));
}

/* Whether a process that is waited for will never come. */
static bool misses_one(const mst_mpi_job *job, mst_mpi_watches *watches)
{
    return mst_mpi_watches_see_one_gone(watches) || (job->wire && mst_wire_knows_death(job->wire));
}

/* Whether all have come, and, with several hosts, nothing is under way between them any more, and all end
 * MPI. False: this rank gives up. Over several hosts one whose program has failed does so then: a rank that
 * has said that it is ready is bound, and one that is stopped would hold it. */
static bool have_all_come(const mst_mpi_job *job, bool failed, bool *barrier_over, bool *over)
{
    char why[MST_PLUGIN_WHY_BYTES];
    bool quiet = !job->wire || mst_wire_is_quiet(job->wire);

    if (!*barrier_over && !job->plugin->test(barrier_over, why))
        return false;
    if (job->wire && failed)
        return !(*barrier_over && quiet);
    *over = *barrier_over && quiet && (!job->wire || mst_wire_all_end(job->wire));
    return true;
}

/* Whether this rank gives up, and so decides for others; when one is gone, it does in any case. */
static bool gives_up(mst_mpi_job *job, bool gone)
{
    if (job->wire)
        return gone || !mst_wire_is_bound(job->wire);
    return decide(job, MST_MPI_GIVES_UP) == MST_MPI_GIVES_UP || gone;
}

/* False: it is given up. A decision to go on is waited for without a limit while all live, as all have come
 * to the barrier; one that is gone may have gone before it had given the others what they need to see that.
 */
static bool await_all(mst_mpi_job *job, bool failed)
{
    mst_deadline patience = { .limit_ns = PATIENCE_NS };
    bool hurried = failed, gone = false, barrier_over = false, over = false;
    char why[MST_PLUGIN_WHY_BYTES];
    mst_mpi_watches watches;

    if (job->abandoned || !job->plugin->barrier(why))
        return false;
    mst_mpi_watches_open(&watches, job);
    for (int nap = 1; !over && !has_given_up(job); nap++) {
        if (!have_all_come(job, failed, &barrier_over, &over) || over)
            break;
        mst_wait_nap(&patience, NAP_NS);
        if (!gone && nap % NAPS_PER_LOOK == 0 && misses_one(job, &watches)) {
            if (!hurried || mst_deadline_passed(&patience))
                mst_deadline_begin(&patience);
            hurried = gone = true;
        }
        if (hurried && mst_deadline_passed(&patience) && gives_up(job, gone))
            break;
    }
    mst_mpi_watches_close(&watches);
    return over;
}

/* Sends what is still to be sent, for a while: the others are to hear of it. */
static void say_last_words(mst_wire *wire)
{
    mst_deadline patience = { .limit_ns = PATIENCE_NS };

    mst_wire_give_up(wire);
    while (!mst_wire_has_sent(wire) && !mst_deadline_passed(&patience))
        mst_wait_nap(&patience, NAP_NS);
}

static void log_end(const mst_mpi_job *job, bool finalizes, bool failed)
{
    if (finalizes)
        mst_log_line(&job->log, MUSTER_LOG_INFO, "ends MPI, as all ranks do");
    else
        mst_log_line(&job->log, MUSTER_LOG_WARN, "ends without MPI_Finalize, as %s",
                     failed ? "its program has failed" : "another rank has failed, or is gone");
}

bool mst_mpi_end(mst_mpi_job *job, bool failed)
{
    bool finalizes = false;

    mst_leave_world();
    if (job->seat.size == 1)
        return true; /* nobody is waited for; and else MPI would leave its files */
    if (job->wire)
        mst_wire_leave(job->wire);
    if (await_all(job, failed))
        finalizes = job->wire || decide(job, MST_MPI_FINALIZES) == MST_MPI_FINALIZES;
    else if (!job->wire)
        decide(job, MST_MPI_GIVES_UP);
    if (job->wire && !finalizes)
        say_last_words(job->wire);
    if (job->wire)
        mst_wire_stop(job->wire);
    log_end(job, finalizes, failed);
    return finalizes;
}
