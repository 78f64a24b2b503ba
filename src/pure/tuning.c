/* The table of tuning.h. docs/lab/PERFORMANCE.md says how the figures were measured. */
#include "src/pure/tuning.h"

#include <stdint.h>

#define KIB 1024UL
#define MIB (1024 * KIB)
/* Ordinary stores, from 4 KiB on, take 0.7 to 2.7 times as long as non-temporal ones between CPUs of a fast
 * pair, seldom 5 times; of a slow pair 5 to 25 times, seldom 3. In oversubscribed groups, which alternate
 * between halves that peers have just read: fast 1 to 3.5 times, slow 6 to 15. */
#define MAX_RATIO 4
#define MAX_RATIO_OVERSUBSCRIBED 5
#define ROUND_BYTES_MIN (64 * KIB)
#define VIEW_BYTES_MIN (8 * KIB)
#define VIEW_BYTES_MIN_OVERSUBSCRIBED (64 * KIB)
#define SHARED_VIEW_BYTES_ALL (1 * MIB) /* of all ranks together */

static const struct row {
    int ranks_max;
    size_t whole_bytes_max;                /* while a synchronisation costs more than the copying */
    size_t whole_bytes_max_oversubscribed; /* a synchronisation costs several context switches */
} rows[] = {
    { 2, SIZE_MAX, SIZE_MAX }, { 3, 8 * KIB, 128 * KIB }, { 4, 4 * KIB, 256 * KIB },
    { 8, 2 * KIB, 128 * KIB }, { 16, 2 * KIB, 32 * KIB }, { INT32_MAX, 1 * KIB, 16 * KIB },
};

mst_tuning mst_tuning_for(int ranks, bool oversubscribed)
{
    const struct row *row = rows;

    while (ranks > row->ranks_max)
        row++;
    return (mst_tuning){
        .whole_bytes_max = oversubscribed ? row->whole_bytes_max_oversubscribed : row->whole_bytes_max,
        .shared = oversubscribed && ranks > 2,
        .view_bytes_min = oversubscribed ? VIEW_BYTES_MIN_OVERSUBSCRIBED : VIEW_BYTES_MIN,
        .shared_view_bytes_min = VIEW_BYTES_MIN,
        .shared_view_bytes_max = SHARED_VIEW_BYTES_ALL / (size_t)ranks,
        .round_bytes_min = oversubscribed ? SIZE_MAX : ROUND_BYTES_MIN,
        .nontemporal_bytes_min = 2 * KIB,
        .nontemporal_max_ratio = oversubscribed ? MAX_RATIO_OVERSUBSCRIBED : MAX_RATIO,
        .stream_bytes_min = 8 * MIB,
    };
}
