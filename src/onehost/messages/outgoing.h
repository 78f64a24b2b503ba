/* Moves sends: from the queue of their destination into its channel, and further as the receiver answers. */
#ifndef MST_OUTGOING_H
#define MST_OUTGOING_H

#include "src/onehost/group/group.h"

/* Where a receiver can read a message without a copy in between, in the arena or in our own memory; 0:
 * nowhere. */
uint64_t mst_outgoing_place(const mst_group *group, int peer, const void *bytes, size_t total);

/* Queues a send, whose channel is open. */
void mst_outgoing_add(mst_group *group, mst_transfer *transfer);

/* Moves what can be moved now, of all sends. *moved: something was. Poisons if the arena is damaged. */
muster_status mst_outgoing_move(mst_group *group, bool *moved);

#endif
