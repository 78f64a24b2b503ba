/* Runs of ranklist.h. */
#include "src/pure/ranklist.h"

#include <stdio.h>

#define MORE_BYTES sizeof " ..."

mst_ranklist mst_ranklist_in(char *text, size_t bytes)
{
    return (mst_ranklist){ text, bytes, (size_t)snprintf(text, bytes, "ranks"), 0, 0, -1 };
}

static void write_run(mst_ranklist *list)
{
    char run[40];

    if (list->count == 0)
        return;
    if (list->first == list->last)
        snprintf(run, sizeof run, " %d", list->first);
    else
        snprintf(run, sizeof run, list->last == list->first + 1 ? " %d %d" : " %d-%d", list->first,
                 list->last);
    size_t room = list->bytes - list->used;
    int written = snprintf(list->text + list->used, room, "%s", run);
    if ((size_t)written + MORE_BYTES <= room) {
        list->used += (size_t)written;
        return;
    }
    if (room >= MORE_BYTES)
        snprintf(list->text + list->used, room, " ...");
    list->bytes = list->used; /* full */
}

void mst_ranklist_add(mst_ranklist *list, int rank)
{
    if (list->count == 0 || rank != list->last + 1) {
        if (list->used < list->bytes)
            write_run(list);
        list->first = rank;
    }
    list->last = rank;
    list->count++;
}

int mst_ranklist_end(mst_ranklist *list)
{
    if (list->count < 2)
        snprintf(list->text, list->bytes, list->count ? "rank %d" : "no rank", list->first);
    else if (list->used < list->bytes)
        write_run(list);
    return list->count;
}
