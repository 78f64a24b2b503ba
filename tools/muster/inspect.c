/* Grouping and judging of inspect.h. */
#define _POSIX_C_SOURCE 200809L /* popen */
#include "tools/muster/inspect.h"

#include <stdio.h>
#include <string.h>

#include "tools/muster/text.h"

#define NS_PER_S 1e9

enum { RANKS_MAX = 1024, DESCRIBED_MAX = 4 };

/* The member's entry of that call class; NULL: it has none, as it has not been there. */
static const muster_seen_call *find_call(const muster_inspection *seen, unsigned long long group,
                                         int group_rank, muster_call_class call_class)
{
    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *call = seen->calls[i];

        if (call->group == group && call->group_rank == group_rank && call->call_class == call_class)
            return call;
    }
    return NULL;
}

static const muster_seen_call *find_member(const muster_inspection *seen, unsigned long long group,
                                           int group_rank)
{
    return find_call(seen, group, group_rank, MUSTER_CALL_COLLECTIVE); /* which every member has */
}

static void mark(bool *listed, int rank)
{
    if (rank >= 0 && rank < RANKS_MAX)
        listed[rank] = true;
}

/* "rank 3", "ranks 0 2 4-63" */
static void say_ranks(sentence *sentence, const bool *listed)
{
    char ranks[200];
    int count = list_ranks(listed, RANKS_MAX, ranks, sizeof ranks);

    say(sentence, "rank%s %s", plural((unsigned)count), ranks);
}

void name_group(const muster_inspection *seen, unsigned long long group, char *text, int bytes)
{
    bool listed[RANKS_MAX] = { false };
    char ranks[100];

    const muster_seen_call *member = find_member(seen, group, 0);
    for (int at = 0; member && !member->group_name[0] && at < member->group_size; at++)
        if (find_member(seen, group, at) && find_member(seen, group, at)->group_name[0])
            member = find_member(seen, group, at); /* rank 0 has given none */
    if (member && member->group_name[0]) {
        snprintf(text, (size_t)bytes, "%s", member->group_name);
        return;
    }
    if (member && member->world) {
        snprintf(text, (size_t)bytes, "world");
        return;
    }
    for (int i = 0; i < seen->call_count; i++)
        if (seen->calls[i]->group == group && seen->calls[i]->call_class == MUSTER_CALL_COLLECTIVE)
            mark(listed, seen->calls[i]->rank);
    list_ranks(listed, RANKS_MAX, ranks, sizeof ranks);
    snprintf(text, (size_t)bytes, "group {%s}", ranks);
}

/* ---- ranks ---- */

/* The latest process that is the rank. */
static const muster_seen_rank *find_rank(const muster_inspection *seen, int rank)
{
    const muster_seen_rank *found = NULL;

    for (int i = 0; i < seen->rank_count; i++)
        if (seen->ranks[i]->rank == rank)
            found = seen->ranks[i];
    return found;
}

static bool is_in_call(const muster_inspection *seen, int rank)
{
    for (int i = 0; i < seen->call_count; i++)
        if (seen->calls[i]->rank == rank && seen->calls[i]->in_call)
            return true;
    return false;
}

void describe_rank(const muster_inspection *seen, int rank, char *text, int bytes)
{
    const muster_seen_rank *found = find_rank(seen, rank);
    char state = found ? read_state(found->pid) : 0;

    if (!found || found->pid == 0)
        snprintf(text, (size_t)bytes, "has not attached");
    else if (found->termination.kind != MUSTER_TERMINATION_NONE)
        muster_termination_describe(found->termination, text, (size_t)bytes);
    else if (found->left)
        snprintf(text, (size_t)bytes, "has left");
    else if (state == 'T' || state == 't')
        snprintf(text, (size_t)bytes, "is stopped (%s)",
                 state == 'T' ? "SIGSTOP; kill -CONT continues it" : "by a debugger");
    else if (state == 0 || state == 'Z')
        snprintf(text, (size_t)bytes, "is gone");
    else if (is_in_call(seen, rank))
        snprintf(text, (size_t)bytes, "waits in muster");
    else
        snprintf(text, (size_t)bytes, state == 'R' ? "is running user code" : "sleeps in user code");
}

/* ---- verdicts ---- */

/* "ranks 0-2 have waited 12.4 s" */
static void say_waiting(sentence *verdict, const muster_inspection *seen, const muster_seen_call *call)
{
    bool waiting[RANKS_MAX] = { false };
    double longest_s = 0;
    int count = 0;

    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *other = seen->calls[i];

        if (other->group != call->group || other->call_class != call->call_class || !other->in_call ||
            other->operation != call->operation)
            continue;
        mark(waiting, other->rank);
        count++;
        if ((double)other->since_ns / NS_PER_S > longest_s)
            longest_s = (double)other->since_ns / NS_PER_S;
    }
    say_ranks(verdict, waiting);
    say(verdict, " %s waited %.1f s", count > 1 ? "have" : "has", longest_s);
}

/* Whether the member has reached the call; one that has not is who is waited for. */
static bool has_entered(const muster_inspection *seen, const muster_seen_call *call, int group_rank)
{
    const muster_seen_call *other = find_call(seen, call->group, group_rank, call->call_class);

    return other && other->latest >= call->operation;
}

/* Its operations are this rank's alone: those of other ranks do not have the same numbers. */
static bool is_message(const muster_seen_call *call)
{
    return call->call_class == MUSTER_CALL_SEND || call->call_class == MUSTER_CALL_RECEIVE;
}

bool call_waits(const muster_inspection *seen, const muster_seen_call *call)
{
    if (!call->in_call || call->peer >= 0 || is_message(call)) /* messages are shown once they wait */
        return call->in_call;
    for (int at = 0; at < call->group_size; at++)
        if (!has_entered(seen, call, at))
            return true;
    return false;
}

/* Ranks that have not reached it, and what they do instead. */
static void judge_collective(const muster_inspection *seen, const muster_seen_call *call, sentence *verdict)
{
    char group[120], doing[120];
    bool missing[RANKS_MAX] = { false }, gone[RANKS_MAX] = { false };
    int count = 0, gone_count = 0;

    for (int at = 0; at < call->group_size && at < RANKS_MAX; at++) {
        const muster_seen_call *member = find_member(seen, call->group, at);

        if (has_entered(seen, call, at))
            continue;
        count++;
        if (member)
            mark(missing, member->rank);
        else
            gone_count += gone[at] = true; /* its place is another group's by now */
    }
    name_group(seen, call->group, group, sizeof group);
    if (count == 0) {
        say(verdict, "all are in %s #%llu of %s: ", call->what, (unsigned long long)call->operation, group);
        say_waiting(verdict, seen, call);
        return;
    }
    if (count > gone_count)
        say_ranks(verdict, missing);
    if (gone_count) {
        say(verdict, count > gone_count ? " and the group's " : "the group's ");
        say_ranks(verdict, gone);
    }
    say(verdict, " %s not entered %s #%llu of %s; ", count > 1 ? "have" : "has", call->what,
        (unsigned long long)call->operation, group);
    say_waiting(verdict, seen, call);
    for (int rank = 0, described = 0; rank < RANKS_MAX && described < DESCRIBED_MAX; rank++) {
        if (!missing[rank])
            continue;
        describe_rank(seen, rank, doing, sizeof doing);
        say(verdict, "; rank %d %s", rank, doing);
        described++;
    }
}

static void judge_message(const muster_inspection *seen, const muster_seen_call *call, sentence *verdict)
{
    const muster_seen_call *peer = find_member(seen, call->group, call->peer);
    char group[120], doing[120];

    name_group(seen, call->group, group, sizeof group);
    say(verdict, "rank %d has waited %.1f s in %s %s ", call->rank, (double)call->since_ns / NS_PER_S,
        call->what, call->call_class == MUSTER_CALL_RECEIVE ? "from" : "to");
    if (call->peer < 0) {
        say(verdict, "any rank of %s", group);
        return;
    }
    if (!peer) {
        say(verdict, "rank %d of %s, which has left it", call->peer, group);
        return;
    }
    describe_rank(seen, peer->rank, doing, sizeof doing);
    say(verdict, "rank %d of %s; rank %d %s", peer->rank, group, peer->rank, doing);
}

/* Nothing that is over in a moment. */
static bool is_long(const muster_seen_call *call)
{
    return call->in_call && call->since_ns >= 10 * 1000 * 1000;
}

/* One for each operation, by its first waiting member. */
static bool is_first_of_its_kind(const muster_inspection *seen, int at)
{
    const muster_seen_call *call = seen->calls[at];

    if (!is_long(call))
        return false;
    for (int i = 0; i < at && call->peer < 0 && !is_message(call); i++)
        if (seen->calls[i]->in_call && seen->calls[i]->group == call->group &&
            seen->calls[i]->call_class == call->call_class && seen->calls[i]->operation == call->operation)
            return false;
    return true;
}

static bool waits_for(const muster_inspection *seen, const muster_seen_call *call, int rank)
{
    for (int at = 0; at < call->group_size; at++) {
        const muster_seen_call *member = find_member(seen, call->group, at);

        if (!member || member->rank != rank)
            continue;
        if (call->peer < 0 && is_message(call))
            return at != call->group_rank;
        return call->peer < 0 ? !has_entered(seen, call, at) : call->peer == at;
    }
    return false;
}

/* Whether others wait for the rank while it waits for no one: the cause of a hang. */
static bool is_waited_for(const muster_inspection *seen, int rank)
{
    for (int i = 0; i < seen->call_count; i++)
        if (is_long(seen->calls[i]) && waits_for(seen, seen->calls[i], rank))
            return !is_in_call(seen, rank);
    return false;
}

bool find_verdict(const muster_inspection *seen, int n, char *text)
{
    sentence verdict = { text, 0, VERDICT_BYTES };

    for (int i = 0; i < seen->call_count; i++) {
        if (!is_first_of_its_kind(seen, i) || n-- > 0)
            continue;
        if (seen->calls[i]->peer < 0 && !is_message(seen->calls[i]))
            judge_collective(seen, seen->calls[i], &verdict);
        else
            judge_message(seen, seen->calls[i], &verdict);
        return true;
    }
    return false;
}

/* ---- printing ---- */

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
    char doing[120], group[120], started[80];
    bool any = false;

    describe_rank(seen, rank->rank, doing, sizeof doing);
    describe_started(seen, rank, started, sizeof started);
    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *call = seen->calls[i];

        if (call->rank != rank->rank || call->pid != rank->pid || !call->in_call)
            continue;
        name_group(seen, call->group, group, sizeof group);
        fprintf(to, "%6d %8d  %-34s %-20s %9llu %10zu %9.1f s", rank->rank, rank->pid, call->what, group,
                (unsigned long long)call->operation, call->bytes, (double)call->since_ns / 1e9);
        if (strcmp(doing, "waits in muster") != 0) /* stopped, or dead */
            fprintf(to, "  %s", doing);
        fprintf(to, "%s\n", any ? "" : started);
        any = true;
    }
    if (!any)
        fprintf(to, "%6d %8d  %s%s\n", rank->rank, rank->pid,
                rank->replaced ? "ended, and was replaced" : doing, started);
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

/* Each group and reason once, with all who know it. */
static void print_broken(const muster_inspection *seen, FILE *to)
{
    for (int i = 0; i < seen->call_count; i++) {
        const muster_seen_call *call = seen->calls[i];
        bool known[RANKS_MAX] = { false }, told = false;
        char group[120], ranks[200];

        if (call->broken == MUSTER_OK || call->call_class != MUSTER_CALL_COLLECTIVE)
            continue;
        for (int other = 0; other < seen->call_count; other++)
            if (is_broken_alike(call, seen->calls[other])) {
                told = told || other < i;
                mark(known, seen->calls[other]->rank);
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
    char doing[120], ranks[200];
    int described = 0;

    for (int rank = 0; rank < seen->size; rank++) {
        if (!is_waited_for(seen, rank))
            continue;
        if (described++ >= DESCRIBED_MAX) {
            mark(more, rank);
            continue;
        }
        describe_rank(seen, rank, doing, sizeof doing);
        fprintf(to, "cause: rank %d %s\n", rank, doing);
    }
    int more_count = list_ranks(more, RANKS_MAX, ranks, sizeof ranks);
    if (more_count > 0)
        fprintf(to, "others also wait for rank%s %s\n", plural((unsigned)more_count), ranks);
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
