/*
 * Telling the peers of a crash before the core file is written (muster_report_crashes). Handlers are a
 * process's, so this file keeps which ranks of the process asked for it; it is the second of three with
 * such state (docs/decisions/0010-deaths.md).
 */
#ifndef MST_CRASH_H
#define MST_CRASH_H

#include "shm/arena/attachment.h"

/* From here on, until the attachment's end. */
muster_status mst_crash_report(mst_attachment *attachment);

#endif
