/* Ranks that mix a blocking collective and a started one: they wait for each other, and would for ever. Both
 * sides look, at their ticks, so that whoever looks first tells it, before any cycle is told. */
#ifndef MST_MIXED_H
#define MST_MIXED_H

#include "src/onehost/wait/pending.h"

/* For a blocking call (mst_call): breaks the group if a rank that has not arrived has started an operation
 * that this rank has not. That rank then comes to this call, if ever, in another order. */
void mst_call_look_for_started(const void *call);

/* For a wait for a started collective: breaks the group if a rank that has not started it is in a blocking
 * call that this rank has not come to. */
void mst_started_look_for_calls(const mst_pending *pending);

#endif
