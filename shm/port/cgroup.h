/*
 * What control groups allow this process: memory and CPU time. Needs nothing else of the library, since
 * `muster doctor` and the launcher look, too.
 *
 * `root` comes before every path that is read: "" for the system, a folder for tests.
 */
#ifndef MST_CGROUP_H
#define MST_CGROUP_H

#include <stdint.h>

/* The group, of those that the process is in, that leaves it least memory. */
typedef struct mst_cgroup_memory {
    uint64_t left_bytes;  /* until the system kills a process of the group; UINT64_MAX: no limit */
    uint64_t limit_bytes; /* of memory, without swap */
    char group[160];      /* "/docker/4f2e"; "/": as far as a container can see */
} mst_cgroup_memory;

/* Reads files: some tens of microseconds, and as much again unless `enough` bytes are left without what the
 * system would have to give up for them; then left_bytes is no more than so many at least. */
void mst_cgroup_memory_get(const char *root, uint64_t enough, mst_cgroup_memory *memory);

/* How many processes of the group the system has killed so far since its memory was used up; 0: none, or it
 * does not say. */
uint64_t mst_cgroup_memory_kills(const char *root);

/* CPU time per second that is allowed, in CPUs rounded up; INT32_MAX: no limit. */
int mst_cgroup_cpus(const char *root);

#endif
