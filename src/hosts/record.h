/* What a member of a group over several hosts was asked for, as it tells all others. */
#ifndef MST_HOSTS_RECORD_H
#define MST_HOSTS_RECORD_H

#include <stdint.h>

#include "muster/muster.h"

#define MST_RECORD_PAYLOAD 112

typedef struct mst_hosts_record {
    uint32_t collective;
    int32_t dtype, op, root;
    uint64_t count, elements;
    uint64_t balance; /* of counts by rank (src/pure/blocks.h) */
    char op_name[MUSTER_OP_NAME_BYTES];
    unsigned char factor[16]; /* of a premultiplied sum */
    uint32_t started;         /* 1: it was started, and not called in the blocking form */
    uint32_t unused;          /* elements are aligned to 16 bytes */
    unsigned char payload[MST_RECORD_PAYLOAD];
} mst_hosts_record;

#endif
