/* Makes the sentences of state.h from what muster_tuning_get and muster_tuning_threshold say. */
#include "tools/muster/tune/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "muster/muster.h"

tune_state tune_describe(char *text, size_t bytes)
{
    muster_tuning tuning = MUSTER_TUNING_INIT;

    if (muster_tuning_get(&tuning) != MUSTER_OK) {
        snprintf(text, bytes, "%s", muster_error_detail());
        return TUNE_WRONG;
    }
    if (tuning.source == MUSTER_TUNING_REFUSED) {
        snprintf(text, bytes, "%s is not used: %s", tuning.path, tuning.why);
        return TUNE_MISSING;
    }
    if (tuning.source == MUSTER_TUNING_MEASURED) {
        snprintf(text, bytes, "measured, in %s", tuning.path);
        return TUNE_FINE;
    }
    snprintf(
        text, bytes,
        "%s, of the kind %s; nothing was measured here (muster tune --dry-run says what that would bring)",
        tuning.cpu, tuning.kind);
    return strcmp(tuning.kind, "other") == 0 ? TUNE_MISSING : TUNE_FINE;
}

bool tune_list_changed(char *text, size_t bytes)
{
    muster_threshold threshold = MUSTER_THRESHOLD_INIT;
    size_t used = 0;

    for (int number = 0; muster_tuning_threshold(number, &threshold) == MUSTER_OK && used < bytes; number++) {
        const char *begin = used ? ", " : "other than known of this kind of CPU: ";

        if (threshold.used == threshold.known)
            continue;
        if (threshold.used == UINT64_MAX)
            used += (size_t)snprintf(text + used, bytes - used, "%s%s=never", begin, threshold.name);
        else
            used += (size_t)snprintf(text + used, bytes - used, "%s%s=%" PRIu64, begin, threshold.name,
                                     threshold.used);
    }
    return used > 0;
}
