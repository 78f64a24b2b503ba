/* Whether ranks work together here, for doctor.c and hosts.c. */
#ifndef MUSTER_DOCTOR_TRIAL_H
#define MUSTER_DOCTOR_TRIAL_H

#include <stdint.h>

#include "muster/muster.h"

enum { DOCTOR_TRIES = 100 }; /* of a batch */

/* Tries what muster needs of the machine, with two ranks. */
void doctor_try(void);

/* Times batches of sums of one number, until there are enough, or the time is over for one of the ranks; what
 * one takes in the fastest. Returns how many; 0: one has failed, *why says how. */
int doctor_time_batches(muster_group *world, double *best_us, const char **why);

/* A process and an address in it, by which others try to read its memory: that of a word of this one. */
typedef struct doctor_place {
    int64_t pid, address;
} doctor_place;
doctor_place doctor_show_word(void);
int doctor_read_word(const doctor_place *there); /* the errno; 0: it was read */
void doctor_report_reading(int error);

#endif
