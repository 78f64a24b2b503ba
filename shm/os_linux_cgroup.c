/*
 * What control groups allow, on Linux: of os.h.
 *
 * /proc/self/cgroup says which group the process is in, as a path below the mount of the controller (v1), or
 * of all of them (v2); a limit of any group on the way up is one. In a container that path may be the
 * host's, of which only the end is to be seen, at the mount itself: then that is looked at alone.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/os.h"

#define MOUNT "/sys/fs/cgroup"
#define NO_LIMIT (1ULL << 62) /* v1 says so by a number near 2^63 */

typedef struct group {
    char directory[512];
    size_t mount_bytes; /* the part of it that is the mount */
    bool unified;       /* v2 */
} group;

/* ---- which group ---- */

/* Whether a line "4:cpu,cpuacct:/path" is about the controller. */
static bool names(const char *line, const char *controller)
{
    const char *at = strchr(line, ':'), *end = at ? strchr(at + 1, ':') : NULL;
    size_t bytes = strlen(controller);

    while (at && end && at < end) {
        at++;
        if (strncmp(at, controller, bytes) == 0 && (at[bytes] == ',' || at[bytes] == ':'))
            return true;
        at = strpbrk(at, ",:");
    }
    return false;
}

static bool find_group(const char *controller, group *found)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[400];
    bool any = false;

    while (file && fgets(line, sizeof line, file)) {
        bool legacy = names(line, controller), unified = strncmp(line, "0::", 3) == 0;
        const char *path = strrchr(line, ':');

        if (!path || !(legacy || (unified && !any)))
            continue;
        line[strcspn(line, "\n")] = '\0';
        found->unified = !legacy;
        found->mount_bytes = (size_t)snprintf(found->directory, sizeof found->directory, MOUNT "%s%s",
                                              legacy ? "/" : "", legacy ? controller : "");
        snprintf(found->directory + found->mount_bytes, sizeof found->directory - found->mount_bytes, "%s",
                 strcmp(path + 1, "/") == 0 ? "" : path + 1);
        any = true;
        if (legacy)
            break;
    }
    if (file)
        fclose(file);
    return any;
}

/* The group above; false at the mount. */
static bool go_up(group *group)
{
    char *slash = strrchr(group->directory, '/');

    if (strlen(group->directory) <= group->mount_bytes || !slash)
        return false;
    *slash = '\0';
    return true;
}

/* ---- its files ---- */

static FILE *open_file(const group *group, const char *name)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s", group->directory, name);
    return fopen(path, "re");
}

/* Up to two numbers of the file's first line; how many. "max" is none. */
static int read_numbers(const group *group, const char *name, long long numbers[2])
{
    FILE *file = open_file(group, name);
    int count = 0;

    if (!file)
        return 0;
    count = fscanf(file, "%lld %lld", &numbers[0], &numbers[1]);
    fclose(file);
    return count < 0 ? 0 : count;
}

/* The sum of two lines "name number" of the group's memory statistics. */
static unsigned long long read_file_pages(const group *group)
{
    FILE *file = open_file(group, "memory.stat");
    const char *prefix = group->unified ? "" : "total_";
    unsigned long long sum = 0, value;
    char line[128], active[40], inactive[40];

    snprintf(active, sizeof active, "%sactive_file %%llu", prefix);
    snprintf(inactive, sizeof inactive, "%sinactive_file %%llu", prefix);
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, active, &value) == 1 || sscanf(line, inactive, &value) == 1)
            sum += value;
    if (file)
        fclose(file);
    return sum;
}

/* ---- what os.h asks ---- */

static int quota_of(const group *group)
{
    long long numbers[2] = { 0, 0 }, period[2] = { 0, 0 };

    if (group->unified) {
        if (read_numbers(group, "cpu.max", numbers) < 2)
            return INT_MAX;
        period[0] = numbers[1];
    } else if (read_numbers(group, "cpu.cfs_quota_us", numbers) < 1 ||
               read_numbers(group, "cpu.cfs_period_us", period) < 1) {
        return INT_MAX;
    }
    if (numbers[0] <= 0 || period[0] <= 0)
        return INT_MAX;
    long long cpus = (numbers[0] + period[0] - 1) / period[0];
    return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

int mst_os_cpu_quota(void)
{
    int least = INT_MAX;
    group group;

    if (!find_group("cpu", &group))
        return least;
    do {
        int quota = quota_of(&group);

        least = quota < least ? quota : least;
    } while (go_up(&group));
    return least;
}

static uint64_t memory_left_of(const group *group)
{
    long long limit[2] = { 0, 0 }, usage[2] = { 0, 0 };

    if (read_numbers(group, group->unified ? "memory.max" : "memory.limit_in_bytes", limit) < 1 ||
        (unsigned long long)limit[0] >= NO_LIMIT ||
        read_numbers(group, group->unified ? "memory.current" : "memory.usage_in_bytes", usage) < 1)
        return UINT64_MAX;
    /* What is cached of files is given up before anything is refused. */
    unsigned long long files = read_file_pages(group), used = (unsigned long long)usage[0];
    used -= files < used ? files : used;
    return used < (unsigned long long)limit[0] ? (unsigned long long)limit[0] - used : 0;
}

uint64_t mst_os_memory_left(void)
{
    uint64_t least = UINT64_MAX;
    group group;

    if (!find_group("memory", &group))
        return least;
    do {
        uint64_t left = memory_left_of(&group);

        least = left < least ? left : least;
    } while (go_up(&group));
    return least;
}
