/* Sends frames. With the wire's lock. */
#ifndef MST_WIRE_POST_H
#define MST_WIRE_POST_H

#include "src/wire/inside.h"

/* Whether this thread may send and take frames. Once the wire has been stopped nobody may: what moves frames
 * may have ended. */
bool mst_wire_may_move(const mst_wire *wire);

/* Sends a copy to a process, or leaves it to the next thread that may. What fails is noted: the wire takes
 * nothing any more, and its groups are broken, which it tells those members that it can still reach. A
 * process that has left sends to members no more. */
void mst_wire_post(mst_wire *wire, int to, const mst_wire_head *head, const void *data, size_t bytes);

/* The same to a member, as the frame of a member; and to all others. */
void mst_wire_post_to(mst_wire_group *group, int rank, mst_wire_head head, const void *data, size_t bytes);
void mst_wire_post_all(mst_wire_group *group, mst_wire_kind kind, const void *data, size_t bytes);

/* That process has sent what nobody can understand: the wire has failed. */
void mst_wire_be_damaged(mst_wire *wire, int from);

/* Sends what has been left, and forgets frames that have been sent. */
void mst_wire_reap(mst_wire *wire);
bool mst_wire_is_all_sent(const mst_wire *wire);

/* Takes the next frame that has come; false: there is none. */
bool mst_wire_take(mst_wire *wire, int *from, const void **bytes, size_t *count);

#endif
