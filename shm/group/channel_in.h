/*
 * The receiver's end of a channel (channel.h).
 *
 * The receiver goes from entry to entry. It takes each one, or keeps it: a kept entry stays where it is until
 * it is released. Space is freed up to the first entry that is kept.
 */
#ifndef MST_CHANNEL_IN_H
#define MST_CHANNEL_IN_H

#include "shm/group/channel.h"

/* Whether the next entry has arrived, and what it is. */
mst_flow mst_channel_look(mst_channels *channels, int sender, mst_envelope *envelope);

/* Takes the next entry, which has arrived, and copies its bytes unless `to` is NULL. */
void mst_channel_take(mst_channels *channels, int sender, const mst_envelope *envelope, void *to);

/* Keeps the next entry, which has arrived. */
void mst_channel_keep(mst_channels *channels, int sender, const mst_envelope *envelope, mst_kept *kept);

/* Keeps the next entry as long as the one before it, which is kept. Returns where it is. */
const mst_entry *mst_channel_keep_with(mst_channels *channels, int sender, const mst_envelope *envelope);

/* Copies the bytes of a kept entry. */
void mst_channel_copy(const mst_channels *channels, int sender, const mst_entry *entry, mst_entry_kind kind,
                      void *to, size_t bytes);

/* Releases a kept entry. Returns a list, by `next`, of those that are no longer part of the channel. */
mst_kept *mst_channel_release(mst_channels *channels, int sender, mst_kept *kept);

/* The entry beside the ring. */
mst_flow mst_channel_look_express(mst_channels *channels, int sender, mst_envelope *envelope);
void mst_channel_take_express(mst_channels *channels, int sender, const mst_envelope *envelope, void *to);

/* Tells the sender that all entries have been looked at, some are kept, and another one is needed. */
void mst_channel_starve(mst_channels *channels, int sender);

/* Tells the sender that the next entry is awaited, if it has this tag; -1: any. The channel exists. */
void mst_channel_post(mst_channels *channels, int sender, int32_t tag);

/* Answers a message. `reserve`: how many answers must still have room after it. */
mst_flow mst_channel_answer(mst_channels *channels, int sender, mst_answer_kind kind, uint64_t message,
                            uint64_t offset, unsigned reserve);

/* The address of the `bytes` of a view in the sender's heap; NULL: they are not all there. */
const void *mst_channel_view(const mst_channels *channels, int sender, uint64_t offset, size_t bytes);

#endif
