/* What a member of a group that is being made tells the others, as it crosses a link. */
#ifndef MST_HOSTS_TOLD_H
#define MST_HOSTS_TOLD_H

#include <stdint.h>

/* At first what it gives, then what became of it. */
typedef struct mst_told {
    int32_t copies; /* dup, in place of split */
    int32_t color, key;
    int32_t status;
} mst_told;

#endif
