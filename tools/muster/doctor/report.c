/* What `muster doctor` prints of its findings, for doctor.h. */
#include "tools/muster/doctor/report.h"

#include <stdarg.h>
#include <stdio.h>

static bool bad_found;

void doctor_report(finding finding, const char *remedy, const char *format, ...)
{
    static const char *const marks[] = { "ok   ", "note ", "BAD  " };
    va_list args;

    bad_found |= finding == FINDING_BAD;
    printf("%s ", marks[finding]);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (remedy && finding != FINDING_GOOD)
        printf("        to improve it: %s\n", remedy);
}

bool doctor_found_bad(void)
{
    return bad_found;
}
