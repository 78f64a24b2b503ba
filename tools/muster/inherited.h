/*
 * What a launcher must not take from its parent as it is: closed standard descriptors, signals that are
 * blocked or ignored, a low limit of descriptors. And what its ranks get back of it, so that they start as
 * they would without it.
 */
#ifndef MUSTER_INHERITED_H
#define MUSTER_INHERITED_H

#include <stdbool.h>

/* Before anything is opened: where 0, 1 or 2 is closed, /dev/null stands in. Writing to it is an error. */
void inherited_open_standard(void);

/* Signals can come, the ends of children are told, a reader that goes is no signal, and as many descriptors
 * can be had as the hard limit allows. */
void inherited_change(void);

/* In a rank, and before ending by a signal of our own. */
void inherited_restore(void);

/* Whether our parent wants EPIPE, not the signal. */
bool inherited_ignores_pipe(void);

#endif
