/* Formats lists of ranks, for ranklist.h. */
#include "shm/base/ranklist.h"

#include <stdio.h>

#define MORE_BYTES sizeof " ..."

typedef struct ranklist {
    char *text;
    size_t bytes, used;
    int count;
    int first, last; /* of the run that is not written yet */
} ranklist;

static void write_run(ranklist *list)
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

static void add(ranklist *list, int rank)
{
    if (list->count == 0 || rank != list->last + 1) {
        if (list->used < list->bytes)
            write_run(list);
        list->first = rank;
    }
    list->last = rank;
    list->count++;
}

static void end(ranklist *list)
{
    if (list->count < 2)
        snprintf(list->text, list->bytes, list->count ? "rank %d" : "no rank", list->first);
    else if (list->used < list->bytes)
        write_run(list);
}

int mst_ranklist(char *text, size_t bytes, int size, bool (*is_in)(const void *arg, int rank),
                 const void *arg)
{
    ranklist list = { text, bytes, (size_t)snprintf(text, bytes, "ranks"), 0, 0, -1 };

    for (int rank = 0; rank < size; rank++)
        if (is_in(arg, rank))
            add(&list, rank);
    end(&list);
    return list.count;
}
