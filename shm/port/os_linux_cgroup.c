/*
 * Control-group limits of cgroup.h, on Linux.
 *
 * /proc/self/cgroup gives the process's group as a path below the mount of the controller (v1) or of the
 * unified hierarchy (v2). Limits of all ancestors apply, so the walk goes up to the mount. In a container
 * that path may be the host's, of which only the last group is visible, at the mount itself: then only the
 * mount is read.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/port/cgroup.h"
#include "shm/port/os.h"

#define MOUNT "/sys/fs/cgroup"
#define NO_LIMIT (1ULL << 62) /* v1 writes "no limit" as a number near 2^63 */

typedef struct group {
    const char *root;
    char directory[700];
    size_t mount_bytes; /* length of the part that is the mount */
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

static FILE *open_below(const char *root, const char *path)
{
    char whole[800];

    snprintf(whole, sizeof whole, "%s%s", root, path);
    return fopen(whole, "re");
}

static bool find_group(const char *root, const char *controller, group *found)
{
    FILE *file = open_below(root, "/proc/self/cgroup");
    char line[400];
    bool any = false;

    found->root = root;
    while (file && fgets(line, sizeof line, file)) {
        bool legacy = names(line, controller), unified = strncmp(line, "0::", 3) == 0;
        const char *path = strchr(line, ':');

        path = path ? strchr(path + 1, ':') : NULL; /* after the second ':'; the path may contain more */
        if (!path || !(legacy || (unified && !any)))
            continue;
        line[strcspn(line, "\n")] = '\0';
        found->unified = !legacy;
        found->mount_bytes = (size_t)snprintf(found->directory, sizeof found->directory, "%s" MOUNT "%s%s",
                                              root, legacy ? "/" : "", legacy ? controller : "");
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

/* Goes to the parent group; false: this is the mount. */
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
    char path[sizeof group->directory + 60];

    snprintf(path, sizeof path, "%s/%s", group->directory, name);
    return fopen(path, "re");
}

/* Reads up to two numbers of the file's first line and returns how many there were; "max" is none. */
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

/* The number of the line "name number" of a file; 0: there is none. */
static unsigned long long read_line(FILE *file, const char *name)
{
    unsigned long long value = 0;
    size_t bytes = strlen(name);
    char line[160];

    if (!file)
        return 0;
    rewind(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, bytes) == 0 && (line[bytes] == ' ' || line[bytes] == ':'))
            value = strtoull(line + bytes + 1, NULL, 10);
    return value;
}

/* What the kernel reclaims before it refuses memory or kills: page cache and reclaimable slab. */
static uint64_t read_reclaimable(const group *group)
{
    static const char *const unified[] = { "active_file", "inactive_file", "slab_reclaimable" };
    static const char *const legacy[] = { "total_active_file", "total_inactive_file" };
    FILE *file = open_file(group, "memory.stat");
    uint64_t sum = 0;

    for (int i = 0; i < (group->unified ? 3 : 2); i++)
        sum += read_line(file, group->unified ? unified[i] : legacy[i]);
    if (file)
        fclose(file);
    return sum;
}

static uint64_t read_free_swap(const char *root)
{
    FILE *file = open_below(root, "/proc/meminfo");
    uint64_t bytes = read_line(file, "SwapFree") * 1024;

    if (file)
        fclose(file);
    return bytes;
}

/* ZFS's cache, which the kernel does not count as available; lines are of a name, a type and a number. */
static uint64_t read_shrinkable_cache(const char *root)
{
    FILE *file = open_below(root, "/proc/spl/kstat/zfs/arcstats");
    unsigned long long value, size = 0, least = 0;
    char line[160], name[64];

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%63s %*s %llu", name, &value) == 2) {
            size = strcmp(name, "size") == 0 ? value : size;
            least = strcmp(name, "c_min") == 0 ? value : least;
        }
    if (file)
        fclose(file);
    return size > least ? size - least : 0;
}

uint64_t mst_machine_memory_left(const char *root)
{
    FILE *file = open_below(root, "/proc/meminfo");
    uint64_t available = read_line(file, "MemAvailable") * 1024, swap = read_line(file, "SwapFree") * 1024;

    if (file)
        fclose(file);
    return available ? available + swap + read_shrinkable_cache(root) : UINT64_MAX;
}

/* ---- CPU time ---- */

/* In CPUs; 0: the group has none. */
static double quota_of(const group *group)
{
    long long numbers[2] = { 0, 0 }, period[2] = { 0, 0 };

    if (group->unified) {
        if (read_numbers(group, "cpu.max", numbers) < 2)
            return 0;
        period[0] = numbers[1];
    } else if (read_numbers(group, "cpu.cfs_quota_us", numbers) < 1 ||
               read_numbers(group, "cpu.cfs_period_us", period) < 1) {
        return 0;
    }
    return numbers[0] > 0 && period[0] > 0 ? (double)numbers[0] / (double)period[0] : 0;
}

double mst_cgroup_quota(const char *root)
{
    double least = 0;
    group group;

    if (!find_group(root, "cpu", &group))
        return 0;
    do {
        double quota = quota_of(&group);

        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    } while (go_up(&group));
    return least;
}

int mst_cgroup_cpus(const char *root)
{
    double quota = mst_cgroup_quota(root);

    if (quota == 0 || quota >= INT_MAX)
        return INT_MAX;
    return (int)quota + ((int)quota < quota);
}

int mst_os_cpu_quota(void)
{
    return mst_cgroup_cpus("");
}

/* ---- memory ---- */

/* The limit, and limit minus usage, which may be negative; false: there is no limit. */
static bool read_margin(const group *group, const char *limit_name, const char *usage_name, uint64_t *limit,
                        int64_t *margin)
{
    long long most[2] = { 0, 0 }, usage[2] = { 0, 0 };

    if (read_numbers(group, limit_name, most) < 1 || (unsigned long long)most[0] >= NO_LIMIT ||
        read_numbers(group, usage_name, usage) < 1)
        return false;
    *limit = (uint64_t)most[0];
    *margin = most[0] - usage[0];
    return true;
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Arena memory can be swapped out. v1 limits memory + swap together, v2 limits each. */
static uint64_t memory_left_of(const group *group, uint64_t enough, uint64_t *limit)
{
    static const char *const names[2][4] = {
        { "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.memsw.limit_in_bytes",
          "memory.memsw.usage_in_bytes" },
        { "memory.max", "memory.current", "memory.swap.max", "memory.swap.current" },
    };
    const char *const *name = names[group->unified];
    int64_t left, more;
    uint64_t ignored;

    if (!read_margin(group, name[0], name[1], limit, &left))
        return UINT64_MAX;
    if (left >= 0 && (uint64_t)left >= enough)
        return (uint64_t)left;
    int64_t reclaimable = (int64_t)read_reclaimable(group), swap = (int64_t)read_free_swap(group->root);
    bool limited = read_margin(group, name[2], name[3], &ignored, &more);
    left += reclaimable;
    if (limited && group->unified)
        left += least_of(swap, more);
    else
        left = limited ? least_of(left + swap, more + reclaimable) : left + swap;
    left = least_of(left, (int64_t)*limit + swap); /* the counters were read at different moments */
    return left > 0 ? (uint64_t)left : 0;
}

void mst_cgroup_memory_get(const char *root, uint64_t enough, mst_cgroup_memory *memory)
{
    group group;

    *memory = (mst_cgroup_memory){ .left_bytes = UINT64_MAX, .limit_bytes = UINT64_MAX };
    if (!find_group(root, "memory", &group))
        return;
    do {
        uint64_t limit = UINT64_MAX, left = memory_left_of(&group, enough, &limit);

        if (left >= memory->left_bytes)
            continue;
        memory->left_bytes = left;
        memory->limit_bytes = limit;
        const char *path = group.directory + group.mount_bytes;
        snprintf(memory->group, sizeof memory->group, "%s", path[0] ? path : "/");
    } while (go_up(&group));
}

uint64_t mst_cgroup_memory_kills(const char *root)
{
    group group;

    if (!find_group(root, "memory", &group))
        return 0;
    FILE *file = open_file(&group, group.unified ? "memory.events" : "memory.oom_control");
    while (!file && go_up(&group)) /* a container sees only its own group, at the mount */
        file = open_file(&group, group.unified ? "memory.events" : "memory.oom_control");
    uint64_t kills = read_line(file, "oom_kill");
    if (file)
        fclose(file);
    return kills;
}
