/* Sleeps in a wait for collectives over several hosts, for awaiting.h: how long, and who looks meanwhile. */
#include "src/hosts/awaiting.h"

#include "src/hosts/broken.h"
#include "src/hosts/pending.h"
#include "src/hosts/showing.h"

/* How many of the requests from there on are of the same run, or not of one. */
static size_t count_of_run(const mst_awaiting *awaiting, size_t from)
{
    size_t end = from + 1;

    while (end < awaiting->count && awaiting->origins[end].run == awaiting->origins[from].run)
        end++;
    return end - from;
}

/* In the groups of the runs; of a wait for all, only in that of the first: the next ones have time. */
static void watch_runs(mst_awaiting *awaiting, bool begins)
{
    int64_t limit_ns = awaiting->set->timeout_ns;
    size_t count;

    for (size_t k = 0; k < awaiting->count; k += count) {
        const mst_run *run = awaiting->origins[k].run;
        char doing[160];

        count = count_of_run(awaiting, k);
        if (!run)
            continue;
        if (!begins) {
            mst_hosts_watch_end(run->group, MUSTER_CALL_COLLECTIVE);
        } else {
            mst_run_describe(run, doing, sizeof doing);
            mst_hosts_lock(&run->group->lock);
            mst_hosts_show_run(run);
            mst_hosts_unlock(&run->group->lock);
            mst_hosts_watch_begin(run->group,
                                  &(mst_hosts_watching){ .class = MUSTER_CALL_COLLECTIVE,
                                                         .of = limit_ns ? UINT64_MAX : run->operation,
                                                         .limit_ns = limit_ns ? limit_ns : run->limit_ns,
                                                         .doing = doing,
                                                         .peers = awaiting->peers + k },
                                  awaiting->requests + k, count);
        }
        if (awaiting->set->all && !limit_ns)
            break;
    }
}

/* Of operations on this host, in place of those that they began with: a wait that waits for neighbours alone
 * finds out who is missing at its limit; others are ended by what watches them. */
static int64_t local_limit_ns(const mst_awaiting *awaiting)
{
    int64_t limit_ns = awaiting->set->timeout_ns;
    mst_run *run = awaiting->origins[0].run;
    bool alone = run && count_of_run(awaiting, 0) == awaiting->count && !mst_hosts_is_fenced(run);

    for (size_t k = 0; k < awaiting->count && alone; k++)
        alone = awaiting->peers[k] < 0;
    if (!limit_ns)
        return 0;
    return alone ? mst_hosts_watch_left_ns(run->group, MUSTER_CALL_COLLECTIVE)
                 : limit_ns + 2 * mst_hosts_grace_ns(limit_ns);
}

muster_status mst_awaiting_sleep(mst_awaiting *awaiting, mst_run *run)
{
    mst_link *link = run->group->link;

    watch_runs(awaiting, true);
    muster_status status =
        link->methods->wait(link, awaiting->requests, awaiting->count, false, local_limit_ns(awaiting));
    watch_runs(awaiting, false);
    return status;
}
