/* The parts of `muster doctor`: how it reports what it finds, and its trial. */
#ifndef MUSTER_CLI_DOCTOR_H
#define MUSTER_CLI_DOCTOR_H

#include <stdbool.h>

typedef enum finding { FINDING_GOOD, FINDING_NOTE, FINDING_BAD } finding;

/* "ok    shared memory: 24 GiB in /dev/shm", and a remedy below it, unless it is good. */
void doctor_report(finding finding, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether something was bad. */
bool doctor_found_bad(void);

/* Looks at what the arena is made of, and at what limits it. */
void doctor_look_at_memory(void);

/* Has two ranks read each other's memory and reduce, and reports what came of it. */
void doctor_try(void);

#endif
