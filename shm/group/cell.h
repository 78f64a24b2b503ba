/*
 * Cells of this rank: the control lines that it contributes to a group, with their small slots. They are
 * claimed with a membership, an odd number that no other use of the cell has; one less than that says that
 * the rank has left.
 */
#ifndef MST_CELL_H
#define MST_CELL_H

#include "shm/arena/attachment.h"

/* Claims a cell, committed with its slots, for a new membership; NO_SPACE: all are in use. */
muster_status mst_cell_claim(mst_attachment *attachment, uint32_t *index, uint64_t *membership);

/* Initialises it, and publishes the membership. */
void mst_cell_init(mst_cell *cell, uint64_t membership);

/* Announces that the rank has left. */
void mst_cell_leave(mst_attachment *attachment, uint32_t index, uint64_t membership);

/* Frees it for another group. */
void mst_cell_free(mst_attachment *attachment, uint32_t index);

#endif
