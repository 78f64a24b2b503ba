/* What `muster doctor` says of memory: the arena's, names for it, limits, large pages, malloc in it. */
#define _GNU_SOURCE /* memfd_create */
#include "tools/muster/doctor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shm/port/cgroup.h"
#include "shm/port/huge.h"
#include "tools/muster/doctor/report.h"
#include "tools/muster/run/arena_malloc.h"

static void look_at_memfd(void)
{
    int fd = memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        doctor_report(FINDING_BAD, "a kernel and a sandbox that allow memfd_create",
                      "arena: no memfd_create (%s)", strerror(errno));
        return;
    }
    if (ftruncate(fd, 1 << 20) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        doctor_report(FINDING_BAD, NULL, "arena: memory cannot be sized and sealed (%s)", strerror(errno));
    else if (fallocate(fd, 0, 0, 1 << 20) != 0)
        doctor_report(FINDING_BAD, "more memory, or a higher limit", "arena: memory cannot be committed (%s)",
                      strerror(errno));
    else
        doctor_report(FINDING_GOOD, NULL,
                      "arena: muster run makes it of sealed anonymous memory, which /dev/shm does not limit");
    close(fd);
}

/* Makes an object with a name, as ranks that meet by one do, and commits a page of it. 0, or an errno. */
static int try_names(void)
{
    char name[40];
    int error = 0;

    snprintf(name, sizeof name, "/muster-doctor-%d", (int)getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    shm_unlink(name);
    if (ftruncate(fd, 4096) != 0 || fallocate(fd, 0, 0, 4096) != 0)
        error = errno;
    close(fd);
    return error;
}

static void look_at_shm(void)
{
    struct statvfs shm;

    if (statvfs("/dev/shm", &shm) != 0) {
        doctor_report(FINDING_NOTE, "mount -t tmpfs tmpfs /dev/shm",
                      "names: no /dev/shm, so ranks cannot meet by MUSTER_ARENA=/name");
        return;
    }
    int error = try_names();
    if (error && error != ENOSPC) {
        doctor_report(
            FINDING_NOTE, "mount -o remount,rw,mode=1777 /dev/shm",
            "names: nothing can be made in /dev/shm (%s), so ranks cannot meet by MUSTER_ARENA=/name",
            strerror(error));
        return;
    }
    double all = (double)shm.f_blocks * (double)shm.f_frsize / 1048576,
           left = (double)shm.f_bavail * (double)shm.f_frsize / 1048576;
    doctor_report(left < 256 ? FINDING_NOTE : FINDING_GOOD,
                  "mount -o remount,size=2G /dev/shm, or docker run --shm-size=2g",
                  "names: /dev/shm has %.0f of %.0f MiB free, for ranks that meet by MUSTER_ARENA=/name",
                  left, all);
}

/* Much is read from there, also by ranks. */
static bool look_at_proc(void)
{
    if (access("/proc/self/stat", R_OK) == 0)
        return true;
    doctor_report(
        FINDING_NOTE, "mount -t proc proc /proc",
        "/proc: not mounted, so muster ps, inspect and top find no jobs, and nobody sees limits of memory "
        "control groups");
    return false;
}

/* Who goes over it is killed. Ranks look before they commit memory of the arena; a program's own is its
 * affair. */
static void look_at_memory_limit(void)
{
    mst_cgroup_memory memory;

    if (!look_at_proc())
        return;
    mst_cgroup_memory_get("", UINT64_MAX, &memory);
    if (memory.limit_bytes == UINT64_MAX) {
        doctor_report(FINDING_GOOD, NULL, "memory: no control group limits it");
        return;
    }
    double limit = (double)memory.limit_bytes / 1048576, left = (double)memory.left_bytes / 1048576;
    doctor_report(
        left < 256 ? FINDING_NOTE : FINDING_GOOD,
        "docker run -m, MemoryMax= of a service, a pod's limits.memory",
        "memory: control group %s is limited to %.0f MiB, of which %.0f MiB are left, for ranks and arena "
        "together",
        memory.group, limit, left);
}

static void look_at_limits(void)
{
    static const struct {
        int which;
        const char *name, *remedy;
        rlim_t enough;
    } rows[] = {
        { RLIMIT_AS, "address space", "ulimit -v unlimited, or MUSTER_ARENA_BYTES", (rlim_t)300 << 30 },
        { RLIMIT_FSIZE, "file size", "ulimit -f unlimited, or MUSTER_ARENA_BYTES", (rlim_t)256 << 30 },
        { RLIMIT_NOFILE, "open files", "ulimit -n 4096: muster run needs three per rank", 256 },
        { RLIMIT_NPROC, "processes", "ulimit -u 4096", 256 },
    };
    bool all_good = true;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)rows[i].which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
            limit.rlim_cur >= rows[i].enough)
            continue;
        all_good = false;
        doctor_report(FINDING_NOTE, rows[i].remedy, "limits: %s is limited to %llu", rows[i].name,
                      (unsigned long long)limit.rlim_cur);
    }
    if (all_good)
        doctor_report(FINDING_GOOD, NULL,
                      "limits: address space, file size, open files and processes suffice");
}

/* What muster run tries for its arena; by size there is memory enough for two ranks. */
static void look_at_pages(void)
{
    const char *why, *off = getenv("MUSTER_HUGE_PAGES");
    int helped, fd;

    if (off && strcmp(off, "0") == 0) {
        doctor_report(FINDING_NOTE, "unset MUSTER_HUGE_PAGES",
                      "pages: the arena has small ones, as MUSTER_HUGE_PAGES is 0");
        return;
    }
    if (!mst_huge_pages_fit(2)) {
        doctor_report(FINDING_NOTE, "more memory, or a higher limit of the control group",
                      "pages: the arena has small ones, as there is too little memory for large ones");
        return;
    }
    fd = mst_os_object_create_huge(&why, &helped);
    if (fd >= 0) {
        close(fd);
        doctor_report(
            FINDING_GOOD, NULL,
            "pages: the arena has large ones, while there is a CPU for each rank, on a tmpfs that %s mounts",
            helped ? "a helper in a user namespace" : "this user");
        return;
    }
    doctor_report(
        FINDING_NOTE,
        "sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0, or a sandbox "
        "that allows fsopen, fsmount and unshare",
        "pages: the arena has small ones, as this is refused: %s: %s", why, strerror(-fd));
}

static void look_at_malloc(void)
{
    char path[BESIDE_BYTES];
    bool found = find_arena_malloc(path);

    doctor_report(
        found ? FINDING_GOOD : FINDING_NOTE, "a whole installation of muster, built without sanitizers",
        found
            ? "arrays: muster run --arena-malloc can put those of a program into the arena"
            : "arrays: no libmuster_malloc.so beside this command, so there is no muster run --arena-malloc");
}

void doctor_look_at_memory(void)
{
    look_at_memfd();
    look_at_shm();
    look_at_memory_limit();
    look_at_limits();
    look_at_pages();
    look_at_malloc();
}
