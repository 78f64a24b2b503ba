/*
 * What control groups and the machine allow this process: memory and CPU time. This header depends on nothing
 * else of the library, because `muster doctor` and the launcher use it too.
 *
 * `root` is prepended to every path that is read: "" for the running system, a directory of sample files for
 * tests.
 */
#ifndef MST_CGROUP_H
#define MST_CGROUP_H

#include <stdint.h>

/* The most restrictive of the process's group and its ancestors. */
typedef struct mst_cgroup_memory {
    uint64_t left_bytes;  /* until the system kills a process of the group; UINT64_MAX: no limit */
    uint64_t limit_bytes; /* of memory, without swap */
    char group[160]; /* its path, such as "/docker/4f2e"; "/": the mount, which is all that a container can
                        see */
} mst_cgroup_memory;

/* Reads some files, which takes tens of microseconds. If less than `enough` bytes are free, it also counts
 * the memory that the system can reclaim, which takes as long again; otherwise left_bytes is a lower
 * bound. */
void mst_cgroup_memory_get(const char *root, uint64_t enough, mst_cgroup_memory *memory);

/* What the machine could give before it kills a process: memory without swapping, and free swap. UINT64_MAX:
 * it does not say. */
uint64_t mst_machine_memory_left(const char *root);

/* How many processes of the group the kernel's OOM killer has killed so far; 0: none, or unknown. */
uint64_t mst_cgroup_memory_kills(const char *root);

/* CPU quota in CPUs (CPU time per second), the least of the process's group and its ancestors; 0: no limit.
 */
double mst_cgroup_quota(const char *root);

/* The same rounded up; INT32_MAX: no limit. */
int mst_cgroup_cpus(const char *root);

#endif
