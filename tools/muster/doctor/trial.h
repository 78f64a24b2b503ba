/* The trial of `muster doctor`. */
#ifndef MUSTER_DOCTOR_TRIAL_H
#define MUSTER_DOCTOR_TRIAL_H

/* Has two ranks read each other's memory and reduce, and reports what came of it. */
void doctor_try(void);

#endif
