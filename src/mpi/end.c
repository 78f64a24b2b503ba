/* Leaves, waits and decides, as described in end.h. */
#include "src/mpi/end.h"

#include "shm/base/atomic.h"
#include "shm/base/deadline.h"
#include "shm/wait/wait.h"

#define PATIENCE_NS MST_NS_PER_S
#define NAP_NS MST_NS_PER_MS
#define NAPS_PER_LOOK 20 /* at the processes, which takes the CPU from a rank that is waited for */

/* The decision, which is `wanted` if there was none. */
static uint32_t decide(mst_mpi_job *job, uint32_t wanted)
{
    if (!job->decision)
        return wanted;
    uint32_t before = mst_cmpxchg32_sc(job->decision, MST_MPI_UNDECIDED, wanted); /* E38 */
    return before == MST_MPI_UNDECIDED ? wanted : before;
}

static bool has_given_up(const mst_mpi_job *job)
{
    return job->decision && mst_load32_rlx(job->decision) == MST_MPI_GIVES_UP; /* E38 */
}

/* False: it is given up. A decision to go on is waited for without a limit: all have come to the barrier. */
static bool await_all(mst_mpi_job *job, bool failed)
{
    mst_deadline patience = { .limit_ns = PATIENCE_NS };
    bool hurried = failed, over = false;
    char why[MST_PLUGIN_WHY_BYTES];
    mst_mpi_watches watches;

    if (job->abandoned || !job->plugin->barrier(why))
        return false;
    mst_mpi_watches_open(&watches, job);
    for (int nap = 1; !over && !has_given_up(job); nap++) {
        if (!job->plugin->test(&over, why) || over)
            break;
        mst_wait_nap(&patience, NAP_NS);
        if (!hurried && nap % NAPS_PER_LOOK == 0 && mst_mpi_watches_see_one_gone(&watches)) {
            hurried = true;
            mst_deadline_begin(&patience);
        }
        if (hurried && mst_deadline_passed(&patience) && decide(job, MST_MPI_GIVES_UP) == MST_MPI_GIVES_UP)
            break;
    }
    mst_mpi_watches_close(&watches);
    return over;
}

bool mst_mpi_end(mst_mpi_job *job, bool failed)
{
    mst_leave_world();
    if (await_all(job, failed))
        return decide(job, MST_MPI_FINALIZES) == MST_MPI_FINALIZES;
    decide(job, MST_MPI_GIVES_UP);
    return false;
}
