/* What the public interface says of thresholds: choice.h in its words. */
#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "src/onehost/choice.h"
#include "src/pure/sized.h"
#include "src/pure/threshold_setting.h"

muster_status muster_tuning_get(muster_tuning *tuning)
{
    muster_tuning found;
    mst_choice choice;

    muster_status status = mst_sized_take(&found, sizeof found, tuning, "MUSTER_TUNING_INIT");
    if (status == MUSTER_OK)
        status = mst_choice_make(&choice);
    if (status != MUSTER_OK)
        return status;
    found.source = choice.used     ? MUSTER_TUNING_MEASURED
                   : choice.why[0] ? MUSTER_TUNING_REFUSED
                                   : MUSTER_TUNING_KNOWN;
    snprintf(found.cpu, sizeof found.cpu, "%s, family %u, model %u", choice.cpu.vendor, choice.cpu.family,
             choice.cpu.model);
    snprintf(found.kind, sizeof found.kind, "%s", choice.column);
    memcpy(found.path, choice.path, sizeof found.path);
    memcpy(found.why, choice.why, sizeof found.why);
    mst_sized_give(tuning, &found, sizeof found);
    return MUSTER_OK;
}

muster_status muster_tuning_threshold(int number, muster_threshold *threshold)
{
    const mst_threshold_row *row = mst_threshold_row_of(number);
    muster_threshold found;
    mst_choice choice;

    muster_status status = mst_sized_take(&found, sizeof found, threshold, "MUSTER_THRESHOLD_INIT");
    if (status == MUSTER_OK && !row)
        status = mst_fail(MUSTER_ERR_INVALID, "there is no threshold %d; they are from 0 to %d", number,
                          MST_THRESHOLD_COUNT - 1);
    if (status == MUSTER_OK)
        status = mst_choice_make(&choice);
    if (status != MUSTER_OK)
        return status;
    found.name = row->name;
    found.known = *mst_threshold_at(&choice.known, number);
    found.used = *mst_threshold_at(&choice.thresholds, number);
    mst_sized_give(threshold, &found, sizeof found);
    return MUSTER_OK;
}

muster_status muster_tuning_keep(const char *settings)
{
    char item[MST_CHOICE_ITEM_BYTES], expected[160];
    mst_choice choice;

    muster_status status = mst_choice_make(&choice);
    if (status != MUSTER_OK)
        return status;
    if (!settings)
        return mst_choice_keep(&choice, NULL);
    mst_thresholds measured = choice.known;
    if (!mst_choice_set(&measured, settings, item)) {
        mst_threshold_expected(item, "NAME=BYTES, with the name of a threshold", expected, sizeof expected);
        return mst_fail(MUSTER_ERR_INVALID, "\"%.60s\" sets no threshold; expected %s", item, expected);
    }
    return mst_choice_keep(&choice, &measured);
}
