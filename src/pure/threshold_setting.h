/* A threshold as text, in a file or in MUSTER_TUNING. */
#ifndef MST_THRESHOLD_SETTING_H
#define MST_THRESHOLD_SETTING_H

#include "shm/base/thresholds.h"

/* Sets one from "NAME=VALUE", as a file or MUSTER_TUNING has it: bytes as in other variables ("64k"), or
 * "never". False: there is no such threshold, or no such value. */
bool mst_threshold_set(mst_thresholds *thresholds, const char *name, size_t name_bytes, const char *value);

/* What is expected in place of a setting that is refused: of a threshold its bounds, "4096 to 1048576 bytes",
 * and otherwise `other`. */
void mst_threshold_expected(const char *setting, const char *other, char *text, size_t bytes);

#endif
