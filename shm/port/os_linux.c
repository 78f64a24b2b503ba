/* The port contract of os.h on Linux 5.10 and later, except parking, processes, and committing memory. */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#define NAMES "/dev/shm" /* where libc puts named objects */

/* ---- time ---- */

int64_t mst_os_coarse_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * MST_NS_PER_S + now.tv_nsec;
}

int64_t mst_os_ran_ns(void)
{
    struct timespec ran;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ran);
    return ran.tv_sec * MST_NS_PER_S + ran.tv_nsec;
}

void mst_os_sleep(int64_t ns)
{
    struct timespec left = { ns / MST_NS_PER_S, ns % MST_NS_PER_S };

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

int64_t mst_os_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * MST_NS_PER_S + now.tv_nsec;
}

void mst_os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

bool mst_os_yields_to_all(void)
{
    int policy = sched_getscheduler(0);

    return policy != SCHED_FIFO && policy != SCHED_RR;
}

void mst_os_yield(void)
{
    sched_yield();
}

int mst_os_cpu(void)
{
    return sched_getcpu();
}

/* ---- shared memory objects ---- */

int mst_os_object_create_anonymous(void)
{
    int fd = memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

const char *mst_os_object_folder(void)
{
    return NAMES;
}

int mst_os_object_create_named(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? -errno : fd;
}

int mst_os_object_open_named(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

    return fd < 0 ? -errno : fd;
}

int mst_os_object_unlink(const char *name)
{
    return shm_unlink(name) < 0 ? -errno : 0;
}

/* O_PATH opens nothing: a pipe by that name would be waited for. */
bool mst_os_object_has_name(const mst_os_held *held, const char *name)
{
    struct stat named;
    int other = shm_open(name, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0);

    if (other < 0)
        return false;
    bool same = fstat(other, &named) == 0 && held->device == named.st_dev && held->inode == named.st_ino;
    close(other);
    return same;
}

int mst_os_object_info_get(int fd, mst_os_object_info *info)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    int seals = fcntl(fd, F_GET_SEALS);
    *info = (mst_os_object_info){
        .bytes = (uint64_t)st.st_size,
        .regular = S_ISREG(st.st_mode),
        .mine = st.st_uid == geteuid(),
        .private_mode = (st.st_mode & 077) == 0,
        .sealed = seals >= 0 && (seals & wanted) == wanted,
        .linked = st.st_nlink > 0,
        .owner_uid = st.st_uid,
        .mode = st.st_mode & 07777,
    };
    return 0;
}

int mst_os_object_resize(int fd, uint64_t bytes)
{
    /* memfd_create gives mode 0777; attach checks that others have no access. */
    if (fchmod(fd, 0600) < 0)
        return -errno;
    return ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
}

int mst_os_object_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ? -errno : 0;
}

uint64_t mst_os_object_free_bytes(uint64_t device)
{
    struct statvfs vfs;
    struct stat st;

    if (stat(NAMES, &st) < 0 || st.st_dev != device || statvfs(NAMES, &vfs) < 0 || vfs.f_blocks == 0)
        return UINT64_MAX; /* memfds are on an internal mount without a limit */
    return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

int mst_os_object_read(int fd, uint64_t offset, void *to, size_t bytes)
{
    ssize_t got = pread(fd, to, bytes, (off_t)offset);

    if (got < 0)
        return -errno;
    return (size_t)got == bytes ? 0 : -ENODATA;
}

int mst_os_object_write(int fd, uint64_t offset, const void *from, size_t bytes)
{
    ssize_t put = pwrite(fd, from, bytes, (off_t)offset);

    if (put < 0)
        return -errno;
    return (size_t)put == bytes ? 0 : -ENOSPC;
}

int mst_os_object_use(int fd, bool alone)
{
    return flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 ? -errno : 0;
}

/* Keeps the arena out of core files, and out of forked children, which must not write to it. */
static int keep_private(void *at, size_t bytes, void **base)
{
    if (madvise(at, bytes, MADV_DONTDUMP) < 0 || madvise(at, bytes, MADV_DONTFORK) < 0) {
        int error = errno;

        munmap(at, bytes);
        return -error;
    }
    *base = at;
    return 0;
}

/* Whether the program has locked all its future mappings (mlockall). */
static bool locks_what_it_maps(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return false;
    bool locked = madvise(at, bytes, MADV_DONTNEED) < 0 && errno == EINVAL;
    munmap(at, bytes);
    return locked;
}

/* With mlockall, a readable mapping is populated at once: for an arena, that is more memory than any machine
 * has. So it is mapped without access, locked on fault, and then made accessible. */
static int map_shared(void *where, int flags, size_t bytes, int fd, off_t from, void **base)
{
    bool locked = locks_what_it_maps();
    int usable = PROT_READ | PROT_WRITE;
    void *at = mmap(where, bytes, locked ? PROT_NONE : usable, MAP_SHARED | MAP_NORESERVE | flags, fd, from);

    if (at == MAP_FAILED)
        return -errno;
    if (locked && ((mlock2(at, bytes, MLOCK_ONFAULT) < 0 && munlock(at, bytes) < 0) ||
                   mprotect(at, bytes, usable) < 0)) {
        int error = errno;

        munmap(at, bytes);
        return -error;
    }
    *base = at;
    return 0;
}

int mst_os_object_map(int fd, size_t bytes, void **base)
{
    void *at = NULL;

    int error = map_shared(NULL, 0, bytes, fd, 0, &at);
    return error ? error : keep_private(at, bytes, base);
}

int mst_os_object_map_prefixes(int fd, size_t common, size_t stride, size_t prefix, size_t count, void **base)
{
    size_t all = common + count * prefix;
    unsigned char *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    for (size_t i = 0; i <= count; i++) { /* the common bytes, then each prefix */
        size_t from = i == 0 ? 0 : common + (i - 1) * stride, to = i == 0 ? 0 : common + (i - 1) * prefix;

        void *part;
        int error = map_shared(at + to, MAP_FIXED, i == 0 ? common : prefix, fd, (off_t)from, &part);

        if (error) {
            munmap(at, all);
            return error;
        }
    }
    return keep_private(at, all, base);
}

void mst_os_unmap(void *base, size_t bytes)
{
    munmap(base, bytes);
}

int mst_os_dup_above(int fd, int lowest)
{
    int copy = fcntl(fd, F_DUPFD, lowest);

    if (copy < 0 && errno == EINVAL) /* RLIMIT_NOFILE is below `lowest` */
        copy = fcntl(fd, F_DUPFD, 3);
    if (copy < 0 && errno == EINVAL) /* the limit is below 3, too */
        return -EMFILE;
    return copy < 0 ? -errno : copy;
}

int mst_os_close_on_exec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

void mst_os_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

uint64_t mst_os_object_bytes_max(void)
{
    struct rlimit file;

    return getrlimit(RLIMIT_FSIZE, &file) == 0 && file.rlim_cur != RLIM_INFINITY ? file.rlim_cur : UINT64_MAX;
}

static uint64_t address_space_limit(void)
{
    struct rlimit space;

    return getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY ? space.rlim_cur : UINT64_MAX;
}

bool mst_os_address_space_is_limited(void)
{
    return address_space_limit() != UINT64_MAX;
}

static bool can_map(uint64_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at != MAP_FAILED && munmap(at, bytes) == 0;
}

uint64_t mst_os_address_space(uint64_t wanted)
{
    uint64_t half = address_space_limit() / 2, most = wanted < half ? wanted : half;

    if (can_map(most))
        return most;
    while (most > 0 && !can_map(most))
        most /= 2;
    return most / 2;
}

/* ---- what a process is ---- */

int32_t mst_os_process_id(void)
{
    return getpid();
}

const unsigned char *mst_os_fork_mark_create(void)
{
    unsigned char *mark = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mark == MAP_FAILED)
        return NULL;
    madvise(mark, 1, MADV_WIPEONFORK);
    *mark = 1;
    return mark;
}

void mst_os_fork_mark_destroy(const unsigned char *mark)
{
    if (mark)
        munmap((void *)(uintptr_t)mark, 1);
}

void mst_os_random(void *to, size_t bytes)
{
    if (getrandom(to, bytes, 0) != (ssize_t)bytes) {
        int64_t seed[2] = { mst_os_now_ns(), getpid() };

        memset(to, 0, bytes);
        memcpy(to, seed, bytes < sizeof seed ? bytes : sizeof seed);
    }
}

/* ---- CPUs ---- */

void mst_os_cpus_allowed(uint64_t mask[MST_CPUS_MAX / 64])
{
    cpu_set_t set;

    memset(mask, 0, MST_CPUS_MAX / 8);
    if (sched_getaffinity(0, sizeof set, &set) < 0) {
        mask[0] = 1;
        return;
    }
    for (int cpu = 0; cpu < MST_CPUS_MAX && cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            mask[cpu / 64] |= 1ULL << (cpu % 64);
}
