/* Prints what muster_inspect shows, for inspect.h. */
#define _POSIX_C_SOURCE 200809L /* popen */
#include "tools/muster/look/inspect.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tools/muster/look/jobs.h"
#include "tools/muster/look/verdict.h"
#include "tools/muster/text.h"

enum { RANKS_MAX = 1024, CAUSES_MAX = 4 };

/* ---- ranks ---- */

/* ", 3 operations started" and the like; "" where there are none. */
static void describe_started(const muster_inspection *seen, const muster_seen_rank *rank, char *text,
                             int bytes)
{
    unsigned long long count = 0;

    for (int i = 0; i < seen->call_count; i++)
        if (seen->calls[i]->rank == rank->rank && seen->calls[i]->pid == rank->pid)
            count += seen->calls[i]->under_way;
    text[0] = 0;
    if (count)
        snprintf(text, (size_t)bytes, ", %llu operation%s started and under way", count,
                 plural((unsigned)count));
}

static void print_rank(const muster_inspection *seen, const muster_seen_rank *rank, FILE *to)
{
    char doing[160], group[120], started[80], lasted[32];
    bool any = false;

    describe_process(seen, rank, doing, sizeof doing);
    describe_started(seen, rank, started, sizeof started);
    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *call = seen->calls[i];

        if (call->rank != rank->rank || call->pid != rank->pid || !call->what[0])
            continue; /* of one that has ended: the call that it ended in */
        name_group(seen, call->group, group, sizeof group);
        snprintf(lasted, sizeof lasted, "%.1f s", (double)call->since_ns / 1e9);
        fprintf(to, "%6d %8d  %-34s %-20s %9llu %10zu %11s", rank->rank, rank->pid, call->what, group,
                (unsigned long long)call->operation, call->bytes, call->in_call ? lasted : "");
        if (strcmp(doing, "waits in muster") != 0) /* stopped, or dead */
            fprintf(to, "  %s", doing);
        fprintf(to, "%s\n", any ? "" : started);
        any = true;
    }
    if (!any)
        fprintf(to, "%6d %8d  %s%s\n", rank->rank, rank->pid, doing, started);
}

void print_ranks(const muster_inspection *seen, FILE *to)
{
    fprintf(to, "%6s %8s  %-34s %-20s %9s %10s %11s\n", "rank", "pid", "doing", "in", "operation", "bytes",
            "for");
    for (int i = 0; i < seen->rank_count; i++)
        print_rank(seen, seen->ranks[i], to);
}

static bool is_broken_alike(const muster_seen_call *a, const muster_seen_call *b)
{
    return b->call_class == MUSTER_CALL_COLLECTIVE && a->group == b->group && a->broken == b->broken;
}

/* What those knew who have ended is of interest where nobody is left. */
static bool knows(const muster_inspection *seen, const muster_seen_call *call, bool all)
{
    return call->broken != MUSTER_OK && call->call_class == MUSTER_CALL_COLLECTIVE &&
           (all || !has_ended(find_process(seen, call)));
}

static bool somebody_lives(const muster_inspection *seen)
{
    for (int i = 0; i < seen->rank_count; i++)
        if (!has_ended(seen->ranks[i]))
            return true;
    return false;
}

/* Each group and reason once, with all who know it. */
static void print_broken(const muster_inspection *seen, FILE *to)
{
    bool all = !somebody_lives(seen);

    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *call = seen->calls[i];
        bool known[RANKS_MAX] = { false }, told = false;
        char group[120], ranks[200];

        if (!knows(seen, call, all))
            continue;
        for (int other = 0; other < seen->call_count; other++)
            if (is_broken_alike(call, seen->calls[other]) && knows(seen, seen->calls[other], all)) {
                told = told || other < i;
                mark_rank(known, RANKS_MAX, seen->calls[other]->rank);
            }
        if (told)
            continue;
        name_group(seen, call->group, group, sizeof group);
        int count = list_ranks(known, RANKS_MAX, ranks, sizeof ranks);
        fprintf(to, "for rank%s %s, %s is broken: %s\n", plural((unsigned)count), ranks, group,
                muster_status_string(call->broken));
    }
}

/* Where several wait for each other in turn, who does not. */
static void print_causes(const muster_inspection *seen, FILE *to)
{
    bool more[RANKS_MAX] = { false };
    char doing[160], ranks[200];
    int described = 0;

    for (int i = 0; i < seen->rank_count; i++) {
        const muster_seen_rank *process = seen->ranks[i];

        if (!is_waited_for(seen, process))
            continue;
        if (described++ >= CAUSES_MAX) {
            mark_rank(more, RANKS_MAX, process->rank);
            continue;
        }
        describe_process(seen, process, doing, sizeof doing);
        fprintf(to, "cause: rank %d %s\n", process->rank, doing);
    }
    int more_count = list_ranks(more, RANKS_MAX, ranks, sizeof ranks);
    if (more_count > 0)
        fprintf(to, "others also wait for rank%s %s\n", plural((unsigned)more_count), ranks);
}

void take_last_calls(muster_inspection *seen)
{
    for (int i = 0; i < seen->call_count; i++) {
        muster_seen_call *call = (muster_seen_call *)(uintptr_t)seen->calls[i]; /* in memory of ours */
        const muster_seen_rank *process = find_process(seen, call);

        call->in_call = call->in_call || (call->what[0] && process && !process->replaced);
    }
}

int print_verdicts(const muster_inspection *seen, FILE *to)
{
    char verdict[VERDICT_BYTES];
    int count = 0;

    print_broken(seen, to);
    for (; find_verdict(seen, count, verdict); count++)
        fprintf(to, "%s\n", verdict);
    if (count > 1)
        print_causes(seen, to);
    return count;
}

/* gdb's "Thread 2 (... "muster-watch"):" and what follows is the library's own, which says nothing of
 * the program. */
static bool begins_own_thread(const char *line, bool is_own)
{
    return strncmp(line, "Thread ", 7) == 0 ? strstr(line, "\"muster-") != NULL : is_own;
}

static void print_stack(int pid, FILE *to)
{
    char command[160], line[1000];
    bool any = false, is_own = false;

    snprintf(command, sizeof command, "gdb -q -batch -p %d -ex 'thread apply all bt' 2>/dev/null", pid);
    FILE *stack = popen(command, "r");
    while (stack && fgets(line, sizeof line, stack)) {
        is_own = begins_own_thread(line, is_own);
        if (!is_own && (line[0] == '#' || strncmp(line, "Thread ", 7) == 0))
            any = fputs(line, to) >= 0;
    }
    if (stack)
        pclose(stack);
    if (!any)
        fprintf(to, "gdb showed nothing: is it installed, and may it attach (kernel.yama.ptrace_scope)?\n");
}

void print_stacks(const muster_inspection *seen, FILE *to)
{
    for (int i = 0; i < seen->rank_count; i++) {
        const muster_seen_rank *rank = seen->ranks[i];

        if (read_state(rank->pid) == 0 || rank->termination.kind != MUSTER_TERMINATION_NONE)
            continue;
        fprintf(to, "\nrank %d:\n", rank->rank);
        print_stack(rank->pid, to);
        fflush(to); /* each as it comes: gdb takes its time */
    }
}
