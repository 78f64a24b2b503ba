/* Reasons as text, for reason.h. */
#include "src/hosts/reason.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mst_reason_print(const mst_link_reason *reason, char *text, size_t bytes)
{
    snprintf(text, bytes, "[%d %d %d %d %d %lld] %s", (int)reason->status, reason->about,
             (int)reason->termination.kind, reason->termination.code, reason->pair,
             (long long)reason->limit_ns, reason->sentence);
}

/* Numbers, each with what parts it from the next; false: they are not there, or are no numbers of that size.
 */
static bool read_numbers(const char *text, int64_t *numbers, int count, char end)
{
    for (int i = 0; i < count; i++, text++) {
        char *after;

        errno = 0;
        numbers[i] = strtoll(text, &after, 10);
        if (after == text || errno || *after != (i + 1 < count ? ' ' : end))
            return false;
        text = after;
    }
    return true;
}

static bool is_int(int64_t number)
{
    return number >= INT_MIN && number <= INT_MAX;
}

bool mst_reason_read(const char *text, mst_link_reason *reason)
{
    const char *begin = strchr(text, '['), *end = begin ? strstr(begin, "] ") : NULL;
    int64_t numbers[6]; /* status, about, kind, code, pair, limit_ns */

    if (!end || !read_numbers(begin + 1, numbers, 6, ']'))
        return false;
    for (int i = 0; i < 5; i++)
        if (!is_int(numbers[i]))
            return false;
    *reason = (mst_link_reason){ .status = (muster_status)numbers[0],
                                 .about = (int)numbers[1],
                                 .termination = { (muster_termination_kind)numbers[2], (int)numbers[3] },
                                 .limit_ns = numbers[5],
                                 .pair = (int)numbers[4] };
    snprintf(reason->sentence, sizeof reason->sentence, "%s", end + 2);
    return true;
}

mst_link_reason mst_reason_of_error(muster_status status)
{
    const muster_error_info *parts = mst_error_parts();
    mst_link_reason reason = { .status = status,
                               .about = parts->rank,
                               .termination = parts->termination,
                               .limit_ns = parts->deadline_ns };
    int rank, other;

    if (mst_error_pair(&rank, &other)) {
        reason.about = rank; /* which this one may be */
        reason.pair = 1 + other;
    }
    snprintf(reason.sentence, sizeof reason.sentence, "%s", mst_error_sentence());
    return reason;
}
