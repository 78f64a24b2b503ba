/*
 * Which thresholds an arena gets: what is known of this kind of CPU, then what `muster tune` has measured on
 * this machine and kept in a file, then what MUSTER_TUNING says. The creator of the arena chooses, before
 * there are ranks.
 *
 * The file is a cache: if it is missing, damaged, or of another CPU, it is as if nothing had been measured.
 */
#ifndef MST_CHOICE_H
#define MST_CHOICE_H

#include "muster/muster.h"
#include "shm/arena/arena.h"
#include "shm/base/thresholds.h"

#define MST_CHOICE_ITEM_BYTES 520

typedef struct mst_choice {
    mst_cpu_kind cpu;
    const char *column;   /* of the known ones */
    mst_thresholds known; /* of that column */
    mst_thresholds thresholds;
    char path[512];    /* of the file; "": there is no place for one */
    size_t path_given; /* bytes of the path that exist, or are the user's to make */
    bool used;         /* the file */
    char why[120];     /* it is not; "": it is not there */
} mst_choice;

/* Fails only if MUSTER_TUNING makes no sense. */
muster_status mst_choice_make(mst_choice *choice);

/* Whether an arena whose ranks may use `cpus` CPUs has large pages, if the system can. Fails only if
 * MUSTER_HUGE_PAGES makes no sense. */
muster_status mst_choice_pages(mst_arena_plan *plan, int cpus);

/* Sets thresholds from "NAME=BYTES,..."; false: what is left in `item`, of MST_CHOICE_ITEM_BYTES, is none. */
bool mst_choice_set(mst_thresholds *thresholds, const char *settings, char *item);

/* Writes the file: `thresholds` as measured on this CPU; NULL: only tries whether it could. */
muster_status mst_choice_keep(const mst_choice *choice, const mst_thresholds *thresholds);

#endif
