/*
 * How the attaching of a world ends: one word, settled once, by compare-and-swap, and read by all.
 *
 * Either all ranks have come, or the word says why not: whose end, or whose giving up, was the first. A rank
 * that ends before it has attached is the cause from the moment on when its end is recorded, by whoever
 * records it; a rank that gives up for any other reason settles that before it leaves. So a rank that only
 * gave up because of another one, and then ended, is never taken for the cause: the word was settled before.
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
    MST_OUTCOME_LATE,        /* `by` waited in vain for `rank` */
    MST_OUTCOME_REFUSED,     /* `rank` could not take its place: `status` */
    MST_OUTCOME_INTERRUPTED, /* `rank` was interrupted by its program */
    MST_OUTCOME_ORPHANED,    /* the launcher is gone */
    MST_OUTCOME_DAMAGED      /* words of the arena that no rank can have written */
} mst_outcome;

typedef struct mst_rendezvous {
    mst_outcome outcome;
    uint32_t rank;
    uint32_t by; /* who settled it */
    muster_termination termination;
    muster_status status;
} mst_rendezvous;

/* What has been settled; DAMAGED also for a word that nobody can have written. */
mst_rendezvous mst_rendezvous_read(const mst_geometry *geometry);

/* Settles it, unless it is settled; returns what is. The caller wakes those who wait. */
mst_rendezvous mst_rendezvous_settle(const mst_geometry *geometry, const mst_rendezvous *proposed);

/* The end of a rank has just been recorded. */
void mst_rendezvous_note_termination(const mst_geometry *geometry, uint32_t seat,
                                     muster_termination termination);

#endif
