/*
 * `muster doctor` where an MPI's launcher has started it several times: one report of all ranks, which rank 0
 * prints. It is that of its own host, then what others have found that it has not.
 */
#ifndef MUSTER_DOCTOR_HOSTS_H
#define MUSTER_DOCTOR_HOSTS_H

#include <stdbool.h>

/* Whether an MPI's launcher has started this process. */
bool doctor_is_rank(void);

/* Attaches, looks by `look_here`, of whose findings those about the machine are made where `machine` is true,
 * once for each host, and reports all. Returns the exit status, the same on all ranks. */
int doctor_of_ranks(void (*look_here)(bool machine));

#endif
