/*
 * Collecting: a process beside the launcher reads the ranks' rings of records until the job is over, then
 * writes the file. It is a process, as the launcher forks and may have no threads, and as it shall write what
 * it has when the launcher is killed.
 */
#define _GNU_SOURCE /* pipe2 */
#include "tools/muster/trace/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/muster/helper.h"
#include "tools/muster/text.h"
#include "tools/muster/trace/file.h"

#define LOOK_MS 2 /* a ring of 1024 lasts longer, at 2 us for an operation */
#define END_LOOK_MS 10
#define PATIENCE_LOOKS 100 /* a second */
#define SLACK ((size_t)4)  /* so many times what is kept is collected before the rest is dropped */

static void add(const muster_record *record, void *arg)
{
    trace *trace = arg;

    if (!trace_add(trace, record))
        trace->left_out++;
    trace->exact = trace->exact && record->exact;
}

static bool look(muster_records *records, trace *trace)
{
    return muster_records_read(records, add, trace, &trace->lost) == MUSTER_OK;
}

void trace_describe(trace *trace, const char *command)
{
    trace_job *job = &trace->job;
    time_t now = time(NULL);
    struct tm calendar;

    job->cpus = muster_cpu_count();
    snprintf(job->command, sizeof job->command, "%s", command);
    if (gethostname(job->host, sizeof job->host - 1) != 0)
        strcpy(job->host, "?");
    if (!localtime_r(&now, &calendar) ||
        strftime(job->date, sizeof job->date, "%Y-%m-%d %H:%M:%S %z", &calendar) == 0)
        strcpy(job->date, "?");
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* NULL: it has all ranks, or there is no memory. */
static trace_part *describe_part(const muster_inspection *seen)
{
    trace_part *part = seen->hosts ? calloc(1, sizeof *part) : NULL;

    if (!part)
        return NULL;
    part->job = seen->job;
    part->ahead_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
    for (int rank = 0; rank < seen->size && rank < TRACE_RANKS_MAX; rank++) {
        int first = 0;

        while (seen->hosts[first] != seen->hosts[rank])
            first++;
        part->host[rank] = first;
        part->here[rank] = seen->hosts[rank] == seen->hosts[seen->first_rank];
        snprintf(part->names[first], sizeof part->names[0], "%s", seen->hosts[rank]);
    }
    return part;
}

/* Which ranks there are. */
static void find_ranks(int fd, trace *trace)
{
    muster_inspection seen = MUSTER_INSPECTION_INIT;

    if (muster_inspect(fd, &seen) != MUSTER_OK)
        return;
    trace->ranks = seen.size;
    trace->part = describe_part(&seen);
    muster_inspection_free(&seen);
}

bool trace_read_job(int fd, trace *trace)
{
    muster_records *records;

    *trace = (struct trace){ .exact = true };
    find_ranks(fd, trace);
    if (muster_records_open(fd, &records) != MUSTER_OK)
        return false;
    bool read = look(records, trace);
    muster_records_close(records);
    trace->left_out += trace->lost; /* a ring has the latest only */
    trace->lost = 0;
    trace_sort(trace);
    return read;
}

/* ---- the process ---- */

static bool write_file(trace_collector *collector, trace *trace)
{
    trace_limit(trace, collector->limit);
    trace_sort(trace);
    bool written = trace_write(trace, collector->file);
    if (fclose(collector->file) != 0)
        written = false;
    leave_unread_error();
    if (!written) {
        fprintf(stderr, "muster run: --trace: %s: %s\n", collector->path, strerror(errno));
        return false;
    }
    fprintf(stderr, "muster run: %s has %zu operation%s of %d rank%s; see muster trace %s\n", collector->path,
            trace->count, plural(trace->count), trace->ranks, plural((unsigned)trace->ranks),
            collector->path);
    if (trace->left_out)
        fprintf(stderr, "muster run: %llu earlier one%s left out; --trace-limit says how many are kept\n",
                (unsigned long long)trace->left_out, trace->left_out == 1 ? " is" : "s are");
    if (trace->lost)
        fprintf(stderr, "muster run: %llu came faster than could be read, and %s lost\n",
                (unsigned long long)trace->lost, trace->lost == 1 ? "is" : "are");
    return true;
}

static _Noreturn void collect(trace_collector *collector, int fd, int lifeline)
{
    struct pollfd ended = { .fd = lifeline, .events = POLLIN };
    trace trace = { .exact = true };
    find_ranks(fd, &trace);
    trace_describe(&trace, collector->command);
    size_t most = SLACK * collector->limit * (size_t)trace.ranks;
    muster_records *records;

    if (muster_records_open(fd, &records) != MUSTER_OK) {
        fprintf(stderr, "muster run: --trace: %s\n", muster_error_detail());
        _exit(1);
    }
    while (poll(&ended, 1, LOOK_MS) <= 0) {
        look(records, &trace);
        if (trace.count > most || trace.phases.count > most)
            trace_limit(&trace, collector->limit);
    }
    look(records, &trace);
    _exit(write_file(collector, &trace) ? 0 : 1);
}

bool collector_open(trace_collector *collector, const char *path, const char *command, size_t limit)
{
    *collector =
        (trace_collector){ .path = path, .command = command, .limit = limit, .pid = -1, .lifeline = -1 };
    collector->file = fopen(path, "we");
    if (!collector->file)
        fprintf(stderr, "muster run: --trace: %s: %s\n", path, strerror(errno));
    return collector->file != NULL;
}

bool collector_start(int fd, void *arg)
{
    trace_collector *collector = arg;
    int lifeline[2];

    if (pipe2(lifeline, O_CLOEXEC) < 0) {
        fprintf(stderr, "muster run: --trace: %s\n", strerror(errno));
        return false;
    }
    collector->pid = helper_fork();
    if (collector->pid == 0) {
        close(lifeline[1]);
        setpgid(0, 0);            /* who kills the launcher's group has the file nonetheless */
        signal(SIGTTOU, SIG_IGN); /* what it has to say is said after stty tostop, too */
        signal(SIGPIPE, SIG_IGN);
        collect(collector, fd, lifeline[0]);
    }
    close(lifeline[0]);
    if (collector->pid < 0) {
        fprintf(stderr, "muster run: --trace: %s\n", strerror(errno));
        close(lifeline[1]);
        return false;
    }
    collector->lifeline = lifeline[1];
    return true;
}

/* Until it has ended; false: who is asked to end does not wait for a reader of the file that takes nothing.
 */
static bool await_end(const trace_collector *collector, int (*is_asked)(void), int *status)
{
    int patience = PATIENCE_LOOKS;
    pid_t ended;

    while ((ended = waitpid(collector->pid, status, WNOHANG)) == 0 && patience > 0) {
        patience -= is_asked() != 0;
        poll(NULL, 0, END_LOOK_MS);
    }
    return ended != 0;
}

bool collector_finish(trace_collector *collector, int (*is_asked)(void))
{
    int status = 1;

    fclose(collector->file); /* ours; nothing is buffered in it */
    if (collector->pid < 0)
        return false;
    close(collector->lifeline);
    if (!await_end(collector, is_asked, &status))
        fprintf(stderr,
                "muster run: --trace: %s: nobody takes what is written there, and this was asked to end\n",
                collector->path);
    return status == 0;
}
