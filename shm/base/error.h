/*
 * The sentence that explains a status. The function that knows why something failed records it; its callers
 * only pass the status on. One sentence per thread, read by muster_error_detail().
 */
#ifndef MST_ERROR_H
#define MST_ERROR_H

#include "muster/muster.h"

/* Records the sentence and returns `status`, so that a failure is one line: return mst_fail(...). */
muster_status mst_fail(muster_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* MUSTER_ERR_SYSTEM with "<what>: <why>"; `error` is an errno value, of either sign. */
muster_status mst_fail_system(int error, const char *what);

const char *mst_error_sentence(void);

#endif
