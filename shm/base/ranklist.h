/* Formats lists of ranks for messages: "no rank", "rank 3", "ranks 0 2 4-63". */
#ifndef MST_RANKLIST_H
#define MST_RANKLIST_H

#include <stdbool.h>
#include <stddef.h>

/* Lists the ranks from 0 to size - 1 for which `is_in` is true, and returns their number. `bytes` is at least
 * 32; "..." replaces ranks that do not fit. */
int mst_ranklist(char *text, size_t bytes, int size, bool (*is_in)(const void *arg, int rank),
                 const void *arg);

#endif
