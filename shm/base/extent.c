/* A sorted array of free extents: a rank has tens of them, not thousands. */
#include "shm/base/extent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool mst_extents_init(mst_extents *extents, uint64_t begin, uint64_t end)
{
    const size_t capacity = 16;
    mst_extent *room = malloc(capacity * sizeof *room);

    if (!room)
        return false;
    room[0] = (mst_extent){ begin, end - begin };
    *extents = (mst_extents){ .free = room, .count = 1, .capacity = capacity };
    return true;
}

void mst_extents_destroy(mst_extents *extents)
{
    free(extents->free);
    *extents = (mst_extents){ 0 };
}

/* n claims divide the range into at most n + 1 free extents. */
static bool reserve(mst_extents *extents)
{
    if (extents->claims + 2 <= extents->capacity)
        return true;
    size_t capacity = extents->capacity * 2;
    mst_extent *room = realloc(extents->free, capacity * sizeof *room);
    if (!room)
        return false;
    extents->free = room;
    extents->capacity = capacity;
    return true;
}

static void erase(mst_extents *extents, size_t at)
{
    memmove(&extents->free[at], &extents->free[at + 1], (extents->count - at - 1) * sizeof extents->free[0]);
    extents->count--;
}

bool mst_extents_claim(mst_extents *extents, uint64_t bytes, uint64_t *offset)
{
    if (!reserve(extents))
        return false;
    for (size_t at = 0; at < extents->count; at++) {
        mst_extent *found = &extents->free[at];

        if (found->bytes < bytes)
            continue;
        *offset = found->offset;
        found->offset += bytes;
        found->bytes -= bytes;
        if (found->bytes == 0)
            erase(extents, at);
        extents->claims++;
        return true;
    }
    return false;
}

void mst_extents_release(mst_extents *extents, uint64_t offset, uint64_t bytes)
{
    mst_extent *all = extents->free;
    size_t at = 0;

    while (at < extents->count && all[at].offset < offset)
        at++;
    bool joins_left = at > 0 && all[at - 1].offset + all[at - 1].bytes == offset;
    bool joins_right = at < extents->count && offset + bytes == all[at].offset;

    extents->claims--;
    if (joins_left) {
        all[at - 1].bytes += bytes;
        if (joins_right) {
            all[at - 1].bytes += all[at].bytes;
            erase(extents, at);
        }
    } else if (joins_right) {
        all[at].offset = offset;
        all[at].bytes += bytes;
    } else {
        assert(extents->count < extents->capacity);
        memmove(&all[at + 1], &all[at], (extents->count - at) * sizeof all[0]);
        all[at] = (mst_extent){ offset, bytes };
        extents->count++;
    }
}

void mst_extents_end_at(mst_extents *extents, uint64_t end)
{
    mst_extent *last = extents->count ? &extents->free[extents->count - 1] : NULL;

    while (last && last->offset >= end) /* sorted: the last ones are removed */
        last = --extents->count ? last - 1 : NULL;
    if (last && last->bytes > end - last->offset)
        last->bytes = end - last->offset;
}
