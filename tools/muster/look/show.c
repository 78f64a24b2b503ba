/*
 * `muster ps` and `muster inspect`: which jobs there are, what their ranks do, and who waits for whom.
 */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/muster/commands.h"
#include "tools/muster/look/hosts.h"
#include "tools/muster/look/inspect.h"
#include "tools/muster/look/jobs.h"
#include "tools/muster/look/verdict.h"
#include "tools/muster/options.h"
#include "tools/muster/text.h"
#include "tools/muster/trace/collect.h"
#include "tools/muster/trace/file.h"
#include "tools/muster/trace/trace.h"

#define JSON_SCHEMA 1

enum { RANKS_MAX = 1024 };

static const char ps_help[] = "usage: muster ps\n"
                              "\n"
                              "Lists the jobs on this machine that this user may look at: launcher, ranks, "
                              "how many wait, the command,\n"
                              "and in brackets the names of its groups; of a job on several hosts the ranks "
                              "of this one. A process that is a rank of several "
                              "worlds is listed once.\n";

static const char inspect_help[] =
    "usage: muster inspect [options] [PID | /NAME]\n"
    "\n"
    "Shows what the ranks of a job are doing, and who waits for whom: the job of which PID is the launcher "
    "or a\n"
    "rank, or whose ranks have met under /NAME; the only job there is when neither is given. Disturbs "
    "nothing.\n"
    "\n"
    "      --json     print one JSON object\n"
    "      --stacks   with gdb: where each rank is, in its own code (stops it for a moment)\n"
    "      --trace F  write the latest operations of each rank to a file, for muster trace and muster "
    "report\n"
    "  -h, --help     this text\n"
    "\n"
    "Exit status: 0 when the job was seen; 1 when there is no such job; 2 for a usage error.\n";

typedef struct show_options {
    bool json, stacks;
    const char *trace; /* a file; NULL: none */
} show_options;

/* ---- muster ps ---- */

static int count_waiting(const muster_inspection *seen)
{
    int count = 0;

    for (int rank = 0; rank < seen->size; rank++)
        for (int i = 0; i < seen->call_count; i++)
            if (seen->calls[i]->rank == rank && seen->calls[i]->in_call) {
                count++;
                break;
            }
    return count;
}

/* The process is that of an earlier job in the list: it is a rank of several worlds. */
static bool is_listed(const job *jobs, int at)
{
    for (int i = 0; i < at; i++)
        if (jobs[i].pid == jobs[at].pid)
            return true;
    return false;
}

static bool has_name(const char *names, const char *name)
{
    size_t bytes = strlen(name);

    for (const char *at = names; (at = strstr(at, name)) != NULL; at += bytes)
        if ((at == names || at[-1] == ' ') && (at[bytes] == '\0' || at[bytes] == ','))
            return true;
    return false;
}

/* "tp:0, pp:0": the names of the job's groups that are not in the list yet. */
static void list_names(const muster_inspection *seen, char *names, size_t room)
{
    for (int i = 0; i < seen->call_count; i++) {
        const char *name = seen->calls[i]->group_name;
        size_t used = strlen(names);

        if (name[0] && used + strlen(name) + sizeof ", " <= room && !has_name(names, name))
            snprintf(names + used, room - used, "%s%s", used ? ", " : "", name);
    }
}

/* "  (host b: ranks 2 3 of 4)", of a world on several hosts. */
static void print_host(const muster_inspection *seen)
{
    bool here[RANKS_MAX] = { false };
    char ranks[100];

    for (int rank = 0; rank < seen->size && rank < RANKS_MAX; rank++)
        here[rank] = is_here(seen, rank);
    int count = list_ranks(here, RANKS_MAX, ranks, sizeof ranks);
    printf("  (%s: rank%s %s of %d)", seen->hosts[seen->first_rank], plural((unsigned)count), ranks,
           seen->size);
}

/* A process, once, with all worlds that it was found in: the largest, and what waits in any. */
static void print_process(const job *jobs, int count, int at)
{
    const muster_inspection *spread = NULL;
    char command[200], names[120] = "";
    int ranks = 0, waiting = 0;

    for (int i = at; i < count; i++) {
        if (jobs[i].pid != jobs[at].pid)
            continue;
        ranks = count_here(&jobs[i].seen) > ranks ? count_here(&jobs[i].seen) : ranks;
        waiting += count_waiting(&jobs[i].seen);
        list_names(&jobs[i].seen, names, sizeof names);
        if (!spread && jobs[i].seen.hosts)
            spread = &jobs[i].seen;
    }
    read_command(jobs[at].pid, command, sizeof command);
    printf("%8d %6d %8d  %s", jobs[at].pid, ranks, waiting, command);
    if (names[0])
        printf("  [%s]", names);
    if (spread)
        print_host(spread);
    printf("\n");
}

int command_ps(int argc, char **argv)
{
    static const cli_syntax syntax = { "ps", ps_help, NULL, 0, false };
    static job jobs[JOBS_MAX];

    int status = parse_options(&syntax, argc, argv, NULL);
    if (status != OPTIONS_PARSED)
        return status;
    if (optind < argc)
        return usage_error("ps", "it takes no arguments; muster inspect %s shows one job", argv[optind]);
    if (!jobs_can_be_seen("ps"))
        return EXIT_FAILURE;
    int count = jobs_find(jobs, JOBS_MAX);
    printf("%8s %6s %8s  %s\n", "pid", "ranks", "waiting", "command");
    for (int i = 0; i < count; i++)
        if (!is_listed(jobs, i))
            print_process(jobs, count, i);
    jobs_free(jobs, count);
    return EXIT_SUCCESS;
}

/* ---- muster inspect, for people ---- */

static void print_job(const job *job, bool stacks)
{
    const muster_inspection *seen = &job->seen;
    char command[200], host[100];

    read_command(job->pid, command, sizeof command);
    name_host(seen, host, sizeof host);
    if (seen->hosts)
        printf("%d of ", count_here(seen));
    printf("%d rank%s%s, %s %d: %s\n\n", seen->size, plural((unsigned)seen->size), host,
           seen->launcher_pid ? "launched by" : "found through", job->pid, command);
    print_ranks(seen, stdout);
    printf("\n");
    if (print_verdicts(seen, stdout) == 0)
        printf("no rank%s waits for another\n", seen->hosts ? " of this host" : "");
    if (stacks)
        print_stacks(seen, stdout);
}

/* ---- and for programs ---- */

/* Of a job on several hosts: which one this is, and that of each rank. */
static void print_hosts_json(const muster_inspection *seen)
{
    if (!seen->hosts)
        return;
    printf("  \"job\": \"%016llx\",\n  \"host\": ", (unsigned long long)seen->job);
    write_json_string(seen->hosts[seen->first_rank], stdout);
    printf(",\n  \"hosts\": [");
    for (int rank = 0; rank < seen->size; rank++) {
        printf(rank ? ", " : "");
        write_json_string(seen->hosts[rank], stdout);
    }
    printf("],\n");
}

static void print_awaited_json(const muster_inspection *seen, const muster_seen_call *call)
{
    int count = 0;

    if (!seen->hosts)
        return;
    printf(", \"awaited\": [");
    for (int rank = 0; rank < seen->size; rank++)
        if (call->in_call && MUSTER_SEEN_HAS(call->awaited, rank))
            printf("%s%d", count++ ? ", " : "", rank);
    printf("]");
}

static void print_call_json(const muster_inspection *seen, const muster_seen_call *call)
{
    char group[120];

    name_group(seen, call->group, group, sizeof group);
    printf("    { \"rank\": %d, \"pid\": %d, \"group\": ", call->rank, call->pid);
    write_json_string(group, stdout);
    printf(", \"group_rank\": %d, \"group_size\": %d, \"call_class\": \"%s\", \"in_call\": %s, "
           "\"operation\": %llu, ",
           call->group_rank, call->group_size, call_class_name(call->call_class),
           call->in_call ? "true" : "false", (unsigned long long)call->operation);
    printf("\"call\": ");
    write_json_string(call->what, stdout);
    printf(", \"bytes\": %zu", call->bytes);
    printf(", \"peer\": %d, \"since_s\": %.3f, \"broken\": ", call->peer, (double)call->since_ns / 1e9);
    if (call->broken == MUSTER_OK)
        printf("null");
    else
        write_json_string(muster_status_string(call->broken), stdout);
    if (call->call_class == MUSTER_CALL_COLLECTIVE)
        printf(", \"under_way\": %llu", (unsigned long long)call->under_way);
    print_awaited_json(seen, call);
    printf(" }");
}

static void print_json(const job *job)
{
    const muster_inspection *seen = &job->seen;
    char doing[160], verdict[VERDICT_BYTES];

    printf("{\n  \"schema\": %d,\n  \"size\": %d,\n  \"launcher\": %d,\n", JSON_SCHEMA, seen->size,
           seen->launcher_pid);
    print_hosts_json(seen);
    printf("  \"ranks\": [\n");
    for (int i = 0; i < seen->rank_count; i++) {
        describe_process(seen, seen->ranks[i], doing, sizeof doing);
        printf("    { \"rank\": %d, \"pid\": %d, \"replaced\": %s, \"state\": ", seen->ranks[i]->rank,
               seen->ranks[i]->pid, seen->ranks[i]->replaced ? "true" : "false");
        write_json_string(doing, stdout);
        printf(" }%s\n", i + 1 < seen->rank_count ? "," : "");
    }
    printf("  ],\n  \"calls\": [\n");
    for (int i = 0; i < seen->call_count; i++) {
        print_call_json(seen, seen->calls[i]);
        printf("%s\n", i + 1 < seen->call_count ? "," : "");
    }
    printf("  ],\n  \"verdicts\": [");
    for (int n = 0; find_verdict(seen, n, verdict); n++) {
        printf(n ? ", " : "");
        write_json_string(verdict, stdout);
    }
    printf("]\n}\n");
}

/* ---- and as a trace ---- */

static bool save_trace(const job *job, const char *path)
{
    int fd = job_open(job->path);
    trace trace = { .records = NULL };
    char command[300];

    if (fd < 0 || !trace_read_job(fd, &trace)) {
        fprintf(stderr, "muster inspect: --trace: %s\n", fd < 0 ? strerror(errno) : muster_error_detail());
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    read_command(job->pid, command, sizeof command);
    trace_describe(&trace, command);
    FILE *file = fopen(path, "we");
    bool written = file && trace_write(&trace, file);
    if (file && fclose(file) != 0)
        written = false;
    if (written)
        printf("%s has the latest %zu operation%s; see muster trace %s\n", path, trace.count,
               plural(trace.count), path);
    else
        fprintf(stderr, "muster inspect: %s: %s\n", path, strerror(errno));
    trace_free(&trace);
    return written;
}

int command_inspect(int argc, char **argv)
{
    static const cli_option known[] = {
        { "json", 0, CLI_FLAG, .offset = offsetof(show_options, json) },
        { "stacks", 0, CLI_FLAG, .offset = offsetof(show_options, stacks) },
        { "trace", 0, CLI_TEXT, .offset = offsetof(show_options, trace), .expected = "a file" },
    };
    static const cli_syntax syntax = { "inspect", inspect_help, known, 3, false };
    show_options options = { false, false, NULL };
    bool done = true;
    job found;

    int status = parse_options(&syntax, argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    if (argc - optind > 1)
        return usage_error("inspect", "one job at a time; expected one PID or /NAME");
    if (options.json + options.stacks + (options.trace != NULL) > 1)
        return usage_error("inspect", "--json, --stacks and --trace exclude each other");
    if (!job_choose("inspect", argv[optind], &found))
        return EXIT_FAILURE;
    if (options.trace)
        done = save_trace(&found, options.trace);
    else if (options.json)
        print_json(&found);
    else
        print_job(&found, options.stacks);
    jobs_free(&found, 1);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
