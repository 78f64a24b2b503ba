/* The table of the backend over frames, and a process's part of the job, for wire.h. */
#include "src/wire/wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/wire/arrive.h"
#include "src/wire/group.h"
#include "src/wire/inside.h"
#include "src/wire/making.h"
#include "src/wire/message.h"
#include "src/wire/move.h"
#include "src/wire/post.h"

/* ---- the process's part ---- */

static void free_arrays(mst_wire *wire)
{
    free(wire->parts);
    free(wire->lost);
    free(wire->left);
    free(wire->dead);
    free(wire->ready);
    free(wire->sent);
    free(wire->sent_to);
}

static void free_queue(const mst_wire_queue *queue)
{
    for (mst_wire_sent *sent = queue->first, *next; sent; sent = next) {
        next = sent->next;
        free(sent);
    }
}

mst_wire *mst_wire_create(mst_frames *frames)
{
    mst_wire *wire = calloc(1, sizeof *wire);

    if (!wire)
        return NULL;
    wire->frames = frames;
    wire->parts = calloc((size_t)frames->size, sizeof *wire->parts);
    wire->lost = calloc((size_t)frames->size, sizeof *wire->lost);
    wire->left = calloc((size_t)frames->size, sizeof *wire->left);
    wire->dead = calloc((size_t)frames->size, sizeof *wire->dead);
    wire->ready = calloc((size_t)frames->size, sizeof *wire->ready);
    wire->sent = calloc((size_t)frames->size, sizeof *wire->sent);
    wire->sent_to = calloc((size_t)frames->size, sizeof *wire->sent_to);
    if (!wire->parts || !wire->lost || !wire->left || !wire->dead || !wire->ready || !wire->sent ||
        !wire->sent_to || !mst_table_init(&wire->by_id)) {
        free_arrays(wire);
        free(wire);
        return NULL;
    }
    pthread_mutex_init(&wire->lock, NULL);
    return wire;
}

void mst_wire_destroy(mst_wire *wire)
{
    for (mst_wire_group *group = wire->groups, *next; group; group = next) {
        next = group->next;
        mst_wire_group_destroy(group);
    }
    for (mst_wire_early *early = wire->early, *next; early; early = next) {
        next = early->next;
        free(early);
    }
    free_queue(&wire->unsent);
    for (int to = 0; to < wire->frames->size; to++)
        free_queue(&wire->sent[to]);
    mst_table_destroy(&wire->by_id);
    pthread_mutex_destroy(&wire->lock);
    free_arrays(wire);
    free(wire);
}

muster_status mst_wire_whole(mst_wire *wire, const muster_group *like, muster_group **made)
{
    int size = wire->frames->size, *seats = malloc((size_t)size * sizeof *seats);
    mst_wire_group *group = NULL;

    for (int rank = 0; seats && rank < size; rank++)
        seats[rank] = rank;
    if (seats)
        group = mst_wire_group_create(wire, seats, size, wire->frames->rank, like);
    free(seats);
    if (!group)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a group of %d", size);
    pthread_mutex_lock(&wire->lock);
    mst_wire_group_enlist(group, MST_WIRE_NUMBER_OF_WHOLE);
    mst_wire_arrive_early(group);
    pthread_mutex_unlock(&wire->lock);
    *made = &group->base;
    return MUSTER_OK;
}

/* ---- the end of the process ---- */

static void tell_processes(mst_wire *wire, mst_wire_kind kind)
{
    for (int to = 0; to < wire->frames->size; to++)
        if (to != wire->frames->rank)
            mst_wire_post(wire, to, &(mst_wire_head){ .kind = kind }, NULL, 0);
}

void mst_wire_leave(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    for (mst_wire_group *group = wire->groups; group && !wire->has_left; group = group->next)
        mst_wire_group_pass_on(group);
    if (!wire->has_left) {
        tell_processes(wire, MST_WIRE_LEFT);
        wire->has_left = true;
        wire->leaver = pthread_self();
    }
    pthread_mutex_unlock(&wire->lock);
}

bool mst_wire_is_quiet(mst_wire *wire)
{
    bool moved;

    pthread_mutex_lock(&wire->lock);
    mst_wire_move(wire, &moved);
    bool quiet = mst_wire_is_all_sent(wire) && wire->left_count == wire->frames->size - 1;
    pthread_mutex_unlock(&wire->lock);
    return quiet;
}

/* MPI may keep what is for a dead process for ever. */
static bool is_all_sent_to_living(const mst_wire *wire)
{
    for (int i = 0; i < wire->sent_to_count; i++)
        if (!wire->dead[wire->sent_to[i]])
            return false;
    for (const mst_wire_sent *sent = wire->unsent.first; sent; sent = sent->next)
        if (!wire->dead[sent->to])
            return false;
    return true;
}

bool mst_wire_has_sent(mst_wire *wire)
{
    bool moved;

    pthread_mutex_lock(&wire->lock);
    mst_wire_move(wire, &moved);
    bool sent = is_all_sent_to_living(wire) || wire->stopped;
    pthread_mutex_unlock(&wire->lock);
    return sent;
}

void mst_wire_give_up(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    if (!wire->has_given_up)
        tell_processes(wire, MST_WIRE_GIVES_UP);
    wire->has_given_up = true;
    pthread_mutex_unlock(&wire->lock);
}

bool mst_wire_has_given_up(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool given_up = wire->is_given_up || wire->why[0];
    pthread_mutex_unlock(&wire->lock);
    return given_up;
}

bool mst_wire_knows_death(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool knows = wire->knows_death;
    pthread_mutex_unlock(&wire->lock);
    return knows;
}

bool mst_wire_all_end(mst_wire *wire)
{
    bool moved;

    pthread_mutex_lock(&wire->lock);
    if (!wire->is_ready && wire->frames->rank != 0)
        mst_wire_post(wire, 0, &(mst_wire_head){ .kind = MST_WIRE_READY }, NULL, 0);
    wire->is_ready = true;
    mst_wire_move(wire, &moved);
    bool decides = wire->frames->rank == 0 && wire->ready_count == wire->frames->size - 1 && !wire->all_end;
    if (decides && !wire->is_given_up && !wire->has_given_up) {
        wire->all_end = true;
        tell_processes(wire, MST_WIRE_ENDS);
    }
    bool all_end = wire->all_end && mst_wire_is_all_sent(wire);
    pthread_mutex_unlock(&wire->lock);
    return all_end;
}

bool mst_wire_is_bound(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool is_bound = wire->frames->rank == 0 ? wire->all_end : wire->is_ready;
    pthread_mutex_unlock(&wire->lock);
    return is_bound;
}

void mst_wire_stop(mst_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    snprintf(wire->why, sizeof wire->why, "%s", wire->frames->methods->farewell);
    wire->stopped = true;
    pthread_mutex_unlock(&wire->lock);
}

/* Something that was started, or is being sent, is not over. */
static bool is_under_way(const mst_wire *wire)
{
    return !wire->stopped && !wire->has_left && (wire->pending > 0 || !mst_wire_is_all_sent(wire));
}

void mst_wire_advance(const muster_group *of, bool *under_way, bool *moved)
{
    mst_wire *wire = mst_wire_of_const(of)->wire;

    *moved = false;
    pthread_mutex_lock(&wire->lock);
    if (wire->resting == 0)
        mst_wire_move(wire, moved);
    *under_way = is_under_way(wire);
    pthread_mutex_unlock(&wire->lock);
}

bool mst_wire_is_under_way(const muster_group *of)
{
    mst_wire *wire = mst_wire_of_const(of)->wire;

    pthread_mutex_lock(&wire->lock);
    if (mst_wire_may_move(wire) && wire->pending == 0)
        mst_wire_reap(wire);
    bool under_way = is_under_way(wire);
    pthread_mutex_unlock(&wire->lock);
    return under_way;
}

const char *mst_wire_where(const muster_group *group, int rank)
{
    return mst_wire_host_of(mst_wire_of_const(group), rank);
}

const char *mst_wire_refusal(const muster_group *of)
{
    mst_wire *wire = mst_wire_of_const(of)->wire;

    pthread_mutex_lock(&wire->lock);
    bool may = wire->why[0] || wire->has_left || wire->frames->methods->is_allowed(wire->frames);
    pthread_mutex_unlock(&wire->lock);
    return may ? NULL : wire->frames->methods->refusal;
}

/* ---- the table ---- */

static muster_status status_of(const muster_group *of)
{
    const mst_wire_group *group = mst_wire_of_const(of);
    bool moved;

    pthread_mutex_lock(&group->wire->lock);
    mst_wire_move(group->wire, &moved);
    muster_status status = mst_wire_explain(group);
    pthread_mutex_unlock(&group->wire->lock);
    return mst_wire_in_group(of, status);
}

static bool seems_whole(const muster_group *of)
{
    const mst_wire_group *group = mst_wire_of_const(of);

    pthread_mutex_lock(&group->wire->lock);
    bool whole = group->broken.status == MUSTER_OK && !group->wire->why[0] && !group->wire->has_left;
    pthread_mutex_unlock(&group->wire->lock);
    return whole;
}

static void abort_group(muster_group *of, const char *reason)
{
    mst_wire_group *group = mst_wire_of(of);

    pthread_mutex_lock(&group->wire->lock);
    mst_wire_break(group, of->rank, MUSTER_ERR_ABORTED, 0, "rank %d aborted the group%s%s", of->rank,
                   reason ? ": " : "", reason ? reason : "");
    pthread_mutex_unlock(&group->wire->lock);
}

static void close_group(muster_group *of)
{
    mst_wire_group *group = mst_wire_of(of);
    mst_wire *wire = group->wire;

    pthread_mutex_lock(&wire->lock);
    mst_wire_group_close(group);
    pthread_mutex_unlock(&wire->lock);
}

static void leave(muster_group *of)
{
    mst_wire_leave(mst_wire_of(of)->wire);
}

static int translate(const muster_group *of, int rank, const muster_group *other)
{
    const mst_wire_group *here = mst_wire_of_const(of), *there = mst_wire_of_const(other);

    for (int at = 0; here->wire == there->wire && at < other->size; at++)
        if (there->seats[at] == here->seats[rank])
            return at;
    return -1;
}

static void show_name(const muster_group *group)
{
    (void)group; /* nobody looks from outside */
}

/* Groups of messages alone, which only a link uses: there are no collectives, nor memory. */
const mst_backend mst_backend_wire = {
    .name = "wire",
    .test = mst_wire_test,
    .wait = mst_wire_wait,
    .message = mst_wire_message,
    .start_message = mst_wire_start,
    .cancel = mst_wire_cancel,
    .probe = mst_wire_find_message,
    .dup = mst_wire_dup,
    .subset = mst_wire_subset,
    .status = status_of,
    .seems_whole = seems_whole,
    .abort_group = abort_group,
    .translate = translate,
    .show_name = show_name,
    .close = close_group,
    .leave = leave,
};
