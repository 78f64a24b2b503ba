/* Implements hierarchy.h. */
#include "shm/base/hierarchy.h"

#include <stddef.h>
#include <stdlib.h>

/* Measured between two CPUs of a fast and of a slow pair, as a round of two ranks takes
 * (docs/PERFORMANCE.md); a core has ten to sixteen loads under way at a time. */
const mst_line_times mst_line_times_default = {
    .near = 110, .far = 320, .more_near = 10, .more_far = 20, .reader = 5
};

/* ---- domains ---- */

/* A hierarchy under construction, and its numbers behind it. */
typedef struct block {
    mst_hierarchy hierarchy;
    int *order, *begin, *domain, *position;
    int numbers[];
} block;

static block *allocate(int size)
{
    size_t count = (size_t)size;
    block *made = malloc(sizeof *made + (4 * count + 1) * sizeof made->numbers[0]);

    if (!made)
        return NULL;
    made->order = made->numbers;
    made->domain = made->order + count;
    made->position = made->domain + count;
    made->begin = made->position + count;
    for (size_t rank = 0; rank < count; rank++)
        made->domain[rank] = -1;
    made->hierarchy = (mst_hierarchy){
        .order = made->order, .begin = made->begin, .domain = made->domain, .position = made->position
    };
    return made;
}

/* Puts a rank, the `number`th of all, into the last domain. A new domain begins if the last one has `most`
 * ranks, or has `least` and this rank uses another cache. */
static void append(block *made, const uint32_t *caches, int number, int rank, int most, int least)
{
    mst_hierarchy *hierarchy = &made->hierarchy;
    int have = number ? number - made->begin[hierarchy->domains - 1] : most;
    bool other = number && caches[made->order[number - 1]] != caches[rank];

    if (have >= most || (other && have >= least)) {
        made->begin[hierarchy->domains++] = number;
        have = 0;
    }
    made->order[number] = rank;
    made->domain[rank] = hierarchy->domains - 1;
    made->position[rank] = have;
    hierarchy->longest = have + 1 > hierarchy->longest ? have + 1 : hierarchy->longest;
}

static mst_hierarchy *divide(const uint32_t *caches, int size, int most, int least)
{
    block *made = allocate(size);
    int count = 0;

    if (!made)
        return NULL;
    for (int first = 0; first < size; first++) {
        bool counted = made->domain[first] >= 0;

        for (int rank = first; rank < size && !counted; rank++)
            if (caches[rank] == caches[first])
                append(made, caches, count++, rank, most, least);
    }
    made->begin[made->hierarchy.domains] = size;
    return &made->hierarchy;
}

/* A cache with few ranks shares its domain with the next one. */
mst_hierarchy *mst_hierarchy_of(const uint32_t *caches, int size, int most)
{
    return divide(caches, size, most, (most + 1) / 2);
}

/* ---- the model ---- */

static bool is_near(const uint32_t *caches, int a, int b)
{
    return caches[a] && caches[a] == caches[b];
}

/* The time until a rank has seen `near` and `far` lines that are stored at the same time. */
static int look_ns(int near, int far, const mst_line_times *times)
{
    if (near + far == 0)
        return 0;
    return far ? times->far + near * times->more_near + (far - 1) * times->more_far
               : times->near + (near - 1) * times->more_near;
}

/* The time of the rank that is farthest from the others. */
int mst_hierarchy_flat_ns(const uint32_t *caches, int size, const mst_line_times *times)
{
    int longest = 0;

    for (int rank = 0; rank < size; rank++) {
        int near = -is_near(caches, rank, rank);

        for (int other = 0; other < size; other++)
            near += is_near(caches, rank, other);
        near = near < 0 ? 0 : near;
        int ns = look_ns(near, size - 1 - near, times);
        longest = ns > longest ? ns : longest;
    }
    return longest;
}

/* The leader sees all arrive, and all see its release. */
static int within_ns(const mst_hierarchy *hierarchy, int domain, const uint32_t *caches,
                     const mst_line_times *times)
{
    const int *ranks = hierarchy->order + hierarchy->begin[domain];
    int size = hierarchy->begin[domain + 1] - hierarchy->begin[domain], near = 0;

    if (size == 1)
        return 0;
    for (int i = 1; i < size; i++)
        near += is_near(caches, ranks[0], ranks[i]);
    return look_ns(near, size - 1 - near, times) + (near == size - 1 ? times->near : times->far) +
           (size - 2) * times->reader;
}

static int between_ns(const mst_hierarchy *hierarchy, const uint32_t *caches, const mst_line_times *times)
{
    int near = 0, others = hierarchy->domains - 1;

    for (int domain = 1; domain <= others; domain++)
        near += is_near(caches, hierarchy->order[0], hierarchy->order[hierarchy->begin[domain]]);
    return near == others ? look_ns(near, 0, times) : look_ns(0, others, times);
}

int mst_hierarchy_ns(const mst_hierarchy *hierarchy, const uint32_t *caches, const mst_line_times *times)
{
    int longest = 0;

    for (int domain = 0; domain < hierarchy->domains; domain++) {
        int ns = within_ns(hierarchy, domain, caches, times);

        longest = ns > longest ? ns : longest;
    }
    return longest + between_ns(hierarchy, caches, times);
}

/* ---- choosing ---- */

static bool are_pretended(const uint32_t *caches, int size)
{
    for (int rank = 0; rank < size; rank++)
        if (!(caches[rank] & MST_CACHE_PRETENDED))
            return false;
    return true;
}

/* What two levels must save, since the model knows neither the CPU nor who is late: a fifth. */
#define FASTER_BY 5

/* The fastest, from domains of four ranks on; *made stays NULL if one level is about as fast. */
static bool choose(const uint32_t *caches, int size, mst_hierarchy **made)
{
    const mst_line_times *times = &mst_line_times_default;
    int flat_ns = mst_hierarchy_flat_ns(caches, size, times), best_ns = flat_ns - flat_ns / FASTER_BY;

    for (int most = 4; most < size; most *= 2) {
        mst_hierarchy *tried = mst_hierarchy_of(caches, size, most);
        if (!tried) {
            free(*made);
            *made = NULL;
            return false;
        }
        int ns = mst_hierarchy_ns(tried, caches, times);
        mst_hierarchy *worse = ns < best_ns ? *made : tried;
        *made = ns < best_ns ? tried : *made;
        best_ns = ns < best_ns ? ns : best_ns;
        free(worse);
    }
    return true;
}

bool mst_hierarchy_make(const uint32_t *caches, int size, bool oversubscribed, mst_hierarchy **made)
{
    *made = NULL;
    if (size > 2 && are_pretended(caches, size)) {
        *made = divide(caches, size, size, 1);
        return *made != NULL;
    }
    return size < MST_HIERARCHY_RANKS_MIN || oversubscribed || choose(caches, size, made);
}
