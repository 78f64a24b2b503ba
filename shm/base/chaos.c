/* Delays of chaos.h. */
#include "shm/base/chaos.h"

#include "shm/port/os.h"

_Atomic uint64_t mst_chaos_seed;
static _Atomic uint64_t edges; /* passed so far */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL; /* splitmix64 */
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void mst_chaos_begin(uint64_t seed, uint32_t number)
{
    mst_store64_rlx(&mst_chaos_seed, mix(seed + ((uint64_t)number << 32)) | 1);
}

static void work_for(int64_t ns)
{
    int64_t until_ns = mst_os_now_ns() + ns;

    while (mst_os_now_ns() < until_ns)
        continue;
}

void mst_chaos_delay(void)
{
    uint64_t drawn = mix(mst_load64_rlx(&mst_chaos_seed) + 0x9e3779b97f4a7c15ULL * mst_add64_rlx(&edges, 1));
    int64_t part = (int64_t)(drawn >> 32 & 1023);

    if (drawn % 1024 == 0)
        mst_os_sleep(20 * MST_NS_PER_MS);
    else if (drawn % 32 == 1)
        mst_os_sleep(part * 1000);
    else if (drawn % 8 == 2)
        work_for(part * 20);
    else if (drawn % 64 == 3)
        mst_os_sleep(1); /* lets other threads run first */
}
