/*
 * The link of carried.h. Transfers are messages of a group of its own, so that the program's messages,
 * which are those of another one, never match them. A reason that a member tells is the reason of an abort of
 * both groups: it makes the first one stay, and wakes all that wait. It begins with its numbers in
 * brackets, which whoever looks at these groups from outside (muster run) sees, too. What breaks them
 * otherwise, such as a death, breaks the link in the same words, since its ranks are theirs.
 */
#include "src/hosts/carried.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/describe.h"
#include "src/hosts/poll.h"
#include "src/hosts/reason.h"
#include "src/hosts/showing.h"
#include "src/wire/wire.h"

typedef struct carried {
    mst_link base;
    muster_group *bytes; /* transfers */
    bool owns;           /* `bytes` */
} carried;

static carried *of(mst_link *link)
{
    return (carried *)link;
}

/* ---- transfers ---- */

/* The interrupt function of `bytes`. */
static bool watch(void *of)
{
    mst_link *link = of;

    return link->watch && link->watch(link->watched);
}

static const char *refusal(mst_link *link)
{
    return link->blind ? mst_wire_refusal(of(link)->bytes) : NULL;
}

static const char *where(mst_link *link, int rank)
{
    return link->blind ? mst_wire_where(of(link)->bytes, rank) : NULL;
}

static muster_status send_bytes(mst_link *link, int to, int tag, const void *from, size_t bytes,
                                muster_request *transfer)
{
    return muster_send_start(from, bytes, MUSTER_UINT8, to, tag, of(link)->bytes, transfer);
}

static muster_status receive_bytes(mst_link *link, int from, int tag, void *to, size_t bytes,
                                   muster_request *transfer)
{
    return muster_recv_start(to, bytes, MUSTER_UINT8, from, tag, of(link)->bytes, NULL, transfer);
}

static muster_status wait_for(mst_link *link, muster_request *requests, size_t count, bool all,
                              int64_t timeout_ns)
{
    size_t index;

    (void)link;
    return mst_poll(requests, count, all, timeout_ns, &index);
}

static muster_status test(mst_link *link, muster_request *transfer, bool *over)
{
    (void)link;
    return muster_test(transfer, over);
}

/* What groups of this machine carry, its own progress thread moves. */
static void advance(mst_link *link, bool *under_way, bool *moved)
{
    *under_way = *moved = false;
    if (link->blind)
        mst_wire_advance(of(link)->bytes, under_way, moved);
}

static bool is_under_way(mst_link *link)
{
    return link->blind && mst_wire_is_under_way(of(link)->bytes);
}

/* ---- reasons ---- */

static void tell(mst_link *link, const mst_link_reason *reason)
{
    char text[MST_REASON_TEXT_BYTES];

    mst_reason_print(reason, text, sizeof text);
    of(link)->bytes->backend->abort_group(of(link)->bytes, text);
    link->mail->backend->abort_group(link->mail, text);
}

static bool is_group_broken(const muster_group *group, mst_link_reason *reason)
{
    muster_status status = group->backend->status(group);

    if (status == MUSTER_OK)
        return false;
    if (status == MUSTER_ERR_ABORTED && mst_reason_read(mst_error_sentence(), reason))
        return true;
    *reason = mst_reason_of_error(status);
    return true;
}

static bool seems_whole(mst_link *link)
{
    const muster_group *bytes = of(link)->bytes;

    return bytes->backend->seems_whole(bytes) && link->mail->backend->seems_whole(link->mail);
}

/* Both are broken then. */
static bool is_broken(mst_link *link, mst_link_reason *reason)
{
    if (is_group_broken(of(link)->bytes, reason))
        return true;
    if (!is_group_broken(link->mail, reason))
        return false;
    tell(link, reason);
    return is_group_broken(of(link)->bytes, reason);
}

/* ---- making ---- */

static void close_link(mst_link *link)
{
    mst_link_reason reason;
    mst_error_copy latest;

    /* Who finds this member gone from either group learns why, though another member's word comes later. */
    mst_error_keep(&latest);
    if (link->mail && link->blind && is_group_broken(of(link)->bytes, &reason))
        tell(link, &reason);
    mst_error_again(&latest);
    if (link->mail)
        muster_group_free(link->mail);
    if (of(link)->owns)
        muster_group_free(of(link)->bytes);
    free(link);
}

static muster_status subset(mst_link *link, const int *ranks, int count, int64_t limit_ns, mst_link **made);

static const mst_link_methods methods = { .refusal = refusal,
                                          .where = where,
                                          .send = send_bytes,
                                          .receive = receive_bytes,
                                          .wait = wait_for,
                                          .test = test,
                                          .advance = advance,
                                          .is_under_way = is_under_way,
                                          .tell = tell,
                                          .seems_whole = seems_whole,
                                          .is_broken = is_broken,
                                          .subset = subset,
                                          .close = close_link };

/* The group of the program's messages is made within the limit and with the interrupt function that `bytes`
 * has until then. */
static muster_status make(muster_group *bytes, bool owns, bool blind, int64_t limit_ns, mst_link **made)
{
    carried *link = calloc(1, sizeof *link);

    if (!link) {
        if (owns)
            muster_group_free(bytes);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a link");
    }
    link->base = (mst_link){
        .methods = &methods, .rank = bytes->rank, .size = bytes->size, .number = bytes->number, .blind = blind
    };
    link->bytes = bytes;
    link->owns = owns;
    bytes->carries = bytes->hidden = true;
    bytes->timeout_ns = limit_ns;
    muster_status status = muster_group_dup(bytes, &link->base.mail);
    bytes->interrupt = watch; /* until now it was that of the parent */
    bytes->interrupt_arg = link;
    if (status != MUSTER_OK) {
        close_link(&link->base);
        return status;
    }
    link->base.mail->interrupt = NULL;
    link->base.mail->hidden = true;
    mst_hosts_hide(bytes);
    mst_hosts_hide(link->base.mail);
    *made = &link->base;
    return MUSTER_OK;
}

/* An error that is about a member of the list, in the ranks of the group that the list is of. One that has
 * left has no memory for its part. */
static muster_status tell_rank(mst_link *link, muster_status status, const int *ranks, int count)
{
    muster_error_info parts = *mst_error_parts();
    char ended[100], whom[MST_LINK_NAME_BYTES];

    if (parts.rank < 0 || parts.rank >= count)
        return status;
    int rank = ranks[parts.rank];
    mst_link_name(link, rank, whom);
    muster_termination_describe(parts.termination, ended, sizeof ended);
    if (status == MUSTER_ERR_TIMED_OUT)
        mst_fail(status, "a group was being made, and %s did not come within %.3g s", whom,
                 (double)parts.deadline_ns / 1e9);
    else if (status == MUSTER_ERR_PEER_DIED && parts.termination.kind != MUSTER_TERMINATION_NONE)
        mst_fail(status, "a group was being made, and %s %s", whom, ended);
    else if (status == MUSTER_ERR_PEER_DIED)
        status = mst_fail(MUSTER_ERR_NO_SPACE,
                          "%s could not make its part of a group; the parent is as before", whom);
    else
        return status;
    mst_error_about(rank, parts.termination);
    mst_error_late(parts.deadline_ns);
    return status;
}

static muster_status subset(mst_link *link, const int *ranks, int count, int64_t limit_ns, mst_link **made)
{
    muster_group *bytes;

    of(link)->bytes->timeout_ns = limit_ns; /* of what makes groups; transfers have none (started_limit_ns) */
    muster_status status = muster_group_subset(of(link)->bytes, ranks, count, &bytes);
    if (status != MUSTER_OK)
        return status;
    status = make(bytes, true, link->blind, limit_ns, made);
    return status == MUSTER_OK ? status : tell_rank(link, status, ranks, count);
}

muster_status mst_carried_link(muster_group *bytes, bool owns, bool blind, mst_link **made)
{
    return make(bytes, owns, blind, bytes->timeout_ns, made);
}
