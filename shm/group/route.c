/* The trials of route.h. One is not believed: some copies happen to be fast, or slow. */
#include "shm/group/route.h"

#include "shm/port/os.h"

#define TRIAL_COPIES 8 /* both ways in turn; the longest of each does not count */
#define TRIAL_COPIES_LARGE 6
#define LARGE_BYTES 65536
#define REST_MIN 16
#define REST_MIN_LARGE 4 /* those of 256 KiB and more are far apart anyway */
#define REST_MIN_BYTES (1ULL << 20)
#define REST_MAX 1024
#define REST_MAX_BYTES (128ULL << 20)
#define LAP_BYTES (2ULL << 20) /* of the largest ring: so many are written before it is written again */
#define PS_PER_NS 1000

void mst_route_init(mst_route *route, mst_route_plan plan, mst_route_aim aim)
{
    *route = (mst_route){ .plan = plan, .aim = aim };
}

void mst_route_inherit(mst_route *route, const mst_route *from)
{
    for (int i = 0; i < MST_ROUTE_SIZES; i++)
        mst_store32_rlx(&route->sizes[i].around, mst_load32_rlx(&from->sizes[i].around));
}

/* The nearest size that has found a way; itself, if there is none. */
static const mst_route_size *nearest_decided(const mst_route *route, int at)
{
    for (int apart = 1; apart < MST_ROUTE_SIZES; apart++) {
        if (at - apart >= 0 && route->sizes[at - apart].decided)
            return &route->sizes[at - apart];
        if (at + apart < MST_ROUTE_SIZES && route->sizes[at + apart].decided)
            return &route->sizes[at + apart];
    }
    return &route->sizes[at];
}

/* The first copy of a size. */
static bool meet(mst_route *route, size_t bytes)
{
    int at = mst_route_size_of(bytes);
    mst_route_size *size = &route->sizes[at];
    bool around = mst_load32_rlx(&nearest_decided(route, at)->around);

    mst_store32_rlx(&size->around, around);
    size->rest = (uint16_t)(LAP_BYTES / bytes);
    size->met = true;
    return around;
}

bool mst_route_try(mst_route *route, size_t bytes)
{
    mst_route_size *size = &route->sizes[mst_route_size_of(bytes)];

    if (!size->met)
        return meet(route, bytes);
    if (size->tried == 0)
        size->sum_ps[0] = size->sum_ps[1] = size->longest_ps[0] = size->longest_ps[1] = 0;
    route->began_ns = mst_os_now_ns();
    return size->tried & 1;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value < most ? value : most;
}

/* What one size has found out others may find out soon. */
static void change(mst_route *route, mst_route_size *size, bool around)
{
    mst_store32_rlx(&size->around, around);
    for (int i = 0; i < MST_ROUTE_SIZES; i++)
        if (route->sizes[i].rest > REST_MIN)
            route->sizes[i].rest = REST_MIN;
}

static void decide(mst_route *route, mst_route_size *size, size_t bytes)
{
    int64_t through_ps = size->sum_ps[0] - size->longest_ps[0];
    int64_t around_ps = size->sum_ps[1] - size->longest_ps[1];
    int dearer = route->aim == MST_ROUTE_FOR_READER ? route->plan.dearer : 1;
    int dearer_to_stay = (dearer * 7 + 5) / 10; /* large copies come near the limit at times */
    bool goes_around = mst_load32_rlx(&size->around);
    bool around = through_ps > (goes_around ? dearer_to_stay : dearer) * around_ps;
    bool doubted = around != goes_around;
    uint64_t rest_min = within(REST_MIN_BYTES / bytes, REST_MIN_LARGE, REST_MIN);
    uint64_t rest_max = within(REST_MAX_BYTES / bytes, REST_MIN, REST_MAX);

    if (doubted && size->doubted)
        change(route, size, around);
    size->rest_last = (uint16_t)(doubted ? rest_min : within(2U * size->rest_last, REST_MIN, rest_max));
    size->rest = size->rest_last;
    size->decided = true;
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
