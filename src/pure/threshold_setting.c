/* Reads a threshold from text, for threshold_setting.h. */
#include "src/pure/threshold_setting.h"

#include <string.h>

#include "src/pure/config.h"

bool mst_threshold_set(mst_thresholds *thresholds, const char *name, size_t name_bytes, const char *value)
{
    uint64_t wanted = MST_NEVER;
    const mst_threshold_row *row;
    size_t bytes;

    if (strcmp(value, "never") != 0) {
        if (!mst_config_bytes(value, &bytes) || bytes == SIZE_MAX)
            return false;
        wanted = bytes;
    }
    for (int number = 0; (row = mst_threshold_row_of(number)) != NULL; number++) {
        if (strlen(row->name) != name_bytes || strncmp(row->name, name, name_bytes) != 0)
            continue;
        if (!mst_threshold_makes_sense(row, wanted))
            return false;
        *mst_threshold_at(thresholds, number) = wanted;
        return true;
    }
    return false;
}
