/* Passes messages to the carrier, for messages.h. */
#include "src/hosts/messages.h"

#include "src/hosts/broken.h"
#include "src/hosts/pending.h"
#include "src/hosts/rest.h"
#include "src/hosts/showing.h"

/* What has broken the group, also where its carrier does not know. */
static muster_status ready(mst_hosts_group *group)
{
    mst_hosts_advance_others(group);
    return group->link ? mst_hosts_ready(group) : MUSTER_OK;
}

muster_status mst_hosts_message(muster_group *of, const mst_message *message)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_group *carrier = mst_hosts_carrier(group);

    mst_hosts_showing sends, receives;

    muster_status status = ready(group);
    if (status != MUSTER_OK)
        return status;
    if (message->sends)
        mst_hosts_show_begin(&sends, group, MST_SHOWN_MESSAGE, MUSTER_CALL_SEND, message);
    if (message->receives)
        mst_hosts_show_begin(&receives, group, MST_SHOWN_MESSAGE, MUSTER_CALL_RECEIVE, message);
    status = mst_hosts_message_failed(group, carrier->backend->message(carrier, message));
    mst_hosts_leave_rest(group);
    if (message->receives)
        mst_hosts_show_end(&receives, status == MUSTER_OK);
    if (message->sends)
        mst_hosts_show_end(&sends, status == MUSTER_OK);
    return status;
}

muster_status mst_hosts_start_message(muster_group *of, muster_call_class call_class,
                                      const mst_message *message, uint64_t *number)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_group *carrier = mst_hosts_carrier(group);

    muster_status status = ready(group);
    if (status != MUSTER_OK)
        return status;
    status = carrier->backend->start_message(carrier, call_class, message, number);
    if (status == MUSTER_OK)
        mst_count_started(carrier, call_class, 1);
    mst_hosts_leave_rest(group);
    return mst_hosts_message_failed(group, status);
}

muster_status mst_hosts_cancel(muster_group *of, uint64_t number, bool *over)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_group *carrier = mst_hosts_carrier(group);

    *over = false;
    muster_status status = mst_hosts_admit(group);
    if (status != MUSTER_OK)
        return status;
    if (group->link && mst_started_class(number) == MUSTER_CALL_COLLECTIVE) {
        const muster_request asked = { of, number };

        return mst_hosts_find(&asked) ? MUSTER_OK : mst_hosts_refuse_unknown();
    }
    status = carrier->backend->cancel(carrier, number, over);
    if (*over)
        mst_count_started(carrier, mst_started_class(number), -1);
    return mst_hosts_message_failed(group, status);
}

muster_status mst_hosts_probe(muster_group *of, int source, int tag, bool waits, bool *found,
                              muster_message *result)
{
    mst_hosts_group *group = mst_hosts_of(of);
    muster_group *carrier = mst_hosts_carrier(group);

    const mst_message asked = { .receives = true, .source = source, .receive_tag = tag };
    mst_hosts_showing showing;

    muster_status status = ready(group);
    if (status != MUSTER_OK)
        return status;
    if (waits)
        mst_hosts_show_begin(&showing, group, MST_SHOWN_PROBE, MUSTER_CALL_RECEIVE, &asked);
    status =
        mst_hosts_message_failed(group, carrier->backend->probe(carrier, source, tag, waits, found, result));
    if (waits)
        mst_hosts_show_end(&showing, false);
    return status;
}
