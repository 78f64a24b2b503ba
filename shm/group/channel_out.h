/* The sender's end of a channel (channel.h). */
#ifndef MST_CHANNEL_OUT_H
#define MST_CHANNEL_OUT_H

#include "shm/group/channel.h"

/* Prefetches, for writing, the line in which a small message of this size will begin, and which the receiver
 * is polling: to be called as long before mst_channel_put as possible. */
void mst_channel_prefetch(const mst_channels *channels, int receiver, size_t bytes);

/* Appends an entry with `envelope->bytes` bytes, if there is space for all of them. */
mst_flow mst_channel_put(mst_channels *channels, int receiver, const mst_envelope *envelope,
                         const void *bytes);

/* Whether there is space for all that a message of `total` bytes sends by itself. */
mst_flow mst_channel_has_room(mst_channels *channels, int receiver, size_t total);

/* Whether the receiver has looked at all entries, left some, and needs more. */
bool mst_channel_is_starved(const mst_channels *channels, int receiver);

/* Announces a message, which takes the number of an entry. */
mst_flow mst_channel_announce(mst_channels *channels, int receiver, const mst_envelope *envelope);

/* Puts up to MST_EXPRESS_PART bytes, which the receiver has asked for, beside the ring. */
#define MST_EXPRESS_PART 8192
mst_flow mst_channel_put_express(mst_channels *channels, int receiver, const mst_envelope *envelope,
                                 const void *bytes);

/* Whether the receiver waits for the entry that is put next, if it has this tag. */
bool mst_channel_is_awaited(const mst_channels *channels, int receiver, int32_t tag);

/* The next answer. */
typedef struct mst_answer_copy {
    mst_answer_kind kind;
    uint64_t message;
    uint64_t offset;
} mst_answer_copy;

mst_flow mst_channel_read_answer(mst_channels *channels, int receiver, mst_answer_copy *answer);

/* The address of `bytes` bytes in the receiver's heap; NULL: they are not all there. */
void *mst_channel_buffer(const mst_channels *channels, int receiver, uint64_t offset, size_t bytes);

#endif
