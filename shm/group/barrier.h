/*
 * Steps: the one synchronisation that collectives are made of.
 *
 * Every member has two arrival lines per lane and uses them in turn. It writes what the others should
 * read (a request and a small payload in the line itself, larger things elsewhere), then the number of
 * the step, and waits until every other member's line has that number. No counter is ever reset and
 * no line has two writers (but for the poison bit), so a fast rank may be a step ahead without harm. A
 * step costs one line transfer per peer and no system call unless someone sleeps.
 *
 * What makes two lines, and double-buffered memory in general, enough: whatever a member wrote before
 * it arrived at step s is seen by all after they have waited for s (E2), and whoever has waited for
 * step s + 1 knows that all have finished what they did after step s. Memory used at step s may be
 * written again for step s + 2.
 *
 * A group has several lanes: one for collectives, one for splits, so that one thread can split while
 * another is in a collective, and some for operations that are started now and finished later.
 */
#ifndef MST_BARRIER_H
#define MST_BARRIER_H

#include "shm/group/subarena.h"

/* MST_LANE_STARTED + i is the lane of started operations number i. */
typedef enum mst_lane_kind { MST_LANE_STEPS, MST_LANE_SPLITS, MST_LANE_STARTED } mst_lane_kind;

typedef struct mst_lane {
    mst_subarena *subarena;
    mst_lane_kind kind;
    uint32_t step;       /* the last one we arrived at */
    uint64_t work;       /* how many of them work came after that was pooled (pieces.h) */
    uint64_t operations; /* that have begun on this lane: picks what they use in turn */
    mst_waiter waiter;
} mst_lane;

void mst_lane_init(mst_lane *lane, mst_subarena *subarena, mst_lane_kind kind, int64_t timeout_ns,
                   mst_watch watch);

/* A new operation begins: its deadline counts from its first slow wait. */
void mst_lane_begin(mst_lane *lane);

/* Our line of the next step, to be filled in before arriving; and that of the step that we are at. */
mst_arrival *mst_lane_next(const mst_lane *lane);
mst_arrival *mst_lane_own(const mst_lane *lane);

/* The line of `rank` at the step that we are at; to be read once all have come. */
const mst_arrival *mst_lane_arrival(const mst_lane *lane, int rank);

/* Arrives at the next step and waits for all. On failure *missing is a rank that has not come. */
mst_wait_result mst_lane_step(mst_lane *lane, int *missing);

/* The two halves of a step, for those who have other things to do in between: for long, and so who sleeps is
 * woken first, or for a moment. */
void mst_lane_arrive(mst_lane *lane);
void mst_lane_publish(mst_lane *lane);
mst_wait_result mst_lane_wait(mst_lane *lane, int *missing);

/* Waits for all, or until instead(arg), which says that all have come. */
mst_wait_result mst_lane_wait_unless(mst_lane *lane, bool (*instead)(const void *arg), const void *arg,
                                     int *missing);

/* After a step: prefetches our next arrival, with so many bytes of payload. Before a wait: what lies of the
 * others' payloads beyond the line of the flag, so that it comes with that. */
void mst_lane_prefetch(const mst_lane *lane, size_t payload_bytes);
void mst_lane_prefetch_others(const mst_lane *lane, size_t payload_bytes);

/* Whether a member has arrived at the step that this one is at. */
bool mst_lane_has_arrived(const mst_lane *lane, int rank);

/* Who has not, in words. */
void mst_lane_list_missing(const mst_lane *lane, char *text, size_t bytes);

#endif
