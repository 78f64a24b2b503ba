/* Counts waited time, as deadline.h describes. */
#include "shm/base/deadline.h"

#define LATENESS_NS_MAX 100000000LL /* that a busy machine may cause; more is a gap */
#define LATENESS_PARTS 4            /* of short limits, a quarter */

static int64_t lateness_allowed_ns(const mst_deadline *deadline)
{
    int64_t part_ns = deadline->limit_ns / LATENESS_PARTS;

    return part_ns < LATENESS_NS_MAX ? part_ns : LATENESS_NS_MAX;
}

void mst_deadline_count(mst_deadline *deadline, int64_t now_ns, int64_t expected_ns)
{
    int64_t elapsed_ns = now_ns - deadline->looked_ns;
    bool gap = elapsed_ns > deadline->expected_ns + lateness_allowed_ns(deadline);

    if (gap) {
        elapsed_ns = deadline->expected_ns;
        deadline->counted_ns = 0;
    }
    deadline->counted_ns += elapsed_ns;
    deadline->total_ns += elapsed_ns;
    mst_deadline_resume(deadline, now_ns, expected_ns);
}

int64_t mst_deadline_left_ns(const mst_deadline *deadline)
{
    int64_t left_ns = deadline->limit_ns - deadline->counted_ns;
    int64_t twice_ns = deadline->limit_ns > INT64_MAX / 2 ? INT64_MAX : 2 * deadline->limit_ns;
    int64_t left_in_all_ns = twice_ns - deadline->total_ns;

    if (left_in_all_ns < left_ns)
        left_ns = left_in_all_ns;
    return left_ns > 0 ? left_ns : 0;
}
