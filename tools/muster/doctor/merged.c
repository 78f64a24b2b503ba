/* Leaves out what rank 0 has said, for merged.h. */
#include "tools/muster/doctor/merged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/text.h"

enum { RANKS_MAX = 1024, LIST_BYTES = 200 };

/* A finding: a line, and those below it that are indented. */
static size_t finding_bytes(const char *text)
{
    const char *end = strchr(text, '\n');

    while (end && end[1] == ' ')
        end = strchr(end + 1, '\n');
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

/* Whether these lines are in the report. */
static bool has(const char *report, const char *lines, size_t bytes)
{
    for (size_t one; *report; report += one) {
        one = finding_bytes(report);
        if (one == bytes && memcmp(report, lines, bytes) == 0)
            return true;
    }
    return false;
}

/* Whether the rank says more than rank 0. */
static bool adds(char *const *reports, int rank)
{
    const char *at = reports[rank];

    for (size_t bytes; *at; at += bytes) {
        bytes = finding_bytes(at);
        if (!has(reports[0], at, bytes))
            return true;
    }
    return false;
}

static bool are_alike(const mst_mpi_view *view, char *const *reports, int a, int b)
{
    return view->host[a] == view->host[b] && strcmp(reports[a], reports[b]) == 0;
}

static void print_added(const mst_mpi_view *view, int size, char *const *reports, int rank)
{
    bool alike[RANKS_MAX] = { false };
    char list[LIST_BYTES];

    for (int other = rank; other < size; other++)
        alike[other] = are_alike(view, reports, other, rank);
    int count = list_ranks(alike, size, list, sizeof list);
    printf("\nrank%s %s on %s:\n", plural((unsigned)count), list, view->where[rank]);
    for (const char *at = reports[rank]; *at; at += finding_bytes(at))
        if (!has(reports[0], at, finding_bytes(at)))
            printf("%.*s", (int)finding_bytes(at), at);
}

static bool is_told(const mst_mpi_view *view, char *const *reports, int rank)
{
    for (int other = 1; other < rank; other++)
        if (are_alike(view, reports, other, rank))
            return true;
    return false;
}

bool doctor_print_all(const mst_mpi_view *view, int size, char *text, const size_t *bytes)
{
    char **reports = calloc((size_t)size, sizeof *reports);

    if (!reports)
        return false;
    for (int rank = 0; rank < size; text += bytes[rank++])
        reports[rank] = text;
    fputs(reports[0], stdout);
    for (int rank = 1; rank < size; rank++)
        if (adds(reports, rank) && !is_told(view, reports, rank))
            print_added(view, size, reports, rank);
    free(reports);
    return true;
}
