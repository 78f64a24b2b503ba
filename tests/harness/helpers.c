/* Starts, runs and stops the helpers of helpers.h. */
#include "tests/harness/helpers.h"

#include "src/onehost/group/group.h"

static int help_until_stopped(worker *self)
{
    const helpers *helpers = self->shared;

    while (!helpers->stopping)
        RANK_OK(self->group, muster_help(self->group, self->index));
    return 0;
}

int helpers_start(helpers *helpers, muster_group *group, int threads, size_t job_bytes, size_t part_bytes)
{
    helpers->group = group;
    helpers->threads = threads;
    helpers->stopping = 0;
    RANK_CHECK(group, threads >= 1 && threads <= HELPERS_MAX);
    RANK_OK(group, muster_group_set_threads(group, threads));
    mst_team *team = mst_group_of(group)->team;
    if (job_bytes && team) {
        team->job_bytes_min = job_bytes;
        team->part_bytes_min = part_bytes;
    }
    for (int i = 1; i < threads; i++) {
        helpers->workers[i] =
            (worker){ .group = group, .shared = helpers, .index = i, .work = help_until_stopped };
        RANK_CHECK(group, worker_start(&helpers->workers[i]));
    }
    return 0;
}

int helpers_stop(helpers *helpers)
{
    int code = 0;

    helpers->stopping = 1;
    RANK_OK(helpers->group, muster_barrier(helpers->group));
    for (int i = 1; i < helpers->threads; i++)
        code |= worker_join(&helpers->workers[i]);
    RANK_OK(helpers->group, muster_group_set_threads(helpers->group, 1));
    return code;
}
