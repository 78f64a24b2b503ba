/* Which ranks are on which host, for hosts.h. */
#include "tools/muster/look/hosts.h"

#include <stdio.h>

enum { RANKS_MAX = 1024 };

void say_ranks(sentence *sentence, const bool *listed)
{
    char ranks[200];
    int count = list_ranks(listed, RANKS_MAX, ranks, sizeof ranks);

    say(sentence, "rank%s %s", plural((unsigned)count), ranks);
}

bool is_here(const muster_inspection *seen, int rank)
{
    return !seen->hosts || (rank < seen->size && seen->hosts[rank] == seen->hosts[seen->first_rank]);
}

int count_here(const muster_inspection *seen)
{
    int count = 0;

    for (int rank = 0; rank < seen->size; rank++)
        count += is_here(seen, rank);
    return count;
}

void name_host(const muster_inspection *seen, char *text, int bytes)
{
    snprintf(text, (size_t)bytes, seen->hosts ? ", those of %s" : "%s",
             seen->hosts ? seen->hosts[seen->first_rank] : "");
}

bool is_spread(const muster_inspection *seen, const muster_seen_call *call)
{
    for (int rank = 0; rank < seen->size; rank++)
        if (MUSTER_SEEN_HAS(call->members, rank) && !is_here(seen, rank))
            return true;
    return false;
}

bool awaits_others(const muster_seen_call *call)
{
    uint64_t any = 0;

    for (int i = 0; i < MUSTER_SEEN_WORDS; i++)
        any |= call->awaited[i];
    return any != 0;
}

/* Of another rank, by their numbers. */
static bool is_same(const muster_seen_call *call, const muster_seen_call *other)
{
    return other->in_call && other->group == call->group && other->call_class == call->call_class &&
           other->operation == call->operation;
}

/* Whether a rank of this host does, in the same call: its neighbours wait for it then, and for nobody else.
 */
bool host_awaits_others(const muster_inspection *seen, const muster_seen_call *call)
{
    for (int i = 0; i < seen->call_count; i++)
        if (is_same(call, seen->calls[i]) && awaits_others(seen->calls[i]))
            return true;
    return false;
}

/* "host b (rank 2) and host c (ranks 4 5)": those that are marked. */
static void say_hosts(sentence *sentence, const muster_inspection *seen, const bool *awaited)
{
    bool told[RANKS_MAX] = { false };
    int count = 0;

    for (int rank = 0; rank < seen->size; rank++) {
        bool there[RANKS_MAX] = { false };

        if (!awaited[rank] || told[rank])
            continue;
        for (int other = rank; other < seen->size; other++)
            if (awaited[other] && seen->hosts[other] == seen->hosts[rank])
                told[other] = there[other] = true;
        say(sentence, "%s%s (", count++ ? " and " : "", seen->hosts[rank]);
        say_ranks(sentence, there);
        say(sentence, ")");
    }
}

void say_awaited_hosts(sentence *sentence, const muster_inspection *seen, const muster_seen_call *call,
                       bool with_neighbours)
{
    bool awaited[RANKS_MAX] = { false }, any = false;

    for (int i = 0; i < seen->call_count && seen->hosts; i++) {
        const muster_seen_call *other = seen->calls[i];

        for (int rank = 0; rank < seen->size; rank++)
            if ((other == call || (with_neighbours && is_same(call, other))) &&
                MUSTER_SEEN_HAS(other->awaited, rank))
                any = awaited[rank] = true;
    }
    if (!any)
        return;
    say(sentence, ", for ");
    say_hosts(sentence, seen, awaited);
    say(sentence, "; muster inspect there says who is late");
}

void say_far_peer(sentence *sentence, const muster_inspection *seen, const muster_seen_call *call,
                  const char *group)
{
    int rank = 0;

    while (rank + 1 < seen->size && !MUSTER_SEEN_HAS(call->awaited, rank))
        rank++;
    say(sentence, "rank %d of %s, on %s; muster inspect there says what it does", rank, group,
        seen->hosts[rank]);
}
