/*
 * The log: tells the program what happens, if it asked for that; a level and a function per rank. Lines are
 * for people; nothing may depend on their text.
 */
#ifndef MST_LOG_H
#define MST_LOG_H

#include "muster/muster.h"

typedef struct mst_log {
    muster_log_level level;
    muster_log_fn fn;
    void *arg;
    int rank; /* of the world, for lines on stderr */
} mst_log;

/* To be checked before a line is formatted. */
static inline bool mst_log_wanted(const mst_log *log, muster_log_level level)
{
    return __builtin_expect(level <= log->level, false);
}

void mst_log_line(const mst_log *log, muster_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
