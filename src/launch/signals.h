/*
 * Signals that the program has caught and passes to its job through the descriptor signal_fd of its config:
 * each goes to all ranks; one that asks to end starts the grace period, after which ranks are killed.
 */
#ifndef MST_SIGNALS_H
#define MST_SIGNALS_H

#include "src/launch/job.h"

/* Passes on the signals that have arrived. */
void mst_signals_pass_on(mst_job *job);

#endif
