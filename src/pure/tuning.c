/* Chooses for tuning.h. docs/lab/PERFORMANCE.md says how the figures were measured. */
#include "src/pure/tuning.h"

#include <stdint.h>

#define KIB 1024UL
#define MIB (1024 * KIB)
/* Ordinary stores, from 4 KiB on, take 0.7 to 2.7 times as long as non-temporal ones between CPUs of a fast
 * pair, seldom 5 times; of a slow pair 5 to 25 times, seldom 3: hence a ratio of 4. In oversubscribed groups,
 * which alternate between halves that peers have just read: fast 1 to 3.5 times, slow 6 to 15. */
#define MORE_RATIO_OVERSUBSCRIBED 1
#define VIEW_BYTES_MIN_OVERSUBSCRIBED (64 * KIB)
/* Smaller views were measured for collectives of two ranks, and messages: of 6 KiB these took 1.2 times as
 * long on a slow pair. */
#define LENT_BYTES_MIN (8 * KIB)
#define SHARED_VIEW_BYTES_MIN (8 * KIB)
#define SHARED_VIEW_BYTES_ALL (1 * MIB) /* of all ranks together */

/* A synchronisation of oversubscribed ranks costs several context switches. */
static const struct row {
    int ranks_max;
    size_t whole_bytes_max;
} oversubscribed_rows[] = {
    { 2, SIZE_MAX },  { 3, 128 * KIB }, { 4, 256 * KIB },
    { 8, 128 * KIB }, { 16, 32 * KIB }, { INT32_MAX, 16 * KIB },
};

static size_t whole_bytes_max_oversubscribed(int ranks)
{
    const struct row *row = oversubscribed_rows;

    while (ranks > row->ranks_max)
        row++;
    return row->whole_bytes_max;
}

static uint64_t whole_bytes_max(const mst_thresholds *thresholds, int ranks)
{
    if (ranks <= 2)
        return thresholds->whole_bytes_max_2;
    if (ranks == 3)
        return thresholds->whole_bytes_max_3;
    if (ranks == 4)
        return thresholds->whole_bytes_max_4;
    if (ranks <= 8)
        return thresholds->whole_bytes_max_8;
    return ranks <= 16 ? thresholds->whole_bytes_max_16 : thresholds->whole_bytes_max_more;
}

/* MST_NEVER is the largest size, also where sizes are shorter. */
static size_t size_of(uint64_t threshold)
{
    return threshold > SIZE_MAX ? SIZE_MAX : (size_t)threshold;
}

static size_t lent_bytes_min(const mst_thresholds *thresholds)
{
    size_t view = size_of(thresholds->view_bytes_min);

    return view > LENT_BYTES_MIN ? view : LENT_BYTES_MIN;
}

mst_tuning mst_tuning_for(const mst_thresholds *thresholds, int ranks, bool oversubscribed)
{
    return (mst_tuning){
        .payload_bytes_max = size_of(thresholds->payload_bytes_max),
        .whole_bytes_max = oversubscribed ? whole_bytes_max_oversubscribed(ranks)
                                          : size_of(whole_bytes_max(thresholds, ranks)),
        .shared = oversubscribed && ranks > 2,
        .view_bytes_min = oversubscribed ? VIEW_BYTES_MIN_OVERSUBSCRIBED
                          : ranks == 2   ? size_of(thresholds->view_bytes_min)
                                         : lent_bytes_min(thresholds),
        .lent_bytes_min = oversubscribed ? VIEW_BYTES_MIN_OVERSUBSCRIBED : lent_bytes_min(thresholds),
        .shared_view_bytes_min = SHARED_VIEW_BYTES_MIN,
        .shared_view_bytes_max = SHARED_VIEW_BYTES_ALL / (size_t)ranks,
        .one_copy_bytes_min = size_of(oversubscribed ? thresholds->one_copy_bytes_min_oversubscribed
                                                     : thresholds->one_copy_bytes_min),
        .one_copy_bytes_max = size_of(thresholds->one_copy_bytes_max),
        .round_bytes_min = oversubscribed ? SIZE_MAX : size_of(thresholds->round_bytes_min),
        .nontemporal_bytes_min = size_of(thresholds->nontemporal_bytes_min),
        .nontemporal_max_ratio =
            (int)thresholds->nontemporal_max_ratio + (oversubscribed ? MORE_RATIO_OVERSUBSCRIBED : 0),
        .libc_copy_bytes_min = size_of(thresholds->libc_copy_bytes_min),
        .stream_bytes_min = size_of(thresholds->stream_bytes_min),
    };
}
