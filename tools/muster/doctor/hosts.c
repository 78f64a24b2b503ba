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
#include "tools/muster/doctor/merged.h"
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

static bool names_one_of(const char *transport, const char *const *names)
{
    while (*names && !strstr(transport, *names))
        names++;
    return *names != NULL;
}

/* Few names say what is below: UCX, libfabric and MPICH's devices take TCP where there is nothing else. */
static void report_carrier(const char *transport)
{
    static const char *const slow[] = { "tcp", "sock", NULL };
    static const char *const fast[] = { "psm", "openib", "usnic", "ugni", "portals", NULL };
    bool is_slow = names_one_of(transport, slow), is_fast = !is_slow && names_one_of(transport, fast);

    doctor_report(
        is_fast ? FINDING_GOOD : FINDING_NOTE,
        is_slow ? "where the hosts have InfiniBand, RoCE or the like, an MPI that is built with UCX "
                  "or libfabric for it"
                : "it says what it uses with UCX_LOG_LEVEL=info, FI_LOG_LEVEL=info or "
                  "MPIR_CVAR_DEBUG_SUMMARY=1; if that is tcp or sockets, an MPI that is built for "
                  "what the hosts have",
        "transport: within a host shared memory, between hosts MPI (%s)%s", transport,
        is_slow || is_fast ? "" : ", which may go by TCP or by something faster: its name does not say");
}

/* Partial results go through the ranks in their order. */
static void report_order(const ranks *all)
{
    int runs = 1;

    for (int rank = 1; rank < all->size; rank++)
        runs += all->view.host[rank] != all->view.host[rank - 1];
    if (runs > all->view.hosts)
        doctor_report(FINDING_NOTE, "ranks of a host that follow each other, as by mpirun --map-by slot",
                      "order: the ranks change hosts %d times, so a large sum leaves a host more often than "
                      "once, or moves the inputs of all ranks",
                      runs - 1);
}

static void report_transport(const ranks *all)
{
    if (all->view.hosts == 1) {
        doctor_report(FINDING_GOOD, NULL,
                      "transport: shared memory, as all ranks are on one host; MPI moves nothing once they "
                      "have attached");
        return;
    }
    report_carrier(all->view.transport[0] ? all->view.transport : "it does not say what moves its bytes");
    doctor_report(
        FINDING_NOTE,
        "MPI's own calls for what is large and crosses hosts; groups of one host (split) for the rest",
        "speed: between hosts muster is slower than MPI: each byte is copied twice, and sums but the "
        "large ones of all ranks move the inputs of all");
    report_order(all);
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
    doctor_report(
        FINDING_NOTE, "ranks on one host",
        "refused: shares and queues, as no memory is mapped by ranks of two hosts; shrink and grow, "
        "as nobody has written them for several hosts");
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

/* Why the latest call has failed. */
static const char *failure(void)
{
    return muster_error_detail()[0] ? muster_error_detail() : "out of memory";
}

/* The next one on its host, the first one behind the last; the rank itself where it is alone there. */
static int neighbour_of(const ranks *all)
{
    int next = all->rank;

    do
        next = (next + 1) % all->size;
    while (!is_here(all, next));
    return next;
}

static void report_reading(const ranks *all, const int32_t *errors)
{
    int32_t worst = 0;

    for (int rank = 0; rank < all->size; rank++)
        if (is_here(all, rank) && errors[rank] > worst)
            worst = errors[rank];
    doctor_report_reading(worst);
}

/* Each rank reads a word of its neighbour's memory. */
static bool try_reading(const ranks *all)
{
    doctor_place mine = doctor_show_word(), *places = calloc((size_t)all->size, sizeof *places);
    int32_t error = 0, *errors = calloc((size_t)all->size, sizeof *errors);
    int neighbour = neighbour_of(all);

    bool told =
        places && errors && muster_all_gather(&mine, places, 2, MUSTER_INT64, all->world) == MUSTER_OK;
    if (told && neighbour != all->rank)
        error = doctor_read_word(&places[neighbour]);
    told = told && muster_all_gather(&error, errors, 1, MUSTER_INT32, all->world) == MUSTER_OK;
    if (told && neighbour != all->rank && all->view.host[all->rank] == all->rank)
        report_reading(all, errors);
    free(places);
    free(errors);
    return told;
}

static void try_together(const ranks *all)
{
    const char *why = "";
    double best_us;
    int batches = 0;

    if (!look_at_cpus(all) || !try_reading(all))
        why = failure();
    else
        batches = doctor_time_batches(all->world, &best_us, &why);
    if (batches == 0)
        doctor_report(FINDING_BAD, NULL, "trial: the ranks cannot work together: %s", why);
    else if (all->rank == 0)
        doctor_report(FINDING_GOOD, NULL,
                      "trial: all %d ranks, all_sum of 4 bytes in %.2f us, the best of %d times %d",
                      all->size, best_us, batches, DOCTOR_TRIES);
}

/* ---- one report ---- */

/* What a rank has found: so many bytes of text, and whether something is bad. */
typedef struct found {
    uint64_t bytes, bad;
} found;

/* Rank 0 prints what all have found; on all: whether something is bad. False: not all could be had. */
static bool gather(const ranks *all, const char *own, bool *bad)
{
    found mine = { strlen(own) + 1, doctor_found_bad() }, *each = calloc((size_t)all->size, sizeof *each);
    size_t *bytes = calloc((size_t)all->size, sizeof *bytes), sum = 0;
    char *text = NULL;

    bool done = each && bytes && muster_all_gather(&mine, each, 2, MUSTER_UINT64, all->world) == MUSTER_OK;
    for (int rank = 0; done && rank < all->size; rank++) {
        sum += bytes[rank] = (size_t)each[rank].bytes;
        *bad |= each[rank].bad != 0;
    }
    if (done && all->rank == 0)
        done = (text = malloc(sum)) != NULL;
    done =
        done && muster_gatherv(own, mine.bytes, text, bytes, NULL, MUSTER_UINT8, 0, all->world) == MUSTER_OK;
    if (done && all->rank == 0)
        done = doctor_print_all(&all->view, all->size, text, bytes);
    free(text);
    free(each);
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

/* Where all ranks have been told why none attaches, rank 0 tells the user. What a rank knows alone it tells
 * itself: the others may wait for it in MPI, and say nothing. */
static int refuse(const char *why)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK" };
    const char *rank = NULL;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !rank; i++)
        rank = getenv(names[i]);
    bool is_other = rank && strcmp(rank, "0") != 0;
    if (is_other && mst_mpi_is_refused())
        return EXIT_FAILURE;
    doctor_report(FINDING_BAD, NULL, "mpi: %s%s%smuster_init(\"mpi\") fails: %s", is_other ? "on rank " : "",
                  is_other ? rank : "", is_other ? " " : "", why);
    if (!is_other)
        printf("\nRanks cannot work here under this launcher.\n");
    return EXIT_FAILURE;
}

/* Of a report that is not whole: on rank 0 what there is. */
static int fail(const ranks *all, const char *text, const char *why)
{
    if (all->rank != 0) {
        fprintf(stderr, "muster doctor: rank %d: %s\n", all->rank, why);
        return EXIT_FAILURE;
    }
    fputs(text, stdout);
    doctor_report(FINDING_BAD, NULL, "report: what the other ranks have found cannot be had: %s", why);
    printf("\nRanks cannot work here.\n");
    return EXIT_FAILURE;
}

static int tell(const ranks *all, const char *text)
{
    bool bad = false;

    if (!gather(all, text, &bad))
        return fail(all, text, failure());
    if (all->rank == 0)
        printf(bad ? "\nRanks cannot work here.\n" : "\nRanks can work here.\n");
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

int doctor_of_ranks(void (*look_here)(bool machine))
{
    ranks all = { .world = NULL };
    char *text = NULL;
    size_t bytes = 0;

    if (muster_init(true, "mpi", &all.world) != MUSTER_OK)
        return refuse(muster_error_detail());
    if (!mst_mpi_look(&all.view))
        return refuse("this process has attached, and not by MPI");
    all.rank = muster_group_rank(all.world);
    all.size = muster_group_size(all.world);
    FILE *report = open_memstream(&text, &bytes);
    if (!report)
        return fail(&all, "", "out of memory");
    doctor_report_to(report);
    look(&all, look_here);
    try_together(&all);
    doctor_report_to(NULL);
    int status = fclose(report) == 0 ? tell(&all, text) : fail(&all, "", "out of memory");
    free(text);
    return status;
}
