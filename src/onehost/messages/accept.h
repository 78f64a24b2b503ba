/* Gives a message to the receive that matches it: takes its bytes, answers its sender, and ends the receive.
 */
#ifndef MST_ACCEPT_H
#define MST_ACCEPT_H

#include "src/onehost/group/group.h"

/* Begins to take a message. `record`: it was kept; NULL: it is the channel's next. Poisons if the message
 * does not fit the receive. */
muster_status mst_accept(mst_group *group, mst_transfer *receive, int source, const mst_envelope *envelope,
                         mst_unexpected *record);

/* Takes an entry that belongs to a message which came earlier. `express`: it is the next express entry, not
 * the channel's next. */
muster_status mst_accept_further(mst_group *group, int source, const mst_envelope *envelope, bool express);

/* Gives the source the answers for which there was no room before. *moved: some have been given. */
muster_status mst_accept_pay(mst_group *group, int source, bool *moved);

/* Poisons: what the channel of that peer holds is no message. */
muster_status mst_incoming_damaged(mst_group *group, int peer);

#endif
