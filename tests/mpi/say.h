/* What the ranks of tests/mpi say, and what they check: each is a program that an MPI's launcher starts. */
#ifndef TESTS_MPI_SAY_H
#define TESTS_MPI_SAY_H

#include <stdio.h>
#include <unistd.h>

#include "muster/muster.h"

static const char *name; /* of the case */
static muster_group *world;
static int rank, size;

/* A line at once: several processes write to one pipe. */
#define SAY(...)                                                                                             \
    do {                                                                                                     \
        char line[700];                                                                                      \
        int length = snprintf(line, sizeof line, __VA_ARGS__);                                               \
        if (write(1, line, (size_t)length) < 0)                                                              \
            _exit(99);                                                                                       \
    } while (0)

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            SAY("%s: rank %d: line %d: not %s: %s\n", name, rank, __LINE__, #condition,                      \
                muster_error_detail());                                                                      \
            _exit(98);                                                                                       \
        }                                                                                                    \
    } while (0)

#endif
