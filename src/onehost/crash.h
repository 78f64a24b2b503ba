/*
 * Tells the peers of a crash before the core file is written (muster_report_crashes). Signal handlers belong
 * to the process, so this file keeps which ranks of the process asked for it: process-wide state
 * (docs/decisions/0010-deaths.md).
 */
#ifndef MST_CRASH_H
#define MST_CRASH_H

#include "shm/arena/attachment.h"

/* Reports crashes of this rank until its attachment ends. */
muster_status mst_crash_report(mst_attachment *attachment);

#endif
