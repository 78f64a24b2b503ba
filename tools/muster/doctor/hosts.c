/* One report of all ranks that an MPI's launcher has started, for hosts.h. */
#define _GNU_SOURCE /* open_memstream, sched_getaffinity */
#include "tools/muster/doctor/hosts.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "src/mpi/view.h"
#include "tools/muster/doctor/report.h"
#include "tools/muster/doctor/trial.h"
#include "tools/muster/text.h"

enum { RANKS_MAX = 1024, LIST_BYTES = 200, CPU_WORDS = sizeof(cpu_set_t) / sizeof(uint64_t) };

typedef struct ranks {
    muster_group *world;
    int rank, size;
    mst_mpi_view view;
} ranks;

bool doctor_is_rank(void)
{
    return mst_mpi_is_begun();
}

static bool is_here(const ranks *all, int rank)
{
    return all->view.host[rank] == all->view.host[all->rank];
}

/* ---- layout ---- */

/* "ranks 0-3 on host a; ranks 4-7 on host b" */
static void list_hosts(const ranks *all, sentence *text)
{
    for (int host = 0; host < all->size; host++) {
        bool there[RANKS_MAX] = { false };
        char list[LIST_BYTES];

        if (all->view.host[host] != host)
            continue;
        for (int rank = host; rank < all->size; rank++)
            there[rank] = all->view.host[rank] == host;
        int count = list_ranks(there, all->size, list, sizeof list);
        say(text, "%srank%s %s on %s", host ? "; " : "", plural((unsigned)count), list,
            all->view.where[host]);
    }
}

static void report_layout(const ranks *all)
{
    char text[1000] = "";
    sentence hosts = { text, 0, sizeof text };

    list_hosts(all, &hosts);
    doctor_report(FINDING_GOOD, NULL, "layout: %d rank%s on %d host%s: %s", all->size,
                  plural((unsigned)all->size), all->view.hosts, plural((unsigned)all->view.hosts), text);
    doctor_report(FINDING_GOOD, NULL, "mpi: %s has started them, and muster_init(\"mpi\") has attached them",
                  all->view.version[0] ? all->view.version : "an MPI that does not say its name");
}

static bool goes_by_tcp(const char *transport)
{
    return strstr(transport, "tcp") != NULL || strstr(transport, "sock") != NULL;
}

static void report_transport(const ranks *all)
{
    const char *transport =
        all->view.transport[0] ? all->view.transport : "what moves its bytes is not known";

    if (all->view.hosts == 1) {
        doctor_report(FINDING_GOOD, NULL,
                      "transport: shared memory, as all ranks are on one host; MPI moves nothing once they "
                      "have attached");
        return;
    }
    doctor_report(goes_by_tcp(transport) ? FINDING_NOTE : FINDING_GOOD,
                  "where the hosts have InfiniBand, RoCE or the like, an MPI that is built with UCX or "
                  "libfabric for it",
                  "transport: within a host shared memory, between hosts MPI (%s)", transport);
    doctor_report(
        FINDING_NOTE,
        "MPI's own calls for what is large and crosses hosts; groups of one host (split) for the rest",
        "speed: between hosts muster is slower than MPI: each byte is copied twice, and a sum moves "
        "the inputs of all ranks, or two times as much as one rank has");
    if (!getenv("MUSTER_TIMEOUT"))
        doctor_report(FINDING_NOTE, "MUSTER_TIMEOUT=60, or any time after which nobody shall wait any more",
                      "faults: a cable that is cut, or a host that is gone, is noticed by a time limit only, "
                      "and none is set");
}

/* What is there on one host, and why not here. */
static void report_refusals(const ranks *all)
{
    doctor_report(FINDING_NOTE, "muster run, on one host",
                  "refused: restarted ranks (--on-failure respawn), as no MPI starts a rank anew");
    if (all->view.hosts == 1)
        return;
    doctor_report(FINDING_NOTE, "ranks on one host",
                  "refused: shares and queues, as no memory is mapped by ranks of two hosts; shrink, grow, a "
                  "progress thread, several threads at once, and so muster.torch, as nobody has written them "
                  "for several hosts");
}

/* ---- CPUs ---- */

/* Launchers bind each rank to a part of a host's. */
static void report_cpus(const ranks *all, const uint64_t *sets)
{
    uint64_t together[CPU_WORDS] = { 0 };
    int cpus = 0, neighbours = 0;

    for (int rank = 0; rank < all->size; rank++) {
        if (!is_here(all, rank))
            continue;
        neighbours++;
        for (int i = 0; i < (int)CPU_WORDS; i++)
            together[i] |= sets[(size_t)rank * CPU_WORDS + (size_t)i];
    }
    for (int i = 0; i < (int)CPU_WORDS; i++)
        cpus += __builtin_popcountll(together[i]);
    doctor_report(neighbours > cpus ? FINDING_NOTE : FINDING_GOOD, "fewer ranks on a host, or more hosts",
                  "CPUs: the %d rank%s of this host may use %d together%s", neighbours,
                  plural((unsigned)neighbours), cpus,
                  neighbours > cpus ? "; so they take turns, and each wait may last a time slice" : "");
}

static bool look_at_cpus(const ranks *all)
{
    uint64_t *sets = calloc((size_t)all->size * CPU_WORDS, sizeof *sets), own[CPU_WORDS] = { 0 };
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        memcpy(own, &set, sizeof set);
    bool told = sets && muster_all_gather(own, sets, CPU_WORDS, MUSTER_UINT64, all->world) == MUSTER_OK;
    if (told && all->view.host[all->rank] == all->rank)
        report_cpus(all, sets);
    free(sets);
    return told;
}

/* ---- the trial ---- */

static bool try_together(const ranks *all)
{
    double best_us;
    int batches = doctor_time_batches(all->world, &best_us);

    if (batches > 0 && all->rank == 0)
        doctor_report(FINDING_GOOD, NULL,
                      "trial: all %d ranks, all_sum of 4 bytes in %.2f us, the best of %d times %d",
                      all->size, best_us, batches, DOCTOR_TRIES);
    return batches > 0;
}

/* ---- one report ---- */

/* A finding: a line, and those below it that are indented. */
static size_t finding_bytes(const char *text)
{
    const char *end = strchr(text, '\n');

    while (end && end[1] == ' ')
        end = strchr(end + 1, '\n');
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

/* Whether these lines are in the report. */
static bool has(const char *report, const char *lines, size_t bytes)
{
    for (size_t one; *report; report += one) {
        one = finding_bytes(report);
        if (one == bytes && memcmp(report, lines, bytes) == 0)
            return true;
    }
    return false;
}

/* Whether the rank says more than rank 0. */
static bool adds(char *const *reports, int rank)
{
    const char *at = reports[rank];

    for (size_t bytes; *at; at += bytes) {
        bytes = finding_bytes(at);
        if (!has(reports[0], at, bytes))
            return true;
    }
    return false;
}

static void print_added(const ranks *all, char *const *reports, int rank)
{
    bool alike[RANKS_MAX] = { false };
    char list[LIST_BYTES];

    for (int other = rank; other < all->size; other++)
        alike[other] =
            all->view.host[other] == all->view.host[rank] && strcmp(reports[other], reports[rank]) == 0;
    int count = list_ranks(alike, all->size, list, sizeof list);
    printf("\nrank%s %s on %s:\n", plural((unsigned)count), list, all->view.where[rank]);
    for (const char *at = reports[rank]; *at; at += finding_bytes(at))
        if (!has(reports[0], at, finding_bytes(at)))
            printf("%.*s", (int)finding_bytes(at), at);
}

static bool is_told(const ranks *all, char *const *reports, int rank)
{
    for (int other = 1; other < rank; other++)
        if (all->view.host[other] == all->view.host[rank] && strcmp(reports[other], reports[rank]) == 0)
            return true;
    return false;
}

/* Rank 0 has all reports, one after the other, with zeros between them. */
static bool print_all(const ranks *all, char *text, const size_t *bytes)
{
    char **reports = calloc((size_t)all->size, sizeof *reports);

    for (int rank = 0; reports && rank < all->size; text += bytes[rank++])
        reports[rank] = text;
    if (reports)
        fputs(reports[0], stdout);
    for (int rank = 1; reports && rank < all->size; rank++)
        if (adds(reports, rank) && !is_told(all, reports, rank))
            print_added(all, reports, rank);
    bool printed = reports != NULL;
    free(reports);
    return printed;
}

static bool gather(const ranks *all, const char *own)
{
    uint64_t mine = strlen(own) + 1, *lengths = calloc((size_t)all->size, sizeof *lengths);
    size_t *bytes = calloc((size_t)all->size, sizeof *bytes), sum = 0;
    char *text = NULL;

    bool done =
        lengths && bytes && muster_all_gather(&mine, lengths, 1, MUSTER_UINT64, all->world) == MUSTER_OK;
    for (int rank = 0; done && rank < all->size; rank++)
        sum += bytes[rank] = (size_t)lengths[rank];
    if (done && all->rank == 0)
        done = (text = malloc(sum)) != NULL;
    done = done && muster_gatherv(own, mine, text, bytes, NULL, MUSTER_UINT8, 0, all->world) == MUSTER_OK;
    if (done && all->rank == 0)
        done = print_all(all, text, bytes);
    free(text);
    free(lengths);
    free(bytes);
    return done;
}

/* ---- all of it ---- */

static void look(const ranks *all, void (*look_here)(bool machine))
{
    if (all->rank == 0) {
        report_layout(all);
        report_transport(all);
        report_refusals(all);
    }
    look_here(all->view.host[all->rank] == all->rank);
}

/* A rank that could not attach knows why; the others know its number and its words, and one of them tells. */
static int refuse(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK" };
    const char *rank = NULL;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !rank; i++)
        rank = getenv(names[i]);
    if (rank && strcmp(rank, "0") != 0)
        return EXIT_FAILURE;
    doctor_report(FINDING_BAD, NULL, "mpi: muster_init(\"mpi\") fails: %s", muster_error_detail());
    printf("\nRanks cannot work here under this launcher.\n");
    return EXIT_FAILURE;
}

static int fail(const ranks *all)
{
    fprintf(stderr, "muster doctor: rank %d: %s\n", all->rank, muster_error_detail());
    return EXIT_FAILURE;
}

int doctor_of_ranks(void (*look_here)(bool machine))
{
    ranks all = { .world = NULL };
    char *text = NULL;
    size_t bytes = 0;
    int32_t bad, worst = 0;

    if (muster_init(true, "mpi", &all.world) != MUSTER_OK || !mst_mpi_look(&all.view))
        return refuse();
    all.rank = muster_group_rank(all.world);
    all.size = muster_group_size(all.world);
    FILE *report = open_memstream(&text, &bytes);
    if (!report)
        return fail(&all);
    doctor_report_to(report);
    look(&all, look_here);
    bool done = look_at_cpus(&all) && try_together(&all);
    doctor_report_to(NULL);
    done = fclose(report) == 0 && done && gather(&all, text);
    free(text);
    bad = doctor_found_bad();
    if (!done || muster_all_max(&bad, &worst, 1, MUSTER_INT32, all.world) != MUSTER_OK)
        return fail(&all);
    if (all.rank == 0)
        printf(worst ? "\nRanks cannot work here.\n" : "\nRanks can work here.\n");
    return worst ? EXIT_FAILURE : EXIT_SUCCESS;
}
