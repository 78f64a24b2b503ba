/*
 * How the attaching of a world ends: one word, settled once, by compare-and-swap, and read by all.
 *
 * Either all ranks have attached, or the word says which failure was first: a rank that ended, or a rank that
 * gave up. Whoever records the termination of a rank that has not attached settles the word. A rank that
 * gives up settles the word before it leaves. So a rank that gives up because of another rank, and then ends,
 * is never taken for the cause.
 */
#ifndef MST_RENDEZVOUS_H
#define MST_RENDEZVOUS_H

#include "muster/muster.h"
#include "shm/base/layout.h"

typedef enum mst_outcome {
    MST_OUTCOME_OPEN,        /* not settled */
    MST_OUTCOME_COMPLETE,    /* all have attached */
    MST_OUTCOME_ENDED,       /* `rank` ended before it had attached, as `termination` says */
    MST_OUTCOME_LEFT,        /* `rank` left before all had attached */
    MST_OUTCOME_LATE,        /* `by` waited for `rank` until its deadline */
    MST_OUTCOME_REFUSED,     /* `rank` could not attach: `status` */
    MST_OUTCOME_INTERRUPTED, /* the program of `rank` interrupted it */
    MST_OUTCOME_ORPHANED,    /* the launcher is gone */
    MST_OUTCOME_DAMAGED      /* a word that no rank writes */
} mst_outcome;

typedef struct mst_rendezvous {
    mst_outcome outcome;
    uint32_t rank;
    uint32_t by; /* who settled it */
    muster_termination termination;
    muster_status status;
} mst_rendezvous;

/* The outcome so far; DAMAGED also for a word that no rank writes. */
mst_rendezvous mst_rendezvous_read(const mst_geometry *geometry);

/* Settles the outcome unless it is settled, and returns the settled one. The caller wakes the waiters. */
mst_rendezvous mst_rendezvous_settle(const mst_geometry *geometry, const mst_rendezvous *proposed);

/* To be called when the termination of a rank has just been recorded. */
void mst_rendezvous_note_termination(const mst_geometry *geometry, uint32_t seat,
                                     muster_termination termination);

#endif
