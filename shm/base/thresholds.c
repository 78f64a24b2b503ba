/* The columns of thresholds.h, and their values by name. */
#include "shm/base/thresholds.h"

#include <string.h>

static const mst_threshold_row rows[] = {
#define ROW(name, least, most, ...) { #name, least, most },
    MST_THRESHOLDS(ROW)
#undef ROW
};

static const struct {
    const char *name;
    mst_thresholds thresholds;
} columns[] = {
#define ROW(name, least, most, zen4, icelake, other) .name = zen4,
    { "zen4", { MST_THRESHOLDS(ROW) } },
#undef ROW
#define ROW(name, least, most, zen4, icelake, other) .name = icelake,
    { "icelake", { MST_THRESHOLDS(ROW) } },
#undef ROW
#define ROW(name, least, most, zen4, icelake, other) .name = other,
    { "other", { MST_THRESHOLDS(ROW) } },
#undef ROW
};

#define CACHE_BYTES_UNKNOWN MST_MIB(32)
#define STREAM_BYTES_LEAST MST_MIB(2)
#define STREAM_BYTES_MOST MST_MIB(8) /* virtual machines report caches of hundreds of MiB */

/* Zen 3, 4 and 5 copy alike, as do Intel's CPUs since Ice Lake, all of which have FSRM. */
const char *mst_thresholds_column(const mst_cpu_kind *cpu)
{
    bool amd = strcmp(cpu->vendor, "AuthenticAMD") == 0 || strcmp(cpu->vendor, "HygonGenuine") == 0;

    if (amd && cpu->family >= 0x19)
        return "zen4";
    if (strcmp(cpu->vendor, "GenuineIntel") == 0 && cpu->quick_rep_movs)
        return "icelake";
    return "other";
}

static uint64_t quarter_of(uint64_t cache_bytes)
{
    uint64_t quarter = (cache_bytes ? cache_bytes : CACHE_BYTES_UNKNOWN) / 4;

    if (quarter < STREAM_BYTES_LEAST)
        return STREAM_BYTES_LEAST;
    return quarter < STREAM_BYTES_MOST ? quarter : STREAM_BYTES_MOST;
}

const char *mst_thresholds_known(const char *column, uint64_t last_cache_bytes, mst_thresholds *thresholds)
{
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(column, columns[i].name) == 0) {
            *thresholds = columns[i].thresholds;
            for (int number = 0; number < MST_THRESHOLD_COUNT; number++)
                if (*mst_threshold_at(thresholds, number) == MST_QUARTER_OF_CACHE)
                    *mst_threshold_at(thresholds, number) = quarter_of(last_cache_bytes);
            return columns[i].name;
        }
    return NULL;
}

const mst_threshold_row *mst_threshold_row_of(int number)
{
    return number >= 0 && number < MST_THRESHOLD_COUNT ? &rows[number] : NULL;
}

uint64_t *mst_threshold_at(mst_thresholds *thresholds, int number)
{
    return (uint64_t *)thresholds + number;
}

bool mst_threshold_makes_sense(const mst_threshold_row *row, uint64_t value)
{
    return value >= row->least && value <= row->most;
}

bool mst_thresholds_make_sense(const mst_thresholds *thresholds)
{
    for (int number = 0; number < MST_THRESHOLD_COUNT; number++)
        if (!mst_threshold_makes_sense(&rows[number], ((const uint64_t *)thresholds)[number]))
            return false;
    return true;
}
