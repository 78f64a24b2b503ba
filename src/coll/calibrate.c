/*
 * Finds out, when a world is made, from which size on this rank should copy into staging around its
 * cache. A peer fetches a line faster from memory than out of our cache when the two CPUs are far
 * apart, and storing to a line that a peer has just read is slow; by how much depends on the pair of
 * CPUs, which the host may change and which the reported topology gets wrong. So it is measured: all
 * ranks stage, step and read their neighbour's slot, in turn by either kind of store, at four sizes.
 * Once per world. Every rank takes the same steps whatever it finds; when one is
 * out of time, because the machine is busy, all stop at the same step. Then, and where ranks outnumber
 * CPUs, the table's value stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/os.h"
#include "src/coll/coll.h"

#define REPETITIONS 9
#define BLOCK_BYTES 4096
#define BUDGET_NS (4 * MST_NS_PER_MS)

static const size_t sizes[] = { 4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024 };
#define SIZES (sizeof sizes / sizeof sizes[0])

static void stage(const muster_group *world, unsigned char *slot, size_t size, bool stream)
{
    static const unsigned char block[BLOCK_BYTES];

    for (size_t at = 0; at < size; at += BLOCK_BYTES)
        if (stream)
            world->kernels->stream(slot + at, block, BLOCK_BYTES);
        else
            memcpy(slot + at, block, BLOCK_BYTES);
}

static muster_status failed(muster_group *world, mst_wait_result result, int missing)
{
    char late[40];

    snprintf(late, sizeof late, "rank %d", missing);
    return mst_group_wait_failed(world, result, "making the world", late);
}

/* Whether some rank was out of time when it arrived: all see the same, since it came with the arrival. */
static bool anyone_out_of_time(const muster_group *world)
{
    for (int rank = 0; rank < world->size; rank++)
        if (mst_lane_arrival(&world->steps, rank)->request) /* E2: read once */
            return true;
    return false;
}

/* One step of all, with word whether this rank is out of time; *go_on: all ranks have time for more. */
static muster_status step(muster_group *world, int64_t until_ns, bool *go_on)
{
    int missing;

    mst_lane_next(&world->steps)->request = mst_os_now_ns() > until_ns; /* published by E2 */
    mst_lane_begin(&world->steps);
    mst_wait_result result = mst_lane_step(&world->steps, &missing);
    if (result != MST_WAIT_READY)
        return failed(world, result, missing);
    *go_on = !anyone_out_of_time(world);
    return MUSTER_OK;
}

/* One exchange, and how long it took. All begin together: who still reads what was exchanged last would
 * make the others wait, and its time would be counted in theirs. */
static muster_status exchange(muster_group *world, size_t size, bool stream, int64_t until_ns, int64_t *ns,
                              bool *go_on)
{
    const mst_subarena *subarena = world->subarena;
    int neighbour = (world->rank + 1) % world->size;

    muster_status status = step(world, until_ns, go_on);
    if (status != MUSTER_OK || !*go_on)
        return status;
    int64_t began_ns = mst_os_now_ns();
    /* In the second half of the ring: the first operation begins at its beginning, while others may
     * still read what is exchanged last. */
    size_t at = mst_staging_ring_at(&world->staging) +
                (2 + (world->steps.step >> 1 & 1)) * mst_staging_piece_max(&world->staging, MST_STAGING_RING);

    stage(world, subarena->staging[world->rank] + at, size, stream);
    status = step(world, until_ns, go_on);
    if (status != MUSTER_OK)
        return status;
    /* Looking for a byte that is not there reads everything, and the compiler cannot leave it out. */
    int64_t found = memchr(subarena->staging[neighbour] + at, 1, size) != NULL;
    *ns = mst_os_now_ns() - began_ns + found;
    return MUSTER_OK;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static muster_status compare_stores(muster_group *world, size_t size, int64_t until_ns, bool *stream_wins,
                                    bool *go_on)
{
    int64_t ns[2][REPETITIONS];

    for (int i = 0; i < 2 * REPETITIONS && *go_on; i++) {
        muster_status status = exchange(world, size, i & 1, until_ns, &ns[i & 1][i / 2], go_on);
        if (status != MUSTER_OK)
            return status;
    }
    if (!*go_on)
        return MUSTER_OK;
    qsort(ns[0], REPETITIONS, sizeof ns[0][0], by_value);
    qsort(ns[1], REPETITIONS, sizeof ns[1][0], by_value);
    /* Between equals, around the cache: memcpy does so by itself at some sizes (rep movsb), and loses at
     * others. Where CPUs are near it wins by a factor. */
    *stream_wins = ns[1][REPETITIONS / 2] < ns[0][REPETITIONS / 2] + ns[0][REPETITIONS / 2] / 8;
    return MUSTER_OK;
}

muster_status mst_calibrate(muster_group *world)
{
    size_t slot_bytes = mst_staging_piece_max(&world->staging, MST_STAGING_RING), from = SIZE_MAX;
    int64_t until_ns = mst_os_now_ns() + BUDGET_NS;
    bool go_on = true;

    if (world->size == 1 || world->subarena->attachment->policy.spin_ns == 0)
        return MUSTER_OK;
    for (size_t i = 0; i < SIZES && sizes[i] <= slot_bytes; i++) {
        bool stream_wins = false;

        muster_status status = compare_stores(world, sizes[i], until_ns, &stream_wins, &go_on);
        if (status != MUSTER_OK || !go_on)
            return status;
        from = !stream_wins ? SIZE_MAX : from == SIZE_MAX ? sizes[i] : from;
    }
    world->tuning.stream_in_bytes = from;
    return MUSTER_OK;
}
