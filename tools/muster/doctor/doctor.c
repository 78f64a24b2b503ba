/*
 * `muster doctor`: looks at what muster needs of this machine and this process, and says for each thing what
 * there is, what muster makes of it, and what would improve it. It tries things rather than look at versions:
 * containers and sandboxes take away what kernels have.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "muster/muster.h"
#include "shm/port/cgroup.h"
#include "tools/muster/commands.h"
#include "tools/muster/doctor/hosts.h"
#include "tools/muster/doctor/memory.h"
#include "tools/muster/doctor/report.h"
#include "tools/muster/doctor/trial.h"
#include "tools/muster/options.h"
#include "tools/muster/tune/state.h"
#include "tools/muster/variables.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static const char help[] =
    "usage: muster doctor\n"
    "\n"
    "Looks at what muster needs of this machine, and says for each thing what there "
    "is, what muster makes of\n"
    "it, and what would improve it. Under mpirun: which ranks are on which host, by "
    "which MPI, what would be\n"
    "faster, and what is refused; in one report, of rank 0. There all ranks have to be "
    "muster doctor, and the\n"
    "rank's MPI is used up: a program that follows it in a script cannot begin MPI.\n"
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
                      "processes: no pidfd_open (%s); %s", strerror(errno),
                      doctor_is_rank() ? "ranks look for ended ones at ticks"
                                       : "the launcher looks for ended ranks every 20 ms");
    else
        doctor_report(FINDING_GOOD, NULL, "processes: pidfd_open is there, so %s",
                      doctor_is_rank() ? "ranks hear of the end of one on their host"
                                       : "the launcher sleeps until a rank ends");
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
        doctor_report(FINDING_NOTE, NULL,
                      "sandbox: a seccomp filter is on; the other lines say what it refuses");
    if (read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof line) && atoi(line) > 0 &&
        geteuid() != 0)
        doctor_report(
            FINDING_NOTE, "sysctl kernel.yama.ptrace_scope=0",
            "debugging: gdb may attach to its own children only (ptrace_scope %s): inspect --stacks shows "
            "nothing",
            line);
}

/* ---- CPUs ---- */

static void look_at_cpus(void)
{
    cpu_set_t set;
    int allowed = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    double quota = mst_cgroup_quota("");

    if (allowed > 0 && !doctor_is_rank())
        doctor_report(
            FINDING_GOOD, NULL,
            "CPUs: %d of %ld may be used; so many ranks spin while they wait; more than that yield to each "
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
}

/* Another launcher, and whether its ranks can find each other. */
static void look_at_launcher(void)
{
    int size;
    bool there = muster_is_available("mpi");
    const char *other = find_other_launcher(&size);

    if (other)
        doctor_report(
            FINDING_NOTE, "muster run in place of that launcher, or muster_init(\"mpi\") if it is MPI's",
            "launcher: %s is %d, so another one has started this; its ranks do not find each other in "
            "muster unless they ask for \"mpi\"",
            other, size);
    if (other && !there)
        doctor_report(FINDING_NOTE, "install libmuster-openmpi or libmuster-mpich",
                      "mpi: there is no plug-in for it, so muster_init(\"mpi\") fails");
    else if (there)
        doctor_report(FINDING_GOOD, NULL, "mpi: muster_init(\"mpi\") gives programs the ranks of mpirun");
}

/* ---- all of it ---- */

/* What a process of a rank looks at: `machine`: what all on this host would find, too. */
static void look_here(bool machine)
{
    if (machine) {
        look_at_kernel();
        look_at_sandbox();
        doctor_look_at_memory();
        look_at_cpus();
        look_at_tuning();
    }
    look_at_cores();
    look_at_variables();
}

int command_doctor(int argc, char **argv)
{
    static const cli_syntax syntax = { "doctor", help, NULL, 0, false };

    int status = parse_options(&syntax, argc, argv, NULL);
    if (status != OPTIONS_PARSED)
        return status;
    if (optind < argc)
        return usage_error("doctor", "it takes no arguments");
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is to be an error, which is looked at */
    if (doctor_is_rank())
        return doctor_of_ranks(look_here);
    look_here(true);
    look_at_launcher();
    doctor_try();
    bool bad_found = doctor_found_bad();
    printf(bad_found ? "\nRanks cannot work here.\n" : "\nRanks can work here.\n");
    return bad_found ? EXIT_FAILURE : EXIT_SUCCESS;
}
