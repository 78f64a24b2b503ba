/* Contended CPUs, and ranks that share one (place.h). */
#include "shm/wait/place.h"

#include "shm/base/deadline.h"
#include "shm/port/os.h"

/* How long the CPU counts as contended after a long yield: each trial may cost a time slice, so it doubles
 * while they fail. */
#define CONTENDED_NS_MIN (100 * MST_NS_PER_MS)
#define CONTENDED_NS_MAX (2 * MST_NS_PER_S)
/* A sleep now and then lets the kernel wake a rank on an idle CPU; while ranks on one CPU only yield to each
 * other, it leaves them there. */
#define BESIDE_WAITS_PER_SLEEP 256

uint32_t mst_place_publish(const mst_place *place)
{
    uint32_t cpu = (uint32_t)(mst_os_cpu() + 1);

    if (mst_load32_rlx(place->cpu) != cpu)
        mst_store32_rlx(place->cpu, cpu);
    return cpu;
}

void mst_place_count_beside(mst_place *place)
{
    mst_store32_rlx(&place->waits_beside, mst_load32_rlx(&place->waits_beside) + 1);
}

bool mst_place_should_part(const mst_place *place)
{
    return mst_load32_rlx(&place->waits_beside) % BESIDE_WAITS_PER_SLEEP == 0;
}

bool mst_place_is_contended(const mst_place *place, int64_t now_ns)
{
    return now_ns < (int64_t)mst_load64_rlx(&place->contended_until_ns);
}

#define SLICES_LOST_IN_A_ROW 3 /* the first of them suspected, the others timed */

void mst_place_suspect(mst_place *place)
{
    mst_store32_rlx(&place->slices_lost, 1);
}

bool mst_place_is_suspect(const mst_place *place)
{
    return mst_load32_rlx(&place->slices_lost) != 0;
}

void mst_place_note_yields(mst_place *place, bool lost_slice)
{
    uint32_t lost = lost_slice ? mst_load32_rlx(&place->slices_lost) + 1 : 0;

    if (lost >= SLICES_LOST_IN_A_ROW)
        mst_place_note_contention(place, mst_os_now_ns());
    mst_store32_rlx(&place->slices_lost, lost < SLICES_LOST_IN_A_ROW ? lost : 1);
}

void mst_place_note_contention(mst_place *place, int64_t now_ns)
{
    int64_t latest_ns = (int64_t)mst_load64_rlx(&place->contended_ns);
    bool again = now_ns - (int64_t)mst_load64_rlx(&place->contended_until_ns) < latest_ns;
    int64_t next_ns = again ? 2 * latest_ns : CONTENDED_NS_MIN;
    next_ns = next_ns < CONTENDED_NS_MAX ? next_ns : CONTENDED_NS_MAX;
    mst_store64_rlx(&place->contended_ns, (uint64_t)next_ns);
    mst_store64_rlx(&place->contended_until_ns, (uint64_t)(now_ns + next_ns));
}
