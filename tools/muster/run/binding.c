/* Assigns CPUs to ranks, for binding.h. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "tools/muster/run/binding.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/text.h"

enum { CPUS_MAX = 8192, NODES_MAX = 256 };

typedef struct cpu_list {
    int cpus[CPUS_MAX];
    int count;
} cpu_list;

static void list_allowed(cpu_list *list)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);

    list->count = 0;
    if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(CPUS_MAX), set) == 0)
        for (int cpu = 0; cpu < CPUS_MAX; cpu++)
            if (CPU_ISSET_S(cpu, CPU_ALLOC_SIZE(CPUS_MAX), set))
                list->cpus[list->count++] = cpu;
    CPU_FREE(set);
}

static bool has_cpu(const cpu_list *list, int cpu)
{
    for (int i = 0; i < list->count; i++)
        if (list->cpus[i] == cpu)
            return true;
    return false;
}

/* Of the kernel's "0-3,8-11", those that are allowed. */
static void parse_cpus(const char *text, const cpu_list *allowed, cpu_list *list)
{
    char *end;

    list->count = 0;
    for (;; text = end + 1) {
        long first = strtol(text, &end, 10), last = first;

        if (end == text)
            return;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        for (long cpu = first; cpu <= last && cpu < CPUS_MAX; cpu++)
            if (has_cpu(allowed, (int)cpu))
                list->cpus[list->count++] = (int)cpu;
        if (*end != ',')
            return;
    }
}

/* The allowed CPUs of the n-th node that has any; false: there are not so many. */
static bool list_node(const cpu_list *allowed, int n, cpu_list *list)
{
    for (int node = 0; node < NODES_MAX; node++) {
        char path[80], text[4096] = "";

        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        bool read = fgets(text, sizeof text, file) != NULL;
        fclose(file);
        if (!read)
            continue;
        parse_cpus(text, allowed, list);
        if (list->count > 0 && n-- == 0)
            return true;
    }
    return false;
}

static int count_nodes(const cpu_list *allowed)
{
    cpu_list list;
    int count = 0;

    while (list_node(allowed, count, &list))
        count++;
    return count;
}

/* Part `at` of `of` of the list, as even as can be; where there are more parts than CPUs, one CPU in turn. */
static void take_part(const cpu_list *from, int at, int of, cpu_list *list)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): binding_check has seen a CPU */
    int first = at % from->count, last = first + 1;

    if (of <= from->count) {
        first = (int)((long)from->count * at / of);
        last = (int)((long)from->count * (at + 1) / of);
    }
    list->count = last - first;
    memmove(list->cpus, from->cpus + first, (size_t)list->count * sizeof list->cpus[0]);
}

/* Neighbouring ranks share a node: they are the likeliest to talk. */
static void list_of_rank(const run_options *options, int rank, cpu_list *list)
{
    int size = options->launch.size;
    cpu_list allowed;

    list_allowed(&allowed);
    *list = allowed;
    if (options->bind == RUN_BIND_CORE) {
        take_part(&allowed, rank, size, list);
    } else if (options->bind == RUN_BIND_NUMA) {
        int nodes = count_nodes(&allowed);

        list_node(&allowed, (int)((long)rank * nodes / size), list);
    }
}

static int share_of_rank(const run_options *options)
{
    cpu_list allowed;

    list_allowed(&allowed);
    int share = allowed.count / options->launch.size;
    return share > 0 ? share : 1;
}

const char *binding_check(const run_options *options)
{
    cpu_list allowed;

    list_allowed(&allowed);
    if (options->bind != RUN_BIND_NONE && allowed.count == 0)
        return "--bind: the system does not say which CPUs may be used";
    if (options->bind == RUN_BIND_NUMA && count_nodes(&allowed) == 0)
        return "--bind numa: the system does not say which CPUs belong together "
               "(/sys/devices/system/node); use --bind core";
    return NULL;
}

const char *binding_apply(const run_options *options, int rank)
{
    char share[16];

    snprintf(share, sizeof share, "%d", share_of_rank(options)); /* before it is bound */
    setenv("OMP_NUM_THREADS", share, 0);
    if (options->bind == RUN_BIND_NONE)
        return NULL;
    cpu_list list;
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);

    if (!set)
        return "no memory to bind it";
    list_of_rank(options, rank, &list);
    CPU_ZERO_S(CPU_ALLOC_SIZE(CPUS_MAX), set);
    for (int i = 0; i < list.count; i++)
        CPU_SET_S(list.cpus[i], CPU_ALLOC_SIZE(CPUS_MAX), set);
    int failed = sched_setaffinity(0, CPU_ALLOC_SIZE(CPUS_MAX), set);
    CPU_FREE(set);
    return failed ? "it cannot be bound to its CPUs (sched_setaffinity)" : NULL;
}

void binding_warn(const run_options *options)
{
    cpu_list allowed;

    list_allowed(&allowed);
    if (options->bind == RUN_BIND_CORE && options->launch.size > allowed.count)
        fprintf(stderr, "muster run: --bind core: %d ranks share %d CPU%s; with -n %d each has its own\n",
                options->launch.size, allowed.count, plural((unsigned)allowed.count), allowed.count);
}

void binding_report(const run_options *options)
{
    const char *threads = getenv("OMP_NUM_THREADS");

    for (int rank = 0; rank < options->launch.size; rank++) {
        cpu_list list;

        list_of_rank(options, rank, &list);
        fprintf(stderr, "muster run: rank %d: CPUs", rank);
        for (int i = 0; i < list.count; i++) {
            int first = i;

            while (i + 1 < list.count && list.cpus[i + 1] == list.cpus[i] + 1)
                i++;
            fprintf(stderr, first == i ? "%s%d" : "%s%d-%d", first > 0 ? "," : " ", list.cpus[first],
                    list.cpus[i]);
        }
        if (threads)
            fprintf(stderr, ", OMP_NUM_THREADS %s (set before)\n", threads);
        else
            fprintf(stderr, ", OMP_NUM_THREADS %d\n", share_of_rank(options));
    }
}
