/* Which messages to oneself go, for oneself.h. */
#include "src/wire/oneself.h"

#include "src/wire/offers.h"

/* Whether a message to oneself goes at once, or somebody receives it: a receive that has been started, or the
 * one of the same call, unless that takes an earlier one, which makes room. */
static bool goes_to_oneself(const mst_wire_group *group, const mst_message *message)
{
    int self = group->base.rank, source = message->source, tag = message->receive_tag;

    if (mst_wire_has_room(group, self, message->out_bytes) ||
        mst_matching_expects(&group->matching, self, message->send_tag))
        return true;
    if (!message->receives || (source != self && source != MUSTER_ANY_SOURCE))
        return false;
    const mst_match_node *found = mst_matching_find(&group->matching, source, tag);
    const mst_wire_arrival *arrival = (const mst_wire_arrival *)found;
    if (!found)
        return tag == MUSTER_ANY_TAG || tag == message->send_tag;
    return found->source == self && !arrival->offered && message->out_bytes <= MST_WIRE_EAGER_BYTES &&
           group->spent[self] - mst_wire_credit_of(arrival->bytes) + mst_wire_credit_of(message->out_bytes) <=
               MST_WIRE_CREDIT_MAX;
}

muster_status mst_wire_check_to_oneself(const mst_wire_group *group, const mst_message *message)
{
    if (group->base.threads_multiple || goes_to_oneself(group, message))
        return MUSTER_OK;
    if (message->out_bytes > MST_WIRE_EAGER_BYTES)
        return mst_fail(
            MUSTER_ERR_INVALID,
            "%s: %zu bytes to oneself are more than the %u KiB that are buffered of a message; start "
            "a receive for it first, or use a sendrecv that receives it",
            message->name, message->out_bytes, MST_WIRE_EAGER_BYTES / 1024);
    return mst_fail(MUSTER_ERR_INVALID,
                    "%s: %zu bytes to oneself do not fit into what is still buffered; receive first%s",
                    message->name, message->out_bytes, message->receives ? "" : ", or use sendrecv");
}
