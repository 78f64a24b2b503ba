/* Moves receives: goes through channels, matches messages with receives, and takes or keeps them. */
#ifndef MST_INCOMING_H
#define MST_INCOMING_H

#include "src/onehost/group/group.h"

/* Posts a receive; or, if a message that it matches is kept, begins to take that. */
muster_status mst_incoming_add(mst_group *group, mst_transfer *receive);

/* Takes a receive back that no message has matched. */
void mst_incoming_remove(mst_group *group, mst_transfer *receive);

/* Moves what can be moved now, of all receives. *moved: something was. Poisons if a message does not fit its
 * receive, or the arena is damaged. */
muster_status mst_incoming_move(mst_group *group, bool *moved);

/* Looks for a message of this source and tag, either of which may be any, and says what it is, without taking
 * it; NULL: there is none yet. */
muster_status mst_incoming_probe(mst_group *group, int source, int tag, const mst_unexpected **found);

/* Wakes the other threads of this rank, and withdraws the wait that it has published: what has been moved may
 * be what another rank waits for. */
void mst_messages_moved(mst_group *group);

/* Tells the sender of a large message that we wait for it, and for no other: once. The other: of a receive
 * that is no transfer yet, as no other is there. */
void mst_incoming_hint(mst_group *group, mst_transfer *receive);
void mst_incoming_hint_next(mst_group *group, const mst_message *message);

#endif
