/* The sentence and the parts of error.h, one per thread: fixed buffers, so that failing allocates nothing. */
#include "shm/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char sentence[sizeof((mst_error_copy *)0)->sentence];
static _Thread_local muster_error_info parts = { .struct_size = sizeof parts, .rank = -1 };
static _Thread_local int pair[2]; /* 1 + the ranks that disagree; 0: none */

static muster_status fail(int rank, muster_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static muster_status fail(int rank, muster_status status, const char *format, va_list args)
{
    char text[sizeof sentence];

    /* Formats into a copy: an argument may be the previous sentence. */
    vsnprintf(text, sizeof text, format, args);
    memcpy(sentence, text, sizeof sentence);
    parts = (muster_error_info){ .struct_size = sizeof parts, .status = status, .rank = rank };
    pair[0] = pair[1] = 0;
    return status;
}

muster_status(mst_fail)(muster_status status, const char *format, ...) /* the function, and no macro */
{
    va_list args;

    va_start(args, format);
    fail(-1, status, format, args);
    va_end(args);
    return status;
}

muster_status mst_fail_about(int rank, muster_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(rank, status, format, args);
    va_end(args);
    return status;
}

muster_status mst_fail_system(int error, const char *what)
{
    return mst_fail(MUSTER_ERR_SYSTEM, "%s: %s%s", what, strerror(abs(error)),
                    abs(error) == EMFILE ? "; raise ulimit -n" : "");
}

const char *mst_error_sentence(void)
{
    return sentence;
}

/* ---- parts ---- */

void mst_error_about(int rank, muster_termination termination)
{
    parts.rank = rank;
    parts.termination = termination;
}

void mst_error_about_pair(int rank, int other, int own)
{
    parts.rank = own == rank ? other : rank;
    pair[0] = 1 + rank;
    pair[1] = 1 + other;
}

bool mst_error_pair(int *rank, int *other)
{
    *rank = pair[0] - 1;
    *other = pair[1] - 1;
    return pair[0] > 0;
}

void mst_error_late(int64_t deadline_ns)
{
    parts.deadline_ns = deadline_ns;
}

void mst_error_in_group(const char *name, uint64_t number)
{
    char text[sizeof sentence];

    parts.group = number;
    snprintf(parts.group_name, sizeof parts.group_name, "%s", name);
    if (!name[0])
        return;
    snprintf(text, sizeof text, "group \"%s\": %.*s", name, (int)(sizeof text - 48), sentence);
    memcpy(sentence, text, sizeof sentence);
}

void mst_error_append(const char *more)
{
    size_t length = strlen(sentence);

    snprintf(sentence + length, sizeof sentence - length, "%s", more);
}

void mst_error_operation(const char *name)
{
    snprintf(parts.operation, sizeof parts.operation, "%s", name);
}

const muster_error_info *mst_error_parts(void)
{
    return &parts;
}

/* ---- copies ---- */

void mst_error_keep(mst_error_copy *copy)
{
    memcpy(copy->sentence, sentence, sizeof sentence);
    copy->parts = parts;
    memcpy(copy->pair, pair, sizeof pair);
}

muster_status mst_error_again(const mst_error_copy *copy)
{
    memcpy(sentence, copy->sentence, sizeof sentence);
    parts = copy->parts;
    memcpy(pair, copy->pair, sizeof pair);
    return parts.status;
}
