/* How many CPUs the system allows this process to use. */
#include "muster/muster.h"
#include "shm/port/os.h"

static int count_allowed(void)
{
    uint64_t mask[MST_CPUS_MAX / 64] = { 0 };
    int count = 0;

    mst_os_cpus_allowed(mask);
    for (int i = 0; i < MST_CPUS_MAX / 64; i++)
        for (uint64_t bits = mask[i]; bits; bits &= bits - 1)
            count++;
    return count;
}

int muster_cpu_count(void)
{
    int allowed = count_allowed(), quota = mst_os_cpu_quota();
    int count = quota < allowed ? quota : allowed;

    return count > 0 ? count : 1;
}
