/* Reads a threshold from text, for threshold_setting.h. */
#include "src/pure/threshold_setting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/pure/config.h"

/* The number of the threshold of that name; -1: there is none. */
static int number_of(const char *name, size_t name_bytes)
{
    const mst_threshold_row *row;

    for (int number = 0; (row = mst_threshold_row_of(number)) != NULL; number++)
        if (strlen(row->name) == name_bytes && strncmp(row->name, name, name_bytes) == 0)
            return number;
    return -1;
}

bool mst_threshold_set(mst_thresholds *thresholds, const char *name, size_t name_bytes, const char *value)
{
    int number = number_of(name, name_bytes);
    uint64_t wanted = MST_NEVER;
    size_t bytes;

    if (strcmp(value, "never") != 0) {
        if (!mst_config_bytes(value, &bytes) || bytes == SIZE_MAX)
            return false;
        wanted = bytes;
    }
    if (number < 0 || !mst_threshold_makes_sense(mst_threshold_row_of(number), wanted))
        return false;
    *mst_threshold_at(thresholds, number) = wanted;
    return true;
}

void mst_threshold_expected(const char *setting, const char *other, char *text, size_t bytes)
{
    const mst_threshold_row *row = mst_threshold_row_of(number_of(setting, strcspn(setting, "=")));
    const char *what = row && strstr(row->name, "_ratio") ? "" : " bytes";

    if (!row)
        snprintf(text, bytes, "%s", other);
    else if (row->most == MST_NEVER)
        snprintf(text, bytes, "%s=%" PRIu64 "%s or more, or never", row->name, row->least, what);
    else
        snprintf(text, bytes, "%s=%" PRIu64 " to %" PRIu64 "%s", row->name, row->least, row->most, what);
}
