/* The trials of route.h. */
#include "shm/route.h"

#include "shm/os.h"

#define TRIAL_COPIES 8 /* both ways in turn: the best of four counts */
#define TRIAL_COPIES_LARGE 4
#define LARGE_BYTES 65536
#define REST_MIN 16
#define REST_MAX 1024
#define REST_MAX_BYTES (128ULL << 20)
#define PASSED_BY_MAX 64
#define PS_PER_NS 1000

/* A copy for a reader goes through the cache unless that takes the writer so many times as long. Measured, of
 * many lines, 16 KiB and more: near 1.1 times, far 20; 4 KiB: 4.8 and 13, and near it makes no difference in
 * all. Of few lines, 4 KiB: 1.9 and 5. */
#define DEARER 3
#define DEARER_SMALL 8
#define SMALL_BYTES 8192

void mst_route_init(mst_route *route, mst_route_plan plan, mst_route_aim aim)
{
    *route = (mst_route){ .plan = plan, .aim = aim, .around = plan.fixed, .rest = plan.fixed };
}

static int size_class_of(size_t bytes)
{
    return 63 - __builtin_clzll(bytes | 1);
}

static void begin_trial(mst_route *route, int size_class)
{
    route->tried = route->passed_by = 0;
    route->size_class = size_class;
    route->best_ps[0] = route->best_ps[1] = INT64_MAX;
}

bool mst_route_try(mst_route *route, size_t bytes)
{
    int size_class = size_class_of(bytes);

    if (route->tried == 0)
        begin_trial(route, size_class);
    if (size_class != route->size_class) {
        if (++route->passed_by == PASSED_BY_MAX) /* few are of that size: try another */
            route->tried = 0;
        return route->around;
    }
    route->began_ns = mst_os_now_ns();
    return route->tried & 1;
}

/* How many times as long the way through the cache may take. */
static int64_t dearer_by(const mst_route *route, size_t bytes)
{
    if (route->aim == MST_ROUTE_FOR_WRITER)
        return 1;
    return route->aim == MST_ROUTE_FOR_READER_OF_MANY && bytes < SMALL_BYTES ? DEARER_SMALL : DEARER;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value < most ? value : most;
}

static void decide(mst_route *route, size_t bytes)
{
    bool around = route->best_ps[0] > dearer_by(route, bytes) * route->best_ps[1];
    uint64_t rest = around == route->around ? 2 * route->rest_last : 0;
    uint64_t rest_max = within(REST_MAX_BYTES / bytes, REST_MIN, REST_MAX);

    route->around = around;
    route->rest = route->rest_last = (uint32_t)within(rest, REST_MIN, rest_max);
    route->tried = 0;
}

void mst_route_tried(mst_route *route, size_t bytes)
{
    int64_t ps = (mst_os_now_ns() - route->began_ns) * PS_PER_NS / (int64_t)bytes;
    int64_t *best_ps = &route->best_ps[route->tried & 1];

    route->began_ns = 0;
    if (ps < *best_ps)
        *best_ps = ps;
    if (++route->tried == (bytes < LARGE_BYTES ? TRIAL_COPIES : TRIAL_COPIES_LARGE))
        decide(route, bytes);
}
