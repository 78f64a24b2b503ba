/* For await_carried.h: the wait is the carriers'. */
#include "src/hosts/await_carried.h"

#include <stdlib.h>

#include "src/hosts/broken.h"
#include "src/hosts/pending.h"
#include "src/hosts/poll.h"
#include "src/hosts/showing.h"

static mst_hosts_group *group_of(const muster_request *request)
{
    return mst_hosts_of(request->group);
}

/* The group that a carrier's error is of. */
static mst_hosts_group *find_failed(const mst_wait_set *set, const muster_request *carried)
{
    mst_hosts_group *found = NULL;

    for (size_t i = 0; i < set->count; i++) {
        if (!set->requests[i].group)
            continue;
        if (mst_hosts_carrier(group_of(&set->requests[i]))->number == mst_error_parts()->group)
            return group_of(&set->requests[i]);
        if (!carried[i].group && !found)
            found = group_of(&set->requests[i]);
    }
    return found;
}

/* Of those whose wait the carrier does not show. */
static const muster_request *find_first(const mst_wait_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && group_of(&set->requests[i])->link)
            return &set->requests[i];
    return NULL;
}

muster_status mst_hosts_wait_carried(mst_wait_set *set, size_t *index)
{
    muster_request *carried = calloc(set->count ? set->count : 1, sizeof *carried);

    if (!carried)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a wait");
    for (size_t i = 0; i < set->count; i++)
        carried[i] = mst_hosts_carried(&set->requests[i]);
    mst_hosts_showing showing;
    const muster_request *first = find_first(set);
    if (first)
        mst_hosts_show_begin(&showing, group_of(first), MST_SHOWN_MESSAGES, mst_started_class(first->number),
                             NULL);
    muster_status status = mst_poll(carried, set->count, set->all, set->timeout_ns, index);
    if (first)
        mst_hosts_show_end(&showing, false);
    mst_hosts_group *failed = status == MUSTER_OK ? NULL : find_failed(set, carried);
    if (failed)
        status = mst_hosts_message_failed(failed, status);
    for (size_t i = 0; i < set->count; i++)
        if (set->requests[i].group && !carried[i].group)
            mst_request_over(&set->requests[i]);
    free(carried);
    return status;
}
