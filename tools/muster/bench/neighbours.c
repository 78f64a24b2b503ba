/*
 * Each neighbour stays on one CPU and computes for ever, as an ordinary process. The kernel kills it when
 * `muster bench` ends.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "tools/muster/bench/neighbours.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t *neighbours;
static int count;

static void keep_busy(int cpu, pid_t parent)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        _exit(EXIT_FAILURE);
    for (volatile unsigned long turns = 0;;)
        turns = turns + 1;
}

static bool start_on(int cpu)
{
    pid_t parent = getpid(), child = fork();

    if (child == 0)
        keep_busy(cpu, parent);
    if (child > 0)
        neighbours[count++] = child;
    return child > 0;
}

bool bench_neighbours_start(int per_cpu)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return false;
    neighbours = calloc((size_t)per_cpu * (size_t)CPU_COUNT(&cpus), sizeof *neighbours);
    if (!neighbours)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        for (int i = 0; i < per_cpu && CPU_ISSET((size_t)cpu, &cpus); i++)
            if (!start_on(cpu)) {
                int error = errno;

                bench_neighbours_stop();
                errno = error;
                return false;
            }
    return true;
}

bool bench_neighbours_are_there(void)
{
    for (int i = 0; i < count; i++) {
        siginfo_t ended = { 0 };

        if (waitid(P_PID, (id_t)neighbours[i], &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid != 0)
            return false;
    }
    return true;
}

void bench_neighbours_stop(void)
{
    for (int i = 0; i < count; i++)
        kill(neighbours[i], SIGKILL);
    for (int i = 0; i < count; i++)
        while (waitpid(neighbours[i], NULL, 0) < 0 && errno == EINTR)
            ;
    count = 0;
    free(neighbours);
    neighbours = NULL;
}
