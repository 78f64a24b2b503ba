/*
 * `muster top`: what each rank of a job does, live: operations and bytes per second, and how much of its time
 * it waits for others.
 *
 * The number of operations is exact, since ranks number them. Bytes and waiting are measured on the
 * operations that could be read from the flight recorder in time, and scaled to all.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/muster/commands.h"
#include "tools/muster/look/hosts.h"
#include "tools/muster/look/jobs.h"
#include "tools/muster/look/keys.h"
#include "tools/muster/look/screen.h"
#include "tools/muster/look/verdict.h"
#include "tools/muster/options.h"
#include "tools/muster/text.h"

#define NS_PER_S 1000000000LL
#define LOOK_NS (20 * 1000 * 1000LL)
#define STRAGGLES_BY 0.2 /* waits so much less than others, as a share of time */

static const char help[] =
    "usage: muster top [options] [PID | /NAME]\n"
    "\n"
    "Shows every second what the ranks of a job do: operations and bytes per second, and the share of\n"
    "its time that each waits for others. Who waits much less than the others is marked: they wait for it.\n"
    "PID is the launcher or a rank; /NAME where ranks have met under a name; the only job there is when\n"
    "neither is given. Disturbs nothing. Ends with the job, or by q or Ctrl-C.\n"
    "\n"
    "      --seconds S  how often (1)\n"
    "      --once       one table, then end\n"
    "  -h, --help       this text\n"
    "\n"
    "Waits of less than some 2 us count as none, unless the job is traced (muster run --trace).\n";

typedef struct top_options {
    int64_t interval_ns;
    bool once;
} top_options;

/* What was seen of a rank since the table before. */
typedef struct tally {
    uint64_t operations; /* all */
    uint64_t recorded;   /* of them, in the records that could be read */
    uint64_t bytes;
    int64_t waited_ns;
} tally;

enum { RANKS_MAX = 1024 };

typedef struct watch {
    int fd; /* the arena's */
    int launcher;
    muster_records *records;
    muster_inspection seen;
    int64_t began_ns; /* of the time that is tallied */
    bool quit;        /* by the user */
    tally tallies[RANKS_MAX];
} watch;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- counting ---- */

static void count_record(const muster_record *record, void *arg)
{
    watch *watch = arg;
    tally *tally = &watch->tallies[record->rank];
    int64_t from_ns = record->entered_ns > watch->began_ns ? record->entered_ns : watch->began_ns;
    int64_t until_ns = record->arrived_ns ? record->arrived_ns : record->done_ns;

    if (strcmp(record->call, "phase") == 0)
        return;
    tally->recorded++;
    tally->bytes += record->bytes;
    if (until_ns > from_ns)
        tally->waited_ns += until_ns - from_ns;
}

static const muster_seen_call *find_before(const muster_inspection *before, const muster_seen_call *call)
{
    for (int i = 0; i < before->call_count; i++)
        if (before->calls[i]->pid == call->pid && before->calls[i]->rank == call->rank &&
            before->calls[i]->group == call->group && before->calls[i]->call_class == call->call_class)
            return before->calls[i];
    return NULL;
}

static void count_operations(watch *watch, const muster_inspection *before)
{
    for (int i = 0; i < watch->seen.call_count; i++) {
        const muster_seen_call *call = watch->seen.calls[i], *earlier = find_before(before, call);
        uint64_t from = earlier ? earlier->latest : 0;

        if (call->rank < RANKS_MAX && call->latest > from)
            watch->tallies[call->rank].operations += call->latest - from;
    }
}

/* Adds the part of current waits that is in this interval. */
static void count_waits(watch *watch, int64_t until_ns)
{
    for (int i = 0; i < watch->seen.call_count; i++) {
        const muster_seen_call *call = watch->seen.calls[i];
        int64_t since_ns = until_ns - watch->began_ns;

        if (call->rank < RANKS_MAX && call_waits(&watch->seen, call))
            watch->tallies[call->rank].waited_ns += call->since_ns < since_ns ? call->since_ns : since_ns;
    }
}

/* False: the job is over. */
static bool look_at_job(watch *watch)
{
    muster_inspection before = watch->seen;

    watch->seen = (muster_inspection)MUSTER_INSPECTION_INIT;
    if (muster_inspect(watch->fd, &watch->seen) != MUSTER_OK) {
        watch->seen = before;
        return false;
    }
    count_operations(watch, &before);
    muster_inspection_free(&before);
    return true;
}

static bool is_over(const watch *watch)
{
    for (int i = 0; i < watch->seen.rank_count; i++) {
        const muster_seen_rank *rank = watch->seen.ranks[i];
        char state = read_state(rank->pid);

        if (rank->pid == 0 || (!rank->left && state != 0 && state != 'Z'))
            return false;
    }
    return true;
}

/* Watches for one interval; false: the job is over, or the user has seen enough. */
static bool tally_interval(watch *watch, int64_t interval_ns)
{
    int64_t end_ns;

    memset(watch->tallies, 0, sizeof watch->tallies);
    watch->began_ns = now_ns();
    end_ns = watch->began_ns + interval_ns;
    while (now_ns() < end_ns) {
        if (keys_quit(LOOK_NS < interval_ns ? LOOK_NS : interval_ns)) {
            watch->quit = true;
            return false;
        }
        if (muster_records_read(watch->records, count_record, watch, NULL) != MUSTER_OK)
            return false;
    }
    if (!look_at_job(watch))
        return false;
    count_waits(watch, now_ns());
    return !is_over(watch);
}

/* ---- showing ---- */

static double waiting_share(const tally *tally, int64_t span_ns)
{
    double part = tally->recorded && tally->operations > tally->recorded
                      ? (double)tally->operations / (double)tally->recorded
                      : 1;
    double share = (double)tally->waited_ns * part / (double)span_ns;

    return share < 1 ? share : 1;
}

/* The rank that others wait for: it waits much less than they do; -1: none. */
static int find_straggler(const muster_inspection *seen, const double *shares)
{
    int least = seen->first_rank, next = -1;

    for (int rank = least + 1; rank < seen->size; rank++)
        if (is_here(seen, rank) && shares[rank] < shares[least])
            least = rank;
    for (int rank = 0; rank < seen->size; rank++)
        if (is_here(seen, rank) && rank != least && (next < 0 || shares[rank] < shares[next]))
            next = rank;
    return next >= 0 && shares[next] - shares[least] > STRAGGLES_BY ? least : -1;
}

static void describe_doing(const muster_inspection *seen, int rank, char *text, int bytes)
{
    const muster_seen_rank *process = find_rank(seen, rank);

    describe_process(seen, process, text, bytes);
    for (int i = 0; i < seen->call_count && strcmp(text, "waits in muster") == 0; i++)
        if (seen->calls[i]->rank == rank && seen->calls[i]->pid == process->pid && seen->calls[i]->in_call)
            snprintf(text, (size_t)bytes, "%s #%llu", seen->calls[i]->what,
                     (unsigned long long)seen->calls[i]->operation);
}

static void print_line(const watch *watch, int rank, double share, bool straggles, int64_t span_ns, FILE *to)
{
    const tally *tally = &watch->tallies[rank];
    double s = (double)span_ns / (double)NS_PER_S;
    double each = tally->recorded ? (double)tally->bytes / (double)tally->recorded : 0;
    char doing[120], bar[11] = "..........";

    for (int i = 0; i < 10 && share * 10 > i + 0.5; i++)
        bar[i] = '#';
    describe_doing(&watch->seen, rank, doing, sizeof doing);
    fprintf(to, "%6d %14.0f %12.2f %8.1f%% %s  %s%s\n", rank, (double)tally->operations / s,
            (double)tally->operations * each / s / 1e6, 100 * share, bar, doing,
            straggles ? "  <- the others wait for it" : "");
}

static void print_table(const watch *watch, int64_t span_ns, FILE *to)
{
    char command[100], host[100];
    double shares[RANKS_MAX] = { 0 };
    int size = watch->seen.size;

    read_command(watch->launcher, command, sizeof command);
    for (int rank = 0; rank < size; rank++)
        shares[rank] = waiting_share(&watch->tallies[rank], span_ns);
    int straggler = find_straggler(&watch->seen, shares);
    name_host(&watch->seen, host, sizeof host);
    if (watch->seen.hosts)
        fprintf(to, "%d of ", count_here(&watch->seen));
    fprintf(to, "%d rank%s%s, %d: %s\n\n", size, plural((unsigned)size), host, watch->launcher, command);
    fprintf(to, "%6s %14s %12s %9s %-10s  %s\n", "rank", "operations/s", "MB/s", "waiting", "", "doing");
    for (int rank = 0; rank < size; rank++)
        if (is_here(&watch->seen, rank))
            print_line(watch, rank, shares[rank], rank == straggler, span_ns, to);
    fprintf(to, "\n");
}

static bool show_table(const watch *watch, bool only)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to)
        print_table(watch, now_ns() - watch->began_ns, to);
    bool made = to && fclose(to) == 0;
    if (made)
        screen_show(text, only);
    else
        fprintf(stderr, "muster top: out of memory\n");
    free(text);
    return made && !ferror(stdout);
}

/* ---- the command ---- */

static bool watch_job(job *found, const top_options *options)
{
    static watch watch;

    watch.fd = job_open(found->path);
    watch.launcher = found->pid;
    if (watch.fd < 0 || muster_records_open(watch.fd, &watch.records) != MUSTER_OK) {
        fprintf(stderr, "muster top: %s\n", watch.fd < 0 ? strerror(errno) : muster_error_detail());
        return false;
    }
    watch.seen = (muster_inspection)MUSTER_INSPECTION_INIT;
    bool lives = look_at_job(&watch);
    watch.began_ns = now_ns();
    muster_records_read(watch.records, count_record, &watch, NULL); /* what was before */
    keys_begin();
    do
        lives = lives && tally_interval(&watch, options->interval_ns);
    while (lives && show_table(&watch, options->once) && !options->once);
    keys_end();
    if (!lives && !watch.quit)
        printf("the job is over\n");
    muster_records_close(watch.records);
    muster_inspection_free(&watch.seen);
    close(watch.fd);
    return true;
}

int command_top(int argc, char **argv)
{
    static const cli_option known[] = {
        { "seconds", 0, CLI_SECONDS, .offset = offsetof(top_options, interval_ns),
          .expected = "seconds above 0, such as 1 or 0.5" },
        { "once", 0, CLI_FLAG, .offset = offsetof(top_options, once) },
    };
    static const cli_syntax syntax = { "top", help, known, 2, false };
    top_options options = { NS_PER_S, false };
    job found;

    int status = parse_options(&syntax, argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    if (argc - optind > 1)
        return usage_error("top", "one job at a time; expected one PID or /NAME");
    if (!job_choose("top", argv[optind], &found))
        return EXIT_FAILURE;
    bool watched = watch_job(&found, &options);
    jobs_free(&found, 1);
    return watched ? EXIT_SUCCESS : EXIT_FAILURE;
}
