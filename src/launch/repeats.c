/* Counts repeated lines, for repeats.h. */
#include "src/launch/repeats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 4096 /* longer lines are not messages */

static mst_repeated_line *find(mst_repeats *repeats, const char *text, size_t bytes)
{
    for (int i = 0; i < repeats->count; i++)
        if (repeats->lines[i].bytes == bytes && memcmp(repeats->lines[i].text, text, bytes) == 0)
            return &repeats->lines[i];
    return NULL;
}

static void add(mst_repeats *repeats, int rank, const char *text, size_t bytes)
{
    char *kept = repeats->count < MST_REPEATED_LINES_MAX ? malloc(bytes) : NULL;

    if (!kept)
        return;
    memcpy(kept, text, bytes);
    repeats->lines[repeats->count++] = (mst_repeated_line){ kept, bytes, rank, 0, "" };
}

bool mst_repeats_take(mst_repeats *repeats, int rank, const char *text, size_t bytes, const char *head)
{
    if (bytes == 0 || bytes > LINE_BYTES_MAX)
        return false;
    mst_repeated_line *line = find(repeats, text, bytes);
    if (!line) {
        add(repeats, rank, text, bytes);
        return false;
    }
    if (rank == line->first) /* one rank repeating itself is shown */
        return false;
    snprintf(line->head, sizeof line->head, "%s", head);
    line->more++;
    return true;
}

bool mst_repeats_describe(const mst_repeats *repeats, char *text, size_t bytes,
                          const mst_repeated_line **single)
{
    const mst_repeated_line *most = NULL;
    int lines = 0;

    *single = NULL;
    for (int i = 0; i < repeats->count; i++) {
        const mst_repeated_line *line = &repeats->lines[i];

        lines += line->more > 0;
        if (line->more > 0 && (!most || line->more > most->more))
            most = line;
    }
    if (lines == 1 && most->more == 1)
        *single = most;
    if (!most || *single)
        return false;
    if (lines == 1)
        snprintf(text, bytes, "%d more ranks printed the same line as rank %d", most->more, most->first);
    else
        snprintf(text, bytes, "up to %d more rank%s printed the same %d lines as rank %d", most->more,
                 most->more == 1 ? "" : "s", lines, most->first);
    return true;
}

void mst_repeats_destroy(mst_repeats *repeats)
{
    for (int i = 0; i < repeats->count; i++)
        free(repeats->lines[i].text);
    repeats->count = 0;
}
