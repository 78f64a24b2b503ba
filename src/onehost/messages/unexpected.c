/* Records of kept messages, for unexpected.h. */
#include "src/onehost/messages/unexpected.h"

#include <stdlib.h>

#include "shm/group/channel_in.h"
#include "src/onehost/wait/broken.h"

static mst_incoming *incoming_of(mst_group *group)
{
    return &group->traffic.incoming;
}

mst_unexpected *mst_unexpected_of(mst_match_node *node)
{
    return (mst_unexpected *)(void *)((char *)node - offsetof(mst_unexpected, node));
}

static void put_back(mst_incoming *incoming, mst_unexpected *record)
{
    record->kept.next = (mst_kept *)incoming->spare;
    incoming->spare = record;
}

static mst_unexpected *get_record(mst_incoming *incoming)
{
    mst_unexpected *record = incoming->spare;

    if (!record) {
        record = malloc(sizeof *record);
        if (record) {
            record->made_next = incoming->made;
            incoming->made = record;
        }
        return record;
    }
    incoming->spare = (mst_unexpected *)record->kept.next;
    return record;
}

static bool is_announced(const mst_envelope *envelope)
{
    return envelope->kind == MST_ENTRY_ANNOUNCED || envelope->kind == MST_ENTRY_ANNOUNCED_VIEW;
}

muster_status mst_unexpected_keep(mst_group *group, int source, const mst_envelope *envelope)
{
    mst_unexpected *record = get_record(incoming_of(group));

    if (!record)
        return mst_group_poison(group, MST_POISON_ABORT,
                                "rank %d has no memory to remember the messages that it has not received",
                                group->base.rank);
    *record = (mst_unexpected){ .made_next = record->made_next,
                                .envelope = *envelope,
                                .node = { .source = source, .tag = envelope->tag } };
    if (is_announced(envelope))
        mst_channel_take(&group->channels, source, envelope, NULL);
    else
        mst_channel_keep(&group->channels, source, envelope, &record->kept);
    mst_matching_keep(&incoming_of(group)->matching, &record->node);
    return MUSTER_OK;
}

bool mst_unexpected_keep_further(mst_group *group, int source, const mst_envelope *envelope)
{
    mst_unexpected *record = (mst_unexpected *)group->channels.incoming[source].kept_last;

    if (!record || record->kept.over || record->envelope.kind != MST_ENTRY_FIRST ||
        record->envelope.number != envelope->message || envelope->kind != MST_ENTRY_PART)
        return false;
    size_t kept = record->further_bytes, number = kept / MST_PART_BYTES;
    uint64_t done = record->envelope.bytes + kept;

    if (number == MST_FURTHER_MAX || kept % MST_PART_BYTES || envelope->bytes > MST_PART_BYTES ||
        envelope->offset != done || envelope->bytes > record->envelope.total - done)
        return false;
    record->further_bytes += envelope->bytes;
    record->further[number] = mst_channel_keep_with(&group->channels, source, envelope);
    return true;
}

void mst_unexpected_release(mst_group *group, int source, mst_unexpected *record)
{
    mst_incoming *incoming = incoming_of(group);

    if (is_announced(&record->envelope)) {
        put_back(incoming, record);
        return;
    }
    for (mst_kept *next, *at = mst_channel_release(&group->channels, source, &record->kept); at; at = next) {
        next = at->next;
        put_back(incoming, (mst_unexpected *)at);
    }
}
