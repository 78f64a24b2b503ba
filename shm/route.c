/* The trials of route.h. One is not believed: some copies happen to be fast, or slow. */
#include "shm/route.h"

#include "shm/os.h"

#define TRIAL_COPIES 8 /* both ways in turn; the longest of each does not count */
#define TRIAL_COPIES_LARGE 6
#define LARGE_BYTES 65536
#define REST_MIN 16
#define REST_MAX 1024
#define REST_MAX_BYTES (128ULL << 20)
#define PS_PER_NS 1000

void mst_route_init(mst_route *route, mst_route_plan plan, mst_route_aim aim)
{
    *route = (mst_route){ .plan = plan, .aim = aim };
}

void mst_route_inherit(mst_route *route, const mst_route *from)
{
    for (int i = 0; i < MST_ROUTE_SIZES; i++) {
        mst_store32_rlx(&route->sizes[i].around, mst_load32_rlx(&from->sizes[i].around));
        route->sizes[i].rest = REST_MIN;
    }
}

bool mst_route_try(mst_route *route, mst_route_size *size)
{
    if (size->tried == 0)
        size->sum_ps[0] = size->sum_ps[1] = size->longest_ps[0] = size->longest_ps[1] = 0;
    route->began_ns = mst_os_now_ns();
    return size->tried & 1;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value < most ? value : most;
}

static void decide(const mst_route *route, mst_route_size *size, size_t bytes)
{
    int64_t through_ps = size->sum_ps[0] - size->longest_ps[0];
    int64_t around_ps = size->sum_ps[1] - size->longest_ps[1];
    int dearer = route->aim == MST_ROUTE_FOR_READER ? route->plan.dearer : 1;
    int dearer_to_stay = (dearer * 7 + 5) / 10; /* large copies come near the limit at times */
    bool goes_around = mst_load32_rlx(&size->around);
    bool around = through_ps > (goes_around ? dearer_to_stay : dearer) * around_ps;
    bool doubted = around != goes_around;
    uint64_t rest_max = within(REST_MAX_BYTES / bytes, REST_MIN, REST_MAX);

    if (doubted && size->doubted)
        mst_store32_rlx(&size->around, around);
    size->rest_last = (uint16_t)within(doubted ? 0 : 2U * size->rest_last, REST_MIN, rest_max);
    size->rest = size->rest_last;
    size->doubted = doubted;
    size->tried = 0;
}

void mst_route_tried(mst_route *route, size_t bytes)
{
    mst_route_size *size = &route->sizes[mst_route_size_of(bytes)];
    int64_t ps = (mst_os_now_ns() - route->began_ns) * PS_PER_NS / (int64_t)bytes;
    int way = size->tried & 1;

    route->began_ns = 0;
    size->sum_ps[way] += ps;
    if (ps > size->longest_ps[way])
        size->longest_ps[way] = ps;
    if (++size->tried == (bytes < LARGE_BYTES ? TRIAL_COPIES : TRIAL_COPIES_LARGE))
        decide(route, size, bytes);
}
