/* The part of the port contract of os.h that tells what CPU this is, and what a user keeps in a file about
 * it, on Linux. */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#define FSRM (1U << 4) /* of edx of leaf 7 */

/* Three instructions, of which each costs some 2 us on a virtual machine. */
static void identify(mst_cpu_kind *kind)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
    unsigned leaves = a, vendor[3] = { b, d, c };
    memcpy(kind->vendor, vendor, sizeof vendor);
    __cpuid(1, a, b, c, d);
    kind->stepping = a & 15;
    kind->model = a >> 4 & 15;
    kind->family = a >> 8 & 15;
    if (kind->family == 6 || kind->family == 15)
        kind->model |= (a >> 16 & 15) << 4;
    if (kind->family == 15)
        kind->family += a >> 20 & 255;
    if (leaves >= 7) {
        __cpuid_count(7, 0, a, b, c, d);
        kind->quick_rep_movs = d & FSRM;
    }
}
#else
static void identify(mst_cpu_kind *kind)
{
    struct utsname name;

    if (uname(&name) == 0)
        snprintf(kind->vendor, sizeof kind->vendor, "%s", name.machine);
}
#endif

/* libc has looked when the process began. */
static uint64_t cache_bytes(int which)
{
    long bytes = sysconf(which);

    return bytes > 0 ? (uint64_t)bytes : 0;
}

void mst_os_cpu_kind_get(mst_cpu_kind *kind)
{
    *kind = (mst_cpu_kind){ .family = 0 };
    identify(kind);
#ifdef _SC_LEVEL3_CACHE_SIZE /* GNU's */
    kind->last_cache_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE);
#endif
}

void mst_os_host_name(char *name, size_t bytes)
{
    struct utsname system;

    snprintf(name, bytes, "%s", uname(&system) == 0 ? system.nodename : "");
}

void mst_os_machine(char *text, size_t bytes)
{
    char boot[40] = "", name[sizeof(struct utsname)];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (file && !fgets(boot, sizeof boot, file))
        boot[0] = '\0';
    if (file)
        fclose(file);
    mst_os_host_name(name, sizeof name);
    memset(text, 0, bytes);
    snprintf(text, bytes, "%s %s", name, boot);
}

/* ---- files ---- */

static int read_all(int fd, char *text, size_t bytes)
{
    size_t got = 0;

    while (got < bytes) {
        ssize_t now = read(fd, text + got, bytes - got);

        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return -errno;
        if (now == 0) {
            text[got] = '\0';
            return (int)got;
        }
        got += (size_t)now;
    }
    return -EFBIG;
}

/* A pipe or a terminal in its place must not hold us up, hence O_NONBLOCK and O_NOCTTY. */
int mst_os_text_read(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;

    if (fd < 0)
        return -errno;
    int result = fstat(fd, &info) == 0 ? 0 : -errno;
    if (result == 0 && (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022)))
        result = -EPERM;
    if (result == 0)
        result = read_all(fd, text, bytes);
    close(fd);
    return result;
}

static int make_folders(const char *path, size_t from)
{
    char folder[512];

    if (strlen(path) >= sizeof folder)
        return -ENAMETOOLONG;
    for (const char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
        if (folder[0] && mkdir(folder, 0700) != 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t now = write(fd, text, bytes);

        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return -errno;
        text += now;
        bytes -= (size_t)now;
    }
    return fchmod(fd, 0600) == 0 ? 0 : -errno;
}

/* ---- caches ---- */

#define CACHES_MAX 10

/* Takes "0-7,64-71" off the set, and returns 1 + the first CPU; 0: this is no such list. */
static uint32_t take_list(const char *list, uint64_t set[MST_CPUS_MAX / 64])
{
    uint32_t first = 0;

    while (isdigit((unsigned char)*list)) {
        char *end;
        unsigned long from = strtoul(list, &end, 10);
        unsigned long to = *end == '-' ? strtoul(end + 1, &end, 10) : from;

        first = first || from >= MST_CPUS_MAX ? first : (uint32_t)from + 1;
        for (unsigned long cpu = from; cpu <= to && cpu < MST_CPUS_MAX; cpu++)
            set[cpu / 64] &= ~(1ULL << cpu % 64);
        list = *end == ',' ? end + 1 : end;
    }
    return *list == '\n' || *list == '\0' ? first : 0;
}

/* Of the caches of a CPU the last one that the system tells of is of the highest level. */
static bool read_last_list(int cpu, char *list, size_t bytes)
{
    bool found = false;

    for (int index = 0; index < CACHES_MAX; index++) {
        char path[80];

        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list", cpu,
                 index);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
        found = read_all(fd, list, bytes) > 0;
        close(fd);
    }
    return found;
}

uint32_t mst_os_last_cache(const uint64_t cpus[MST_CPUS_MAX / 64])
{
    uint64_t left[MST_CPUS_MAX / 64];
    char list[1024];
    int cpu = 0;

    memcpy(left, cpus, sizeof left);
    while (cpu < MST_CPUS_MAX && !(cpus[cpu / 64] >> cpu % 64 & 1))
        cpu++;
    uint32_t first = cpu < MST_CPUS_MAX && read_last_list(cpu, list, sizeof list) ? take_list(list, left) : 0;
    for (int i = 0; i < MST_CPUS_MAX / 64; i++)
        if (left[i])
            return 0;
    return first;
}

/* ---- files that are written ---- */

/* Under another name first, of this process alone, so that nobody reads half of it. */
int mst_os_text_write(const char *path, size_t from, const char *text)
{
    char other[540];
    int error = make_folders(path, from);

    if (error)
        return error;
    snprintf(other, sizeof other, "%s.%d", path, (int)getpid());
    unlink(other); /* of a process of that number that was killed */
    int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    error = text ? write_all(fd, text, strlen(text)) : 0;
    close(fd);
    if (text && error == 0 && rename(other, path) != 0)
        error = -errno;
    if (!text || error)
        unlink(other);
    return error;
}
