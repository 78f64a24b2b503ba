/* What `muster doctor` reports: a line for each thing that it has looked at. */
#ifndef MUSTER_DOCTOR_REPORT_H
#define MUSTER_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stdio.h>

typedef enum finding { FINDING_GOOD, FINDING_NOTE, FINDING_BAD } finding;

/* "ok    shared memory: 24 GiB in /dev/shm", and a remedy below it, unless it is good. */
void doctor_report(finding finding, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* From now on findings go there, in place of standard output. */
void doctor_report_to(FILE *file);

/* Whether something was bad. */
bool doctor_found_bad(void);

#endif
