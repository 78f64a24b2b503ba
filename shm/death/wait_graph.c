/* Reads the wait-for graph, and searches it for cycles and knots, for wait_graph.h. */
#include "shm/death/wait_graph.h"

#include <stdlib.h>

#include "shm/base/atomic.h"

bool mst_wait_graph_init(mst_wait_graph *graph, const mst_geometry *geometry, uint32_t self)
{
    *graph = (mst_wait_graph){ .geometry = *geometry,
                               .self = self,
                               .cycle = calloc(geometry->seats, sizeof *graph->cycle),
                               .seen_from = calloc(geometry->seats, sizeof *graph->seen_from),
                               .stuck = calloc(geometry->seats, sizeof *graph->stuck) };
    if (graph->cycle && graph->seen_from && graph->stuck)
        return true;
    mst_wait_graph_destroy(graph);
    return false;
}

void mst_wait_graph_destroy(mst_wait_graph *graph)
{
    free(graph->cycle);
    free(graph->seen_from);
    free(graph->stuck);
}

/* ---- who cannot go on ---- */

mst_wait_copy mst_wait_graph_read(const mst_wait_graph *graph, uint32_t seat)
{
    const mst_rank_entry *entry = mst_layout_entry(&graph->geometry, seat);
    uint64_t wait_epoch = mst_load64_acq(&entry->wait_epoch); /* E13 */
    mst_wait_copy copy = { .awaits_any = mst_load32_acq(&entry->awaits_any) != 0 };

    for (int i = 0; i < 2; i++) {
        copy.awaited[i] = mst_load32_acq(&entry->awaited[i]) - 1; /* 0 becomes MST_NOBODY */
        if (copy.awaited[i] >= graph->geometry.seats)
            copy.awaited[i] = MST_NOBODY;
    }
    for (int i = 0; copy.awaits_any && i < MST_RANKS_MAX / 64; i++)
        copy.any_of.bits[i] = mst_load64_acq(&entry->any_of[i]);
    copy.waits = (wait_epoch & 1) && mst_load64_acq(&entry->wait_epoch) == wait_epoch; /* E13 */
    return copy;
}

bool mst_wait_graph_cannot_end(const mst_wait_graph *graph, const mst_wait_copy *wait)
{
    for (int i = 0; wait->waits && i < 2; i++)
        if (wait->awaited[i] != MST_NOBODY && graph->stuck[wait->awaited[i]])
            return true;
    if (!wait->waits || !wait->awaits_any)
        return false;
    bool any = false;
    for (uint32_t seat = 0; seat < graph->geometry.seats; seat++) {
        if (mst_wait_is_for_one_of(wait, seat) && !graph->stuck[seat])
            return false;
        any = any || mst_wait_is_for_one_of(wait, seat);
    }
    return any;
}

/* At first all who wait are taken to be stuck. */
static void take_waiting_for_stuck(mst_wait_graph *graph)
{
    for (uint32_t seat = 0; seat < graph->geometry.seats; seat++)
        graph->stuck[seat] =
            mst_load64_acq(&mst_layout_entry(&graph->geometry, seat)->wait_epoch) & 1; /* E13 */
}

/* Until no more of them are found not to be. Only where somebody waits for a set: it takes long. */
static void find_stuck(mst_wait_graph *graph)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t seat = 0; seat < graph->geometry.seats; seat++) {
            if (!graph->stuck[seat])
                continue;
            mst_wait_copy wait = mst_wait_graph_read(graph, seat);
            graph->stuck[seat] = mst_wait_graph_cannot_end(graph, &wait);
            changed = changed || !graph->stuck[seat];
        }
    }
}

/* ---- paths ---- */

typedef struct search {
    uint32_t queue[MST_RANKS_MAX], count;
    uint32_t last; /* the rank by which a path leads back; MST_NOBODY: none does */
    bool knot;     /* a rank on the way waits for a set */
} search;

static void reach(mst_wait_graph *graph, search *search, uint32_t from, uint32_t seat)
{
    if (seat == MST_NOBODY || !graph->stuck[seat])
        return;
    if (seat == graph->self) {
        if (search->last == MST_NOBODY)
            search->last = from;
    } else if (graph->seen_from[seat] == MST_NOBODY) {
        graph->seen_from[seat] = from;
        search->queue[search->count++] = seat;
    }
}

/* Searches breadth first from ourselves along the waits of stuck ranks; whether a path leads back. */
static bool leads_back(mst_wait_graph *graph, search *search)
{
    uint32_t seats = graph->geometry.seats;

    search->queue[0] = graph->self;
    search->count = 1;
    search->last = MST_NOBODY;
    search->knot = false;
    for (uint32_t seat = 0; seat < seats; seat++)
        graph->seen_from[seat] = MST_NOBODY;
    for (uint32_t at = 0; at < search->count; at++) {
        uint32_t from = search->queue[at];
        mst_wait_copy wait = mst_wait_graph_read(graph, from);

        if (!wait.waits)
            continue;
        reach(graph, search, from, wait.awaited[0]);
        reach(graph, search, from, wait.awaited[1]);
        search->knot = search->knot || wait.awaits_any;
        for (uint32_t seat = 0; wait.awaits_any && seat < seats; seat++)
            if (mst_wait_is_for_one_of(&wait, seat))
                reach(graph, search, from, seat);
    }
    return search->last != MST_NOBODY;
}

/* The members of a cycle, from ourselves on in the order in which they wait for each other. */
static void list_cycle(mst_wait_graph *graph, uint32_t last)
{
    mst_wait_member *cycle = graph->cycle;
    uint32_t size = 1, at;

    for (uint32_t seat = last; seat != graph->self; seat = graph->seen_from[seat])
        size++;
    at = graph->cycle_size = size;
    for (uint32_t seat = last; seat != graph->self; seat = graph->seen_from[seat])
        cycle[--at].seat = seat;
    cycle[0].seat = graph->self;
}

/* The members of a knot: all whom the search has reached. */
static void list_knot(mst_wait_graph *graph)
{
    graph->cycle[0].seat = graph->self;
    graph->cycle_size = 1;
    for (uint32_t seat = 0; seat < graph->geometry.seats; seat++)
        if (graph->seen_from[seat] != MST_NOBODY)
            graph->cycle[graph->cycle_size++].seat = seat;
}

bool mst_wait_graph_search(mst_wait_graph *graph)
{
    search search;

    take_waiting_for_stuck(graph);
    if (!leads_back(graph, &search))
        return false;
    if (!search.knot) {
        list_cycle(graph, search.last);
        return true;
    }
    find_stuck(graph);
    if (!graph->stuck[graph->self] || !leads_back(graph, &search))
        return false;
    list_knot(graph);
    return true;
}
