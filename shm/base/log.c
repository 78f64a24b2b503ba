/* Formats and writes the lines of log.h. */
#include "shm/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* In one write, so that lines of several ranks do not mix. */
static void write_to_stderr(const mst_log *log, muster_log_level level, const char *line)
{
    static const char *const names[] = { "off", "warn", "info", "debug" };
    char text[600];
    int bytes = snprintf(text, sizeof text, "muster: rank %d: %s: %s\n", log->rank, names[level], line);

    if (bytes > 0 && write(STDERR_FILENO, text, (size_t)bytes) < 0)
        return; /* where could that be reported */
}

void mst_log_line(const mst_log *log, muster_log_level level, const char *format, ...)
{
    char line[520];
    va_list args;

    if (!mst_log_wanted(log, level))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (log->fn)
        log->fn(level, line, log->arg);
    else
        write_to_stderr(log, level, line);
}
