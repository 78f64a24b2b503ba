/* What `muster doctor` says of thresholds. */
#ifndef MUSTER_TUNE_STATE_H
#define MUSTER_TUNE_STATE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum tune_state {
    TUNE_FINE,
    TUNE_MISSING, /* measuring would help, or help again */
    TUNE_WRONG    /* MUSTER_TUNING makes no sense */
} tune_state;

/* Says in `text` where the thresholds come from. */
tune_state tune_describe(char *text, size_t bytes);

/* Lists those that are not as known of this kind of CPU; false: there are none. */
bool tune_list_changed(char *text, size_t bytes);

#endif
