/* One report of what all ranks have found, for hosts.c. */
#ifndef MUSTER_DOCTOR_MERGED_H
#define MUSTER_DOCTOR_MERGED_H

#include <stdbool.h>
#include <stddef.h>

#include "src/mpi/view.h"

/* Prints rank 0's report, then of others what it has not; the texts lie one after the other, with zeros
 * between them. False: no memory. */
bool doctor_print_all(const mst_mpi_view *view, int size, char *text, const size_t *bytes);

#endif
