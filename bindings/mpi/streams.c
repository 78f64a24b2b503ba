/* The streams of streams.h. */
#include "bindings/mpi/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "stream "

/* In clock ticks, with the thread's number for those of one tick. */
static uint64_t read_beginning(void)
{
    unsigned long long tid = 0, ticks = 0;
    char line[1024] = "";
    FILE *file = fopen("/proc/thread-self/stat", "re");

    if (!file)
        return 1;
    size_t bytes = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[bytes] = '\0';
    const char *at = strrchr(line, ')'); /* the name's, in which anything may be */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at)
        ticks = strtoull(at, NULL, 10);
    tid = strtoull(line, NULL, 10);
    return ticks << 22 | (tid & 0x3fffff);
}

static uint64_t own_beginning(void)
{
    static __thread uint64_t own;

    if (own == 0)
        own = read_beginning();
    return own;
}

/* Its place among those that have been here; the last when there is no memory for it. */
static int find(streams *streams, uint64_t begun)
{
    int place = 0;

    while (place < streams->count && streams->begun[place] < begun)
        place++;
    if (place < streams->count && streams->begun[place] == begun)
        return place;
    uint64_t *more = realloc(streams->begun, ((size_t)streams->count + 1) * sizeof *more);
    if (!more)
        return streams->count;
    streams->begun = more;
    memmove(more + place + 1, more + place, (size_t)(streams->count - place) * sizeof *more);
    more[place] = begun;
    streams->count++;
    return place;
}

static void keep(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    (void)acc, (void)next, (void)count, (void)dtype, (void)arg;
}

/* Ranks compare the names of operations. */
static muster_status compare(int place, muster_group *group)
{
    unsigned char byte = 0;
    char name[MUSTER_OP_NAME_BYTES];
    muster_op op;

    snprintf(name, sizeof name, NAME "%d", place);
    muster_status status = muster_op_create(name, keep, NULL, true, &op);
    if (status != MUSTER_OK)
        return status;
    status = muster_all_reduce(&byte, &byte, 1, MUSTER_UINT8, op, group);
    muster_op_free(op); /* and leaves the sentence */
    return status;
}

muster_status streams_enter(streams *streams, muster_group *group)
{
    uint64_t own = own_beginning();

    if (streams->last == own)
        return MUSTER_OK;
    int place = find(streams, own);
    streams->last = own;
    return streams->count == 1 || muster_group_size(group) == 1 ? MUSTER_OK : compare(place, group);
}

const char *streams_advice(const streams *streams, const char *sentence)
{
    bool is_of_message = strstr(sentence, "expected a message of"); /* messages have no order of streams */

    return (streams->count > 1 && !is_of_message) || strstr(sentence, "(" NAME)
               ? "; a group's collectives run in one order on all ranks, whatever stream they are on: use "
                 "muster.mlx, "
                 "which sees to it, or a group for each stream"
               : "";
}
