/* Counts and buffers of counts.h. */
#include "tests/harness/counts.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"

size_t count_between(pattern pattern, int from, int to, int size, size_t most)
{
    uint64_t state = (uint64_t)(from * 64 + to);
    size_t drawn = random_next(&state);

    switch (pattern) {
    case EQUAL:
        return most / (size_t)size;
    case EMPTY:
        return 0;
    case ONE_PAIR:
        return from == size - 1 && to == 0 ? most : 0;
    case ONE_GIVER:
        return from == size / 2 ? most / (size_t)size + (size_t)to : 0;
    case ONE_TAKER:
        return to == size / 2 ? most / (size_t)size + (size_t)from : 0;
    case SPARSE:
        return drawn % 3 == 0 ? most / (size_t)size + drawn % 7 : 0;
    default:
        return (most >> ((from + 2 * to) % 7)) / 2 + drawn % 5;
    }
}

unsigned char *make_guarded(muster_group *group, size_t bytes, bool in_arena)
{
    void *made;

    if (!in_arena)
        made = malloc(bytes + 1);
    else if (muster_alloc(group, bytes + 1, &made) != MUSTER_OK)
        return NULL;
    if (made)
        memset(made, GUARD, bytes + 1);
    return made;
}

void free_guarded(muster_group *group, unsigned char *buffer, bool in_arena)
{
    if (in_arena)
        muster_free(group, buffer);
    else
        free(buffer);
}
