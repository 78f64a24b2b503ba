/* Appends actions, for actions.h. */
#include "src/hosts/actions.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

typedef struct block {
    struct block *next;
    max_align_t data[];
} block;

static void *take(void **list, size_t bytes)
{
    block *made = calloc(1, sizeof *made + (bytes ? bytes : 1));

    if (!made)
        return NULL;
    made->next = *list;
    *list = made;
    return made->data;
}

static void release(void **list)
{
    for (block *at = *list, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    *list = NULL;
}

static muster_status refuse_memory(void)
{
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a collective over several hosts");
}

void *mst_run_keep(mst_run *run, size_t bytes)
{
    return take(&run->kept, bytes);
}

void *mst_run_memory(mst_run *run, size_t bytes)
{
    return take(&run->memory, bytes);
}

void mst_run_forget(mst_run *run)
{
    release(&run->memory);
}

bool mst_ranges_make(mst_run *run, void *base, mst_ranges *ranges)
{
    size_t size = (size_t)run->group->base.size;

    ranges->base = base;
    ranges->bytes = mst_run_memory(run, 2 * size * sizeof *ranges->bytes);
    ranges->at = ranges->bytes + size;
    return ranges->bytes != NULL;
}

mst_run *mst_run_create(mst_hosts_group *group, const mst_request *request)
{
    mst_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->group = group;
    run->request = *request;
    run->limit_ns = group->base.timeout_ns;
    return run;
}

void mst_run_free(mst_run *run)
{
    release(&run->memory);
    release(&run->kept);
    free(run->actions);
    free(run->requests);
    free(run->peers);
    free(run);
}

void mst_run_describe(const mst_run *run, char *text, size_t bytes)
{
    const mst_request *request = &run->request;
    char what[120];

    mst_asked asked = { .collective = request->collective,
                        .dtype = request->dtype,
                        .op = request->op,
                        .op_name = request->made ? request->made->name : NULL,
                        .root = mst_shapes[request->collective].rooted ? request->root : -1,
                        .count = request->elements };

    mst_collective_describe(&asked, what, sizeof what);
    snprintf(text, bytes, "%s, operation %" PRIu64, what, run->operation);
}

/* ---- planning ---- */

static mst_action *append(mst_run *run, mst_action_kind kind)
{
    if (run->action_count == run->action_room) {
        size_t room = run->action_room ? 2 * run->action_room : 64;
        mst_action *grown = realloc(run->actions, room * sizeof *grown);

        if (!grown)
            return NULL;
        run->actions = grown;
        run->action_room = room;
    }
    mst_action *action = &run->actions[run->action_count++];
    *action = (mst_action){ .kind = kind };
    return action;
}

static muster_status append_transfer(mst_run *run, mst_action_kind kind, int peer, const void *from, void *to,
                                     size_t bytes)
{
    mst_action *action = bytes ? append(run, kind) : NULL;

    if (!action)
        return bytes ? refuse_memory() : MUSTER_OK;
    action->peer = peer;
    action->from = from;
    action->to = to;
    action->bytes = bytes;
    return MUSTER_OK;
}

muster_status mst_run_send(mst_run *run, int to, const void *from, size_t bytes)
{
    return append_transfer(run, MST_SEND, to, from, NULL, bytes);
}

muster_status mst_run_receive(mst_run *run, int from, void *to, size_t bytes)
{
    return append_transfer(run, MST_RECEIVE, from, NULL, to, bytes);
}

muster_status mst_run_copy(mst_run *run, void *to, const void *from, size_t bytes)
{
    return append_transfer(run, MST_COPY, -1, from, to, to == from ? 0 : bytes);
}

/* By place: the numbers of one rank for each; -1: nothing. */
static size_t *list_by_place(mst_run *run, const size_t *by_rank, const int *owners, bool all)
{
    const mst_places *places = &run->group->places;
    int here = mst_places_here(places);
    size_t *list = mst_run_memory(run, (size_t)here * sizeof *list);

    for (int place = 0; list && place < here; place++) {
        int rank = owners ? owners[place] : mst_places_neighbour(places, place);

        list[place] = rank >= 0 && (all || place != places->own) ? by_rank[rank] : 0;
    }
    return list;
}

muster_status mst_run_gather_here(mst_run *run, const mst_ranges *ranges, const int *owners)
{
    int here = mst_places_here(&run->group->places);
    size_t total = 0;

    if (here == 1)
        return MUSTER_OK;
    size_t *counts = list_by_place(run, ranges->bytes, owners, true);
    size_t *at = list_by_place(run, ranges->at, owners, true);
    mst_action *action = counts && at ? append(run, MST_GATHER_HERE) : NULL;
    if (!action)
        return refuse_memory();
    for (int place = 0; place < here; place++)
        total += counts[place];
    if (!total) {
        run->action_count--;
        return MUSTER_OK;
    }
    action->out_counts = counts;
    action->out_at = at;
    action->to = ranges->base;
    action->bytes = counts[run->group->places.own];
    action->from = (char *)ranges->base + at[run->group->places.own];
    return MUSTER_OK;
}

muster_status mst_run_exchange_here(mst_run *run, const mst_ranges *out, const mst_ranges *in)
{
    if (mst_places_here(&run->group->places) == 1)
        return MUSTER_OK;
    mst_action *action = append(run, MST_EXCHANGE_HERE);
    if (!action)
        return refuse_memory();
    action->from = in->base;
    action->to = out->base;
    action->in_counts = list_by_place(run, in->bytes, NULL, false);
    action->in_at = list_by_place(run, in->at, NULL, false);
    action->out_counts = list_by_place(run, out->bytes, NULL, false);
    action->out_at = list_by_place(run, out->at, NULL, false);
    return action->in_counts && action->in_at && action->out_counts && action->out_at ? MUSTER_OK
                                                                                      : refuse_memory();
}

muster_status mst_run_broadcast_here(mst_run *run, int place, void *data, size_t bytes)
{
    if (mst_places_here(&run->group->places) == 1)
        return MUSTER_OK;
    return append_transfer(run, MST_BROADCAST_HERE, place, data, data, bytes);
}

static muster_status append_reduction(mst_run *run, mst_action_kind kind, void *to,
                                      const void *const *sources, int count, size_t elements)
{
    const void **copy = mst_run_memory(run, (size_t)count * sizeof *copy);
    mst_action *action = copy ? append(run, kind) : NULL;

    if (!action)
        return refuse_memory();
    memcpy(copy, sources, (size_t)count * sizeof *copy);
    action->sources = copy;
    action->peer = count;
    action->to = to;
    action->bytes = elements;
    return MUSTER_OK;
}

muster_status mst_run_reduce(mst_run *run, void *to, const void *const *sources, int count, size_t elements)
{
    return append_reduction(run, MST_REDUCE_ALL, to, sources, count, elements);
}

muster_status mst_run_reduce_part(mst_run *run, void *to, const void *const *sources, int count,
                                  size_t elements, bool is_last)
{
    return append_reduction(run, is_last ? MST_REDUCE_LAST : MST_REDUCE_PART, to, sources, count, elements);
}

muster_status mst_run_fence(mst_run *run)
{
    return append(run, MST_FENCE) ? MUSTER_OK : refuse_memory();
}

muster_status mst_run_call(mst_run *run, mst_run_plan plan)
{
    mst_action *action = append(run, MST_CALL);

    if (!action)
        return refuse_memory();
    action->plan = plan;
    return MUSTER_OK;
}
