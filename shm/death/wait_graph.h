/*
 * The wait-for graph: which rank waits for which, as all have published it in the arena.
 *
 * An edge leads from a rank to each one that it waits for. A rank is stuck if it waits for one that is stuck,
 * or for any one of a set of which all are. Stuck ranks are a cycle of the graph, or, if some wait for a set,
 * a knot. The graph changes while it is read: what a search finds is a suspicion, which deadlock.c then
 * proves.
 */
#ifndef MST_WAIT_GRAPH_H
#define MST_WAIT_GRAPH_H

#include "shm/base/layout.h"

#define MST_NOBODY UINT32_MAX

/* A member of a cycle, as it was when the cycle was first seen. */
typedef struct mst_wait_member {
    uint32_t seat;
    uint32_t checks;
    uint64_t wait_epoch;
} mst_wait_member;

/* A set of seats. */
typedef struct mst_seats {
    uint64_t bits[MST_RANKS_MAX / 64];
} mst_seats;

typedef struct mst_wait_graph {
    mst_geometry geometry;
    uint32_t self;
    mst_wait_member *cycle; /* the members, this rank first, in the order in which they wait */
    uint32_t cycle_size;    /* 0: none suspected */
    uint32_t *seen_from;    /* by seat, of the search: from which rank it was reached */
    bool *stuck;            /* by seat, of the search: it cannot go on; of the proof: it is a member */
} mst_wait_graph;

/* What a rank waits for; all of one wait. */
typedef struct mst_wait_copy {
    bool waits;
    bool awaits_any;
    uint32_t awaited[2]; /* MST_NOBODY where there is none */
    mst_seats any_of;
} mst_wait_copy;

static inline bool mst_wait_is_for_one_of(const mst_wait_copy *wait, uint32_t seat)
{
    return wait->awaits_any && (wait->any_of.bits[seat / 64] >> seat % 64 & 1);
}

bool mst_wait_graph_init(mst_wait_graph *graph, const mst_geometry *geometry,
                         uint32_t self); /* false: no memory */
void mst_wait_graph_destroy(mst_wait_graph *graph);

mst_wait_copy mst_wait_graph_read(const mst_wait_graph *graph, uint32_t seat);

/* Whether the wait cannot end while the ranks in `graph->stuck` do not act. */
bool mst_wait_graph_cannot_end(const mst_wait_graph *graph, const mst_wait_copy *wait);

/* Whether this rank seems to be a member of a cycle or knot, whose members it then lists; those of a knot in
 * no particular order. */
bool mst_wait_graph_search(mst_wait_graph *graph);

#endif
