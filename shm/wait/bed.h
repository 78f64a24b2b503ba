/*
 * The words that a rank sleeps on while it waits: that of the wait, those that the caller adds (`more`), and
 * its doorbell while its background has tasks. It announces itself to each before its last look (E9).
 */
#ifndef MST_BED_H
#define MST_BED_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/port/os.h"
#include "shm/wait/background.h"
#include "shm/wait/wake.h"

typedef struct mst_bed {
    mst_parking parkings[MST_OS_WATCHED_MAX];
    mst_os_watched_word words[MST_OS_WATCHED_MAX];
    size_t count;
    bool in_background; /* one of them is the background's */
} mst_bed;

/* On the word of a wait, and the `count` words that the caller adds. */
void mst_bed_make(mst_bed *bed, mst_parking parking, const mst_parking *more, size_t count);

/* Reads what the words are now, the doorbell's, too, once the background (NULL: none) has tasks: parking on
 * them fails if one changes after this. */
void mst_bed_read(mst_bed *bed, const mst_background *background, mst_parking doorbell);

void mst_bed_leave(const mst_bed *bed);

#endif
