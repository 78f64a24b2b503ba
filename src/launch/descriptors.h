/*
 * File descriptors of the launcher. It needs some per rank, which for many ranks is more than the usual soft
 * limit: the launch raises it to the hard limit, and ranks get the original limit back. Where standard
 * descriptors of the program are closed, /dev/null takes their place during the launch; otherwise the arena
 * or a pipe could become a standard output.
 */
#ifndef MST_DESCRIPTORS_H
#define MST_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/resource.h>

typedef struct mst_descriptors {
    struct rlimit before; /* as it was before the launch */
    bool raised;
    bool plugged[3];
    bool few; /* too few for a watch of each rank */
} mst_descriptors;

void mst_descriptors_prepare(mst_descriptors *descriptors, int ranks);
void mst_descriptors_restore(const mst_descriptors *descriptors);

/* In a rank: restores the program's limit. */
void mst_descriptors_restore_limit(const mst_descriptors *descriptors);

/* What helps against the error -errno of starting a rank, such as "raise ulimit -n". */
const char *mst_descriptors_remedy(int error);

#endif
