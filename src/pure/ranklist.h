/* Ranks in sentences: "no rank", "rank 3", "ranks 0 2 4-63". */
#ifndef MST_RANKLIST_H
#define MST_RANKLIST_H

#include <stdbool.h>
#include <stddef.h>

/* Lists those of the ranks from 0 to size - 1 that are in; returns how many they are. The text has 32 bytes
 * or more; what has no room in it is "...". */
int mst_ranklist(char *text, size_t bytes, int size, bool (*is_in)(const void *arg, int rank),
                 const void *arg);

#endif
