/*
 * Limits of what a member has sent to another, and that one has not received. A small message goes at once
 * if the sender has credit for it; any other is offered, and goes when the receiver accepts it. Offers that
 * are not accepted yet have a limit, too: beyond it messages wait at their sender, in order. A receiver that
 * waits for a message which is not among the offers asks for more of them: so there is no limit while a
 * receive waits that none of them matches, and what was asked for stays. With the wire's lock.
 */
#ifndef MST_WIRE_OFFERS_H
#define MST_WIRE_OFFERS_H

#include "src/wire/inside.h"

/* Whether a message of so many bytes goes at once to that member, beside what is there. */
bool mst_wire_has_room(const mst_wire_group *group, int to, size_t bytes);

/* Whether it may be sent or offered. */
bool mst_wire_may_go(const mst_wire_group *group, int to, size_t bytes);

/* Sends or offers what waits for that, as far as it may. */
void mst_wire_send_waiting(mst_wire_group *group, int to);

/* Something waits for a message of that member, or of any, and none of those that are here is it. */
void mst_wire_want(mst_wire_group *group, int source);

/* A receive begins to wait so (1), or no longer does (-1). */
void mst_wire_count_wanted(mst_wire_group *group, int source, int change);

/* One more has been offered by that member; false: it must not. And: it has been accepted. */
bool mst_wire_be_offered(mst_wire_group *group, int source);
void mst_wire_have_accepted(mst_wire_group *group, int source);

/* What it has offered is kept: asks for more if no more may come, and a receive waits. */
void mst_wire_have_kept(mst_wire_group *group, int source);

#endif
