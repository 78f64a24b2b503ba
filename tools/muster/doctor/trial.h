/* Whether ranks work together here, for doctor.c and hosts.c. */
#ifndef MUSTER_DOCTOR_TRIAL_H
#define MUSTER_DOCTOR_TRIAL_H

#include "muster/muster.h"

enum { DOCTOR_TRIES = 100 }; /* of a batch */

/* Tries what muster needs of the machine, with two ranks. */
void doctor_try(void);

/* Times batches of sums of one number, until there are enough, or the time is over for one of the ranks; what
 * one takes in the fastest. Returns how many; 0: one has failed. */
int doctor_time_batches(muster_group *world, double *best_us);

#endif
