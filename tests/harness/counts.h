/* Counts by rank, for collectives in which they differ; and buffers that show what was written. */
#ifndef TEST_COUNTS_H
#define TEST_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "muster/muster.h"

/* How the counts of pairs are drawn. */
typedef enum pattern { EQUAL, EMPTY, ONE_PAIR, ONE_GIVER, ONE_TAKER, SPARSE, SKEWED, PATTERNS } pattern;

/* Elements from one rank to another. `most`: about as many as one rank gives in all. */
size_t count_between(pattern pattern, int from, int to, int size, size_t most);

#define GUARD 0xa5

/* A private buffer, or one in the arena, full of GUARD; NULL: no memory. */
unsigned char *make_guarded(muster_group *group, size_t bytes, bool in_arena);
void free_guarded(muster_group *group, unsigned char *buffer, bool in_arena);

#endif
