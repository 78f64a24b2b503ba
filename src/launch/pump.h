/*
 * The output part of a turn of supervise.h: which descriptors to poll, and reading and writing a bounded
 * amount for each rank. When all ranks have ended, it continues until their last output is written, as long
 * as somebody reads it.
 */
#ifndef MST_PUMP_H
#define MST_PUMP_H

#include "src/launch/job.h"

/* Adds to job->polled the relays whose outlet has space and the outlets that wait for their reader; returns
 * the new count. */
nfds_t mst_pump_list(mst_job *job, nfds_t count);

/* Reads and writes what poll has reported. */
void mst_pump(mst_job *job);

/* Shows parts of lines that have waited long enough; returns when to look again, 0: none waits. */
int64_t mst_pump_show_parts(mst_job *job);

/* Drains all output after the last rank has ended. */
void mst_pump_drain(mst_job *job);

#endif
