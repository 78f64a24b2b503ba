/*
 * Descriptors while ranks run. A launcher needs some per rank, more than the usual soft limit has for many:
 * it is raised to the hard one for the time of the launch, and ranks get the old one back. And where the
 * program's standard descriptors are closed, /dev/null stands in for the time, or else the arena or a pipe of
 * ours would become somebody's standard output.
 */
#ifndef MST_DESCRIPTORS_H
#define MST_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/resource.h>

typedef struct mst_descriptors {
    struct rlimit before; /* the launch */
    bool raised;
    bool plugged[3];
    bool few; /* not enough for a watch of each rank */
} mst_descriptors;

void mst_descriptors_prepare(mst_descriptors *descriptors, int ranks);
void mst_descriptors_restore(const mst_descriptors *descriptors);

/* In a rank: the limit is the program's again. */
void mst_descriptors_restore_limit(const mst_descriptors *descriptors);

/* "raise ulimit -n" or what else helps against -errno of starting a rank. */
const char *mst_descriptors_remedy(int error);

#endif
