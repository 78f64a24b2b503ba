/*
 * Ranks in sentences: "rank 3", "ranks 0 2 4-63". They are added in ascending order; what has no room is
 * "...".
 */
#ifndef MST_RANKLIST_H
#define MST_RANKLIST_H

#include <stddef.h>

typedef struct mst_ranklist {
    char *text;
    size_t bytes, used;
    int count;
    int first, last; /* of the run that is not written yet */
} mst_ranklist;

mst_ranklist mst_ranklist_in(char *text, size_t bytes); /* 32 bytes or more */
void mst_ranklist_add(mst_ranklist *list, int rank);
int mst_ranklist_end(mst_ranklist *list); /* how many they are; of none the text is "no rank" */

#endif
