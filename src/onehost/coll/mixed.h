/* Ranks that mix a blocking collective and a started one: they wait for each other, and would for ever. */
#ifndef MST_MIXED_H
#define MST_MIXED_H

/* For the ticks of a blocking call (mst_call): breaks the group if a rank that has not arrived has started an
 * operation that this rank has not. That rank then comes to this call, if ever, in another order. */
void mst_call_look_for_started(const void *call);

#endif
