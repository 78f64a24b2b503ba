/* Sentences of describe.h. */
#include "src/hosts/describe.h"

#include <stdio.h>

void mst_link_name(mst_link *link, int rank, char *text)
{
    const char *where = link->methods->where(link, rank);

    snprintf(text, MST_LINK_NAME_BYTES, "rank %d%s%s", rank, where ? " on " : "", where ? where : "");
}

static void describe_death(mst_link_reason *reason, const char *whom)
{
    char ended[100];

    muster_termination_describe(reason->termination, ended, sizeof ended);
    if (reason->termination.kind == MUSTER_TERMINATION_NONE)
        snprintf(reason->sentence, sizeof reason->sentence,
                 "%s left the group (freed it, or its program ends) while another rank still needed it",
                 whom);
    else
        snprintf(reason->sentence, sizeof reason->sentence, "%s %s; the group is broken", whom, ended);
}

void mst_hosts_describe(const mst_hosts_group *group, mst_link_reason *reason, const char *doing,
                        const char *sentence)
{
    char whom[MST_LINK_NAME_BYTES] = "";

    if (reason->about >= 0)
        mst_link_name(group->link, reason->about, whom);
    if (reason->status == MUSTER_ERR_PEER_DIED && reason->about >= 0)
        describe_death(reason, whom);
    else if (reason->status == MUSTER_ERR_TIMED_OUT && reason->about >= 0)
        snprintf(reason->sentence, sizeof reason->sentence, "rank %d waited %.3g s in %s for %s",
                 group->base.rank, (double)reason->limit_ns / 1e9, doing, whom);
    else
        snprintf(reason->sentence, sizeof reason->sentence, "in %s, rank %d, among the ranks of its host: %s",
                 doing, group->base.rank, sentence);
}
