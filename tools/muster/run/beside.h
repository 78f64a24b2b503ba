/* Finds what is installed with this command, or built with it. */
#ifndef MUSTER_RUN_BESIDE_H
#define MUSTER_RUN_BESIDE_H

#include <limits.h>
#include <stdbool.h>

#define BESIDE_BYTES (2 * PATH_MAX)

/* Where a file is: at one of two places, relative to the folder of this command. */
bool find_beside(const char *const places[2], char path[BESIDE_BYTES]);

#endif
