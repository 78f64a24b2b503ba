/*
 * The output side of a turn of supervise.h: what is polled for it, and taking and writing what there is, of
 * each rank in turn. When all ranks have ended it goes on until their last words are out, for as long as
 * somebody reads them.
 */
#ifndef MST_PUMP_H
#define MST_PUMP_H

#include <poll.h>

#include "src/launch/supervise.h"

/* Adds ranks' output that there is room for, and outlets that wait for their reader; returns the new count.
 */
nfds_t mst_pump_list(mst_supervision *all, nfds_t count);

/* Takes and writes what poll has found. */
void mst_pump(mst_supervision *all);

/* Shows parts of lines that have waited long enough; when to look again, 0: none waits. */
int64_t mst_pump_show_parts(mst_supervision *all);

/* After the last rank has ended. */
void mst_pump_drain(mst_supervision *all);

#endif
