/* The watching process of hang.h. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include "tools/muster/run/hang.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/muster/helper.h"
#include "tools/muster/look/inspect.h"
#include "tools/muster/look/jobs.h"

#define AFTER_NS (30LL * 1000 * 1000 * 1000)
#define LOOK_NS_MAX (1000LL * 1000 * 1000)

static int64_t longest_wait_ns(const muster_inspection *seen)
{
    int64_t longest_ns = 0;

    for (int i = 0; i < seen->call_count; i++)
        if (seen->calls[i]->in_call && seen->calls[i]->since_ns > longest_ns)
            longest_ns = seen->calls[i]->since_ns;
    return longest_ns;
}

static int64_t after_ns_of(const run_options *options)
{
    return options->hang_after_ns ? options->hang_after_ns : AFTER_NS;
}

double hang_after_seconds(const run_options *options)
{
    return (double)after_ns_of(options) / 1e9;
}

/* Standard error is buffered while this is written, so that what ranks print does not come in between: first
 * the sentences, then each rank's stack as it comes. */
static void report(const job *job, int64_t waited_ns, bool stacks)
{
    static char text[65536];
    FILE *to = fdopen(dup(STDERR_FILENO), "w");

    if (!to)
        return;
    setvbuf(to, text, _IOFBF, sizeof text);
    fprintf(to, "muster run: a rank has waited for %.1f s\n", (double)waited_ns / 1e9);
    print_verdicts(&job->seen, to);
    bool told = fflush(to) == 0;
    if (told && stacks)
        print_stacks(&job->seen, to);
    if (fclose(to) != 0 || !told)
        _exit(1); /* nobody reads it any more */
}

/* Once for each time that waits have become too long. */
static _Noreturn void watch(const run_options *options, pid_t launcher)
{
    int64_t after_ns = after_ns_of(options);
    int64_t look_ns = after_ns / 4 < LOOK_NS_MAX ? after_ns / 4 : LOOK_NS_MAX;
    struct timespec pause = { look_ns / 1000000000, look_ns % 1000000000 };
    bool reported = false;

    for (;;) {
        job job;

        nanosleep(&pause, NULL);
        if (!job_of_process(launcher, &job))
            continue; /* not begun */
        int64_t waited_ns = longest_wait_ns(&job.seen);
        if (waited_ns >= after_ns && !reported) {
            report(&job, waited_ns, options->on_hang == RUN_HANG_STACKS);
            if (options->on_hang == RUN_HANG_ABORT)
                kill(launcher, SIGTERM);
        }
        reported = waited_ns >= after_ns;
        jobs_free(&job, 1);
    }
}

pid_t hang_watch(const run_options *options)
{
    pid_t launcher = getpid(), pid = helper_fork();

    if (pid < 0) {
        fprintf(stderr, "muster run: --on-hang: %s\n", strerror(errno));
        return -1;
    }
    if (pid > 0)
        return pid;
    helper_end_with(launcher);
    watch(options, launcher);
}
