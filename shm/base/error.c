/* The sentence of error.h, one per thread: a fixed buffer, so that failing allocates nothing. */
#include "shm/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char sentence[512];

muster_status mst_fail(muster_status status, const char *format, ...)
{
    char text[sizeof sentence];
    va_list args;

    /* Formats into a copy: an argument may be the previous sentence. */
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(sentence, text, sizeof sentence);
    return status;
}

muster_status mst_fail_system(int error, const char *what)
{
    return mst_fail(MUSTER_ERR_SYSTEM, "%s: %s%s", what, strerror(abs(error)),
                    abs(error) == EMFILE ? "; raise ulimit -n" : "");
}

const char *mst_error_sentence(void)
{
    return sentence;
}
