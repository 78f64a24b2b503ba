/*
 * The output side of a turn of supervise.h: what is polled for it, and taking and writing what there is, of
 * each rank in turn. When all ranks have ended it goes on until their last words are out, for as long as
 * somebody reads them.
 */
#ifndef MST_PUMP_H
#define MST_PUMP_H

#include "src/launch/job.h"

/* Adds ranks' output that there is room for, and outlets that wait for their reader; returns the new count.
 */
nfds_t mst_pump_list(mst_job *job, nfds_t count);

/* Takes and writes what poll has found. */
void mst_pump(mst_job *job);

/* Shows parts of lines that have waited long enough; when to look again, 0: none waits. */
int64_t mst_pump_show_parts(mst_job *job);

/* After the last rank has ended. */
void mst_pump_drain(mst_job *job);

#endif
