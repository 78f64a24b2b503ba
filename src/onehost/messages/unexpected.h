/*
 * Messages that no receive has matched when they came: their bytes stay in the channel, and what is known of
 * them is in private records (transfer.h).
 */
#ifndef MST_UNEXPECTED_H
#define MST_UNEXPECTED_H

#include "src/onehost/group/group.h"

mst_unexpected *mst_unexpected_of(mst_match_node *node);

/* Keeps the channel's next entry, a message, which the envelope describes; poisons if there is no memory. */
muster_status mst_unexpected_keep(mst_group *group, int source, const mst_envelope *envelope);

/* Keeps the next entry with the message before it, of which it is a part; false: it is not. */
bool mst_unexpected_keep_further(mst_group *group, int source, const mst_envelope *envelope);

/* The record's message has been taken. */
void mst_unexpected_release(mst_group *group, int source, mst_unexpected *record);

#endif
