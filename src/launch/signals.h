/*
 * Signals that the program has caught, and hands on to its job through the descriptor signal_fd of its
 * config: each goes to all ranks; one that asks to end starts the grace after which nothing is asked.
 */
#ifndef MST_SIGNALS_H
#define MST_SIGNALS_H

#include "src/launch/job.h"

/* Passes on those that have come. */
void mst_signals_pass_on(mst_job *job);

#endif
