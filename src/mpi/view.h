/*
 * What this process knows of the job in which MPI's launcher has started it, for those who tell a user about
 * it (muster doctor).
 */
#ifndef MST_MPI_VIEW_H
#define MST_MPI_VIEW_H

#include <stdbool.h>

#define MST_MPI_TEXT_BYTES 120

typedef struct mst_mpi_view {
    int hosts;                          /* pretended ones count */
    const int *host;                    /* by rank: the first rank of its host */
    const char *const *where;           /* by rank: "host b" */
    char version[MST_MPI_TEXT_BYTES];   /* of the MPI: "Open MPI v4.1.4"; "": it does not say */
    char transport[MST_MPI_TEXT_BYTES]; /* what moves its bytes: "pml ob1, btl tcp"; "": not known */
} mst_mpi_view;

/* Whether an MPI's launcher has started this process, or the program has begun MPI. */
bool mst_mpi_is_begun(void);

/* Where muster_init has failed: whether all ranks have been told why, and so one of them can tell the user.
 */
bool mst_mpi_is_refused(void);

/* False: it has not attached by MPI. What it points to stays until the process ends. */
bool mst_mpi_look(mst_mpi_view *view);

#endif
