/* Groups and judges what muster_inspect shows, for verdict.h. */
#include "tools/muster/look/verdict.h"

#include <stdio.h>
#include <string.h>

#include "tools/muster/look/hosts.h"
#include "tools/muster/look/jobs.h"
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

/* The first member of it that is here. */
static const muster_seen_call *find_any_member(const muster_inspection *seen, unsigned long long group)
{
    for (int i = 0; i < seen->call_count; i++)
        if (seen->calls[i]->group == group && seen->calls[i]->call_class == MUSTER_CALL_COLLECTIVE &&
            (seen->calls[i]->group_rank == 0 || !find_member(seen, group, 0)))
            return seen->calls[i];
    return NULL;
}

/* ---- groups ---- */

void name_group(const muster_inspection *seen, unsigned long long group, char *text, int bytes)
{
    bool listed[RANKS_MAX] = { false };
    char ranks[100];

    const muster_seen_call *member = find_any_member(seen, group);
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
            mark_rank(listed, RANKS_MAX, seen->calls[i]->rank);
    for (int rank = 0; member && rank < RANKS_MAX; rank++)
        if (MUSTER_SEEN_HAS(member->members, rank))
            mark_rank(listed, RANKS_MAX, rank);
    list_ranks(listed, RANKS_MAX, ranks, sizeof ranks);
    snprintf(text, (size_t)bytes, "group {%s}", ranks);
}

/* ---- ranks ---- */

bool has_ended(const muster_seen_rank *process)
{
    return process &&
           (process->left || process->replaced || process->termination.kind != MUSTER_TERMINATION_NONE);
}

const muster_seen_rank *find_rank(const muster_inspection *seen, int rank)
{
    const muster_seen_rank *found = NULL;

    for (int i = 0; i < seen->rank_count; i++)
        if (seen->ranks[i]->rank == rank && (!found || has_ended(found)))
            found = seen->ranks[i];
    return found;
}

static bool is_of(const muster_seen_call *call, const muster_seen_rank *process)
{
    return call->rank == process->rank && call->pid == process->pid;
}

const muster_seen_rank *find_process(const muster_inspection *seen, const muster_seen_call *call)
{
    const muster_seen_rank *found = NULL;

    for (int i = 0; i < seen->rank_count; i++)
        if (is_of(call, seen->ranks[i]) && (!found || has_ended(found)))
            found = seen->ranks[i];
    return found;
}

static bool is_in_call(const muster_inspection *seen, const muster_seen_rank *process)
{
    for (int i = 0; i < seen->call_count; i++)
        if (is_of(seen->calls[i], process) && seen->calls[i]->in_call)
            return true;
    return false;
}

static void describe_end(const muster_seen_rank *process, char *text, int bytes)
{
    if (process->termination.kind != MUSTER_TERMINATION_NONE)
        muster_termination_describe(process->termination, text, (size_t)bytes);
    else
        snprintf(text, (size_t)bytes, process->left ? "has left" : "ended");
    size_t used = strlen(text);
    if (process->replaced)
        snprintf(text + used, (size_t)bytes - used, ", and was replaced");
}

void describe_process(const muster_inspection *seen, const muster_seen_rank *process, char *text, int bytes)
{
    char state = process ? read_state(process->pid) : 0;

    if (process && has_ended(process))
        describe_end(process, text, bytes);
    else if (!process || process->pid == 0)
        snprintf(text, (size_t)bytes, "has not attached");
    else if (state == 'T' || state == 't')
        snprintf(text, (size_t)bytes, "is stopped (%s)",
                 state == 'T' ? "SIGSTOP; kill -CONT continues it" : "by a debugger");
    else if (state == 0 || state == 'Z')
        snprintf(text, (size_t)bytes, "is gone");
    else if (is_in_call(seen, process))
        snprintf(text, (size_t)bytes, "waits in muster");
    else
        snprintf(text, (size_t)bytes, state == 'R' ? "is running user code" : "sleeps in user code");
}

/* A member, and, where another process has its place, what that does. */
static void describe_member(const muster_inspection *seen, const muster_seen_call *member, char *text,
                            int bytes)
{
    const muster_seen_rank *process = find_process(seen, member), *now = find_rank(seen, member->rank);

    describe_process(seen, process, text, bytes);
    int used = (int)strlen(text);
    if (!process || !process->replaced)
        return;
    used += snprintf(text + used, (size_t)(bytes - used), "; its replacement ");
    if (used < bytes)
        describe_process(seen, now == process ? NULL : now, text + used, bytes - used);
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
        mark_rank(waiting, RANKS_MAX, other->rank);
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

static bool is_subset(const muster_seen_call *call)
{
    return call->call_class == MUSTER_CALL_SPLIT && strcmp(call->what, "subset") == 0;
}

/* Its operations are this rank's alone: those of other ranks do not have the same numbers. */
static bool is_alone(const muster_seen_call *call)
{
    return call->call_class == MUSTER_CALL_SEND || call->call_class == MUSTER_CALL_RECEIVE || is_subset(call);
}

bool call_waits(const muster_inspection *seen, const muster_seen_call *call)
{
    if (!call->in_call || call->peer >= 0 || is_alone(call)) /* messages are shown once they wait */
        return call->in_call;
    bool spread = is_spread(seen, call);
    for (int at = 0; at < call->group_size; at++)
        if (!has_entered(seen, call, at) && !(spread && !find_member(seen, call->group, at)))
            return true;
    return spread && host_awaits_others(seen, call);
}

/* By their ranks in the world, those members that the call waits for, or that ended in it: it may not end
 * without them. Returns how many have not entered it. Of those on other hosts nothing is known. */
static int find_missing(const muster_inspection *seen, const muster_seen_call *call,
                        const muster_seen_call *missing[RANKS_MAX], bool gone[RANKS_MAX])
{
    bool spread = is_spread(seen, call);
    int count = 0;

    for (int at = 0; at < call->group_size && at < RANKS_MAX; at++) {
        const muster_seen_call *member = find_member(seen, call->group, at);
        bool entered = has_entered(seen, call, at);

        if (!member && spread)
            continue;
        count += !entered;
        if (!member)
            gone[at] = !entered; /* its place is another group's by now */
        else if (!entered || has_ended(find_process(seen, member)))
            missing[member->rank] = member;
    }
    return count;
}

static void describe_missing(const muster_inspection *seen, const muster_seen_call *const missing[RANKS_MAX],
                             sentence *verdict)
{
    char doing[240];

    for (int rank = 0, described = 0; rank < RANKS_MAX && described < DESCRIBED_MAX; rank++) {
        if (!missing[rank])
            continue;
        describe_member(seen, missing[rank], doing, sizeof doing);
        say(verdict, "; rank %d %s", rank, doing);
        described++;
    }
}

/* All of this host have come. */
static void judge_spread(const muster_inspection *seen, const muster_seen_call *call, const char *group,
                         sentence *verdict)
{
    say_waiting(verdict, seen, call);
    say(verdict, " in %s #%llu of %s, to which all of this host have come", call->what,
        (unsigned long long)call->operation, group);
    say_awaited_hosts(verdict, seen, call, true);
}

/* Ranks that have not reached it, and what they do instead. */
static void judge_collective(const muster_inspection *seen, const muster_seen_call *call, sentence *verdict)
{
    char group[120];
    const muster_seen_call *missing[RANKS_MAX] = { NULL };
    bool absent[RANKS_MAX] = { false }, gone[RANKS_MAX] = { false };
    int gone_count = 0, count = find_missing(seen, call, missing, gone);

    for (int rank = 0; rank < RANKS_MAX; rank++) {
        gone_count += gone[rank];
        absent[rank] = missing[rank] && !has_entered(seen, call, missing[rank]->group_rank);
    }
    name_group(seen, call->group, group, sizeof group);
    if (count == 0 && is_spread(seen, call)) {
        judge_spread(seen, call, group, verdict);
        return;
    }
    if (count == 0) {
        say(verdict, "all have entered %s #%llu of %s: ", call->what, (unsigned long long)call->operation,
            group);
        say_waiting(verdict, seen, call);
        describe_missing(seen, missing, verdict);
        return;
    }
    if (count > gone_count)
        say_ranks(verdict, absent);
    if (gone_count) {
        say(verdict, count > gone_count ? " and the group's " : "the group's ");
        say_ranks(verdict, gone);
    }
    say(verdict, " %s not entered %s #%llu of %s; ", count > 1 ? "have" : "has", call->what,
        (unsigned long long)call->operation, group);
    say_waiting(verdict, seen, call);
    describe_missing(seen, missing, verdict);
}

static void judge_message(const muster_inspection *seen, const muster_seen_call *call, sentence *verdict)
{
    const muster_seen_call *peer = find_member(seen, call->group, call->peer);
    char group[120], doing[240];

    name_group(seen, call->group, group, sizeof group);
    if (strcmp(call->what, "wait for started messages") == 0) {
        say(verdict, "rank %d has waited %.1f s for messages that it has started in %s", call->rank,
            (double)call->since_ns / NS_PER_S, group);
        return;
    }
    if (is_subset(call) && call->peer < 0) { /* over hosts, of which members nobody sees the list */
        say(verdict, "rank %d has waited %.1f s in subset of %s", call->rank,
            (double)call->since_ns / NS_PER_S, group);
        say_awaited_hosts(verdict, seen, call, false);
        return;
    }
    if (strstr(call->what, ", or any of ")) { /* it says whom */
        say(verdict, "rank %d has waited %.1f s in %s of %s", call->rank, (double)call->since_ns / NS_PER_S,
            call->what, group);
        return;
    }
    say(verdict, "rank %d has waited %.1f s in %s %s ", call->rank, (double)call->since_ns / NS_PER_S,
        call->what, call->call_class == MUSTER_CALL_RECEIVE ? "from" : "to");
    if (call->peer < 0) {
        say(verdict, "any rank of %s", group);
        return;
    }
    if (!peer && seen->hosts && awaits_others(call)) {
        say_far_peer(verdict, seen, call, group);
        return;
    }
    if (!peer) {
        say(verdict, "rank %d of %s, which has left it", call->peer, group);
        return;
    }
    describe_member(seen, peer, doing, sizeof doing);
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
    for (int i = 0; i < at && call->peer < 0 && !is_alone(call); i++)
        if (seen->calls[i]->in_call && seen->calls[i]->group == call->group &&
            seen->calls[i]->call_class == call->call_class && seen->calls[i]->operation == call->operation)
            return false;
    return true;
}

static bool waits_for(const muster_inspection *seen, const muster_seen_call *call,
                      const muster_seen_rank *process)
{
    for (int at = 0; at < call->group_size; at++) {
        const muster_seen_call *member = find_member(seen, call->group, at);

        if (!member || !is_of(member, process))
            continue;
        if (call->peer < 0 && is_alone(call))
            return at != call->group_rank && !is_subset(call);
        return call->peer < 0 ? !has_entered(seen, call, at) : call->peer == at;
    }
    return false;
}

bool is_waited_for(const muster_inspection *seen, const muster_seen_rank *process)
{
    for (int i = 0; i < seen->call_count; i++)
        if (is_long(seen->calls[i]) && waits_for(seen, seen->calls[i], process))
            return !is_in_call(seen, process);
    return false;
}

bool find_verdict(const muster_inspection *seen, int n, char *text)
{
    sentence verdict = { text, 0, VERDICT_BYTES };

    for (int i = 0; i < seen->call_count; i++) {
        if (!is_first_of_its_kind(seen, i) || n-- > 0)
            continue;
        if (seen->calls[i]->peer < 0 && !is_alone(seen->calls[i]))
            judge_collective(seen, seen->calls[i], &verdict);
        else
            judge_message(seen, seen->calls[i], &verdict);
        return true;
    }
    return false;
}
