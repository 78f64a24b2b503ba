/*
 * `muster doctor`: looks at what muster needs of this machine and this process, and says for each thing what
 * there is, what muster makes of it, and what would improve it. It tries things rather than look at versions:
 * containers and sandboxes take away what kernels have.
 */
#define _GNU_SOURCE /* memfd_create, sched_getaffinity */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "muster/muster.h"
#include "shm/port/cgroup.h"
#include "shm/port/huge.h"
#include "tools/muster/arena_malloc.h"
#include "tools/muster/commands.h"
#include "tools/muster/doctor.h"
#include "tools/muster/options.h"
#include "tools/muster/tune/state.h"
#include "tools/muster/variables.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static const char help[] = "usage: muster doctor\n"
                           "\n"
                           "Looks at what muster needs of this machine, and says for each thing what there "
                           "is, what muster makes of\n"
                           "it, and what would improve it.\n"
                           "\n"
                           "Exit status: 0 when ranks can work here, whatever could be better; 1 when they "
                           "cannot; 2 for a usage error.\n";

/* The first line of a file; false: there is none. */
static bool read_line(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");
    bool read = file && fgets(text, (int)bytes, file);

    if (file)
        fclose(file);
    if (read)
        text[strcspn(text, "\n")] = '\0';
    return read;
}

/* ---- the kernel ---- */

static void look_at_kernel(void)
{
    struct utsname name;

    if (uname(&name) == 0)
        doctor_report(FINDING_GOOD, NULL, "kernel: %s %s on %s", name.sysname, name.release, name.machine);
    if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
        doctor_report(FINDING_NOTE, "Linux 5.16 or newer, or a container runtime that allows futex_waitv",
                      "deaths: no futex_waitv, so dead ranks are found at ticks of 5 to 20 ms of waiting");
    else
        doctor_report(FINDING_GOOD, NULL,
                      "deaths: futex_waitv is there, so dead ranks are found in a fraction of a millisecond");
    int watch = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (watch < 0)
        doctor_report(FINDING_NOTE, "Linux 5.3 or newer, or a container runtime that allows pidfd_open",
                      "processes: no pidfd_open (%s); the launcher looks for ended ranks every 20 ms",
                      strerror(errno));
    else
        doctor_report(FINDING_GOOD, NULL,
                      "processes: pidfd_open is there, so the launcher sleeps until a rank ends");
    if (watch >= 0)
        close(watch);
}

static void look_at_sandbox(void)
{
    char line[200];
    FILE *file = fopen("/proc/self/status", "r");
    int mode = 0;

    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Seccomp: %d", &mode);
    if (file)
        fclose(file);
    if (mode)
        doctor_report(
            FINDING_NOTE, NULL,
            "sandbox: a seccomp filter is on; what it takes away is found by trying, above and below");
    if (read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof line) && atoi(line) > 0 &&
        geteuid() != 0)
        doctor_report(
            FINDING_NOTE, "sysctl kernel.yama.ptrace_scope=0",
            "debugging: gdb may attach to its own children only (ptrace_scope %s): inspect --stacks shows "
            "nothing",
            line);
}

/* ---- memory ---- */

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

/* ---- CPUs ---- */

/* The least of what the control groups allow, in CPUs; 0: no quota that is seen. */
static double read_quota(void)
{
    char line[200];
    double quota, period;

    if (read_line("/sys/fs/cgroup/cpu.max", line, sizeof line) &&
        sscanf(line, "%lf %lf", &quota, &period) == 2 && period > 0)
        return quota / period;
    return 0;
}

static void look_at_cpus(void)
{
    cpu_set_t set;
    int allowed = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    double quota = read_quota();

    if (allowed > 0)
        doctor_report(
            FINDING_GOOD, NULL,
            "CPUs: %d of %ld may be used; up to so many ranks spin while they wait, more give way to each "
            "other",
            allowed, online);
    if (quota > 0)
        doctor_report(quota < allowed ? FINDING_NOTE : FINDING_GOOD,
                      "a quota of whole CPUs, as many as there are ranks (docker run --cpus, cpu.max)",
                      "quota: %.2f CPUs; ranks that spin use it up, so they wait as if CPUs were few", quota);
}

static void look_at_tuning(void)
{
    char text[900];
    tune_state state = tune_describe(text, sizeof text);

    doctor_report(state == TUNE_WRONG     ? FINDING_BAD
                  : state == TUNE_MISSING ? FINDING_NOTE
                                          : FINDING_GOOD,
                  state == TUNE_WRONG ? "unset MUSTER_TUNING" : "muster tune, on an idle machine",
                  "tuning: %s", text);
    if (tune_list_changed(text, sizeof text))
        doctor_report(FINDING_GOOD, NULL, "thresholds: %s", text);
}

/* ---- the rest ---- */

static void look_at_cores(void)
{
    char pattern[200];
    struct rlimit limit;

    if (!read_line("/proc/sys/kernel/core_pattern", pattern, sizeof pattern) ||
        getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    if (pattern[0] == '|')
        doctor_report(FINDING_GOOD, NULL,
                      "core files: go to %.60s; peers are told of a crash before one is written",
                      pattern + 1);
    else if (limit.rlim_cur == 0)
        doctor_report(FINDING_GOOD, NULL,
                      "core files: none are written (ulimit -c 0); ulimit -c unlimited keeps them");
    else
        doctor_report(FINDING_GOOD, NULL, "core files: written as %.60s", pattern);
}

extern char **environ;

static void look_at_variables(void)
{
    bool any = false;

    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "MUSTER_", 7) == 0) {
            any = true;
            const char *meant;
            bool is_known = is_variable_known(*variable, &meant);
            doctor_report(is_known ? FINDING_GOOD : FINDING_NOTE, "muster(1) lists the variables",
                          "variable: %.100s%s%s%s%s", *variable, is_known ? "" : ", which nobody reads",
                          meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
        }
    if (!any)
        doctor_report(FINDING_GOOD, NULL, "variables: no MUSTER_* is set");
    int size;
    const char *other = find_other_launcher(&size);
    if (other)
        doctor_report(
            FINDING_NOTE, "muster run in place of that launcher",
            "launcher: %s is %d, so another one has started this; its ranks do not find each other in muster",
            other, size);
}

/* ---- all of it ---- */

int command_doctor(int argc, char **argv)
{
    static const cli_syntax syntax = { "doctor", help, NULL, 0, false };

    int status = parse_options(&syntax, argc, argv, NULL);
    if (status != OPTIONS_PARSED)
        return status;
    if (optind < argc)
        return usage_error("doctor", "it takes no arguments");
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is to be an error, which is looked at */
    look_at_kernel();
    look_at_sandbox();
    look_at_memfd();
    look_at_shm();
    look_at_memory_limit();
    look_at_limits();
    look_at_pages();
    look_at_malloc();
    look_at_cpus();
    look_at_tuning();
    look_at_cores();
    look_at_variables();
    doctor_try();
    bool bad_found = doctor_found_bad();
    printf(bad_found ? "\nRanks cannot work here.\n" : "\nRanks can work here.\n");
    return bad_found ? EXIT_FAILURE : EXIT_SUCCESS;
}
