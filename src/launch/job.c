/* Functions on a job as a whole, for job.h. */
#include "src/launch/job.h"

#define GRACE_NS (2 * MST_NS_PER_S)

int64_t mst_job_grace_ns(const mst_job *job)
{
    return job->config->grace_ns > 0 ? job->config->grace_ns : GRACE_NS;
}

void mst_job_signal(const mst_job *job, int signal)
{
    for (int i = 0; i < job->count; i++)
        mst_rank_signal(&job->processes[i], signal);
}
