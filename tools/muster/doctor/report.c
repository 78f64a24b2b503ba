/* What `muster doctor` prints of its findings, for doctor.h. */
#include "tools/muster/doctor/report.h"

#include <stdarg.h>

static bool bad_found;
static FILE *other; /* NULL: standard output */

void doctor_report_to(FILE *file)
{
    other = file;
}

void doctor_report(finding finding, const char *remedy, const char *format, ...)
{
    static const char *const marks[] = { "ok   ", "note ", "BAD  " };
    FILE *to = other ? other : stdout;
    va_list args;

    bad_found |= finding == FINDING_BAD;
    fprintf(to, "%s ", marks[finding]);
    va_start(args, format);
    vfprintf(to, format, args);
    va_end(args);
    fprintf(to, "\n");
    if (remedy && finding != FINDING_GOOD)
        fprintf(to, "        to improve it: %s\n", remedy);
}

bool doctor_found_bad(void)
{
    return bad_found;
}
