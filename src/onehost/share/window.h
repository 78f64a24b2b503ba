/*
 * Shares, as this backend holds them: what MPI calls a window.
 *
 * A window is a group of its own, of the members of the group that it was created on, in which each has a
 * block of its heap in place of staging. So it outlives that group, and a rank that frees it leaves it. As
 * all memory of a group (docs/MEMORY_MODEL.md), a block is reused only when every other member has left the
 * window or can write no more. The block of a dead member stays as long as a living member is in the window,
 * by the reference map.
 *
 * A block has the user's bytes, from the beginning of a page, and behind them, in pages of its own, the
 * signals that have been raised at its member: a count for each raiser and number, which only the raiser
 * advances. How many of them a rank has already waited for, it counts in private memory.
 */
#ifndef MST_WINDOW_H
#define MST_WINDOW_H

#include "src/backend.h"

extern const mst_share_methods mst_window_methods;

#endif
