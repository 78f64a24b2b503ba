/* Which rank is on which pretended host, for pretended.h. */
#include "src/hosts/pretended.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#include "src/hosts/carried.h"

muster_status mst_pretended_link(muster_group *whole, mst_link **made)
{
    return mst_carried_link(whole, false, false, made);
}

/* The number at the beginning of the text; NULL: there is none. */
static const char *read_number(const char *text, int *number)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return NULL;
    long value = strtol(text, &end, 10);
    if (value > INT_MAX || (*end && *end != ','))
        return NULL;
    *number = (int)value;
    return end;
}

/* *count: how many numbers it has; 0: it is no list. *found: number `place` of them. */
static void read_list(const char *text, int place, int *count, int *found)
{
    int number;

    for (*count = 0;; ++*count) {
        text = read_number(text, &number);
        if (!text) {
            *count = 0;
            return;
        }
        if (*count == place)
            *found = number;
        if (!*text++)
            break;
    }
    ++*count;
}

bool mst_pretended_host(const char *value, int rank, int size, int *host)
{
    int count, first = 0;

    read_list(value, 0, &count, &first);
    if (count == 0 || (count == 1 && first == 0))
        return false;
    if (count == 1)
        *host = (int)((long long)rank * (first < size ? first : size) / size);
    else
        read_list(value, rank % count, &count, host);
    return true;
}

muster_status mst_pretended_refuse(const char *value)
{
    return mst_fail(MUSTER_ERR_INVALID,
                    "MUSTER_FAKE_HOSTS is \"%.40s\"; expected how many hosts the ranks are divided "
                    "among, such as 2, or the host of each rank in turn, such as 0,1",
                    value ? value : "");
}
