/* The part of the port contract of os.h that tells what CPU this is, and what a user keeps in a file about
 * it, on Linux. */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    error = write_all(fd, text, strlen(text));
    close(fd);
    if (error == 0 && rename(other, path) != 0)
        error = -errno;
    if (error)
        unlink(other);
    return error;
}
