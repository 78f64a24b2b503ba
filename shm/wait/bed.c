/* Implements bed.h. */
#include "shm/wait/bed.h"

#include "shm/base/atomic.h"

static void lie_down(mst_bed *bed, mst_parking parking)
{
    mst_add32_sc(parking.sleepers, 1); /* E9: announced before the last look */
    bed->words[bed->count].word = parking.word;
    bed->parkings[bed->count++] = parking;
}

void mst_bed_make(mst_bed *bed, mst_parking parking, const mst_parking *more, size_t count)
{
    bed->count = 0;
    bed->in_background = false;
    lie_down(bed, parking);
    for (size_t i = 0; i < count; i++)
        lie_down(bed, more[i]);
}

void mst_bed_leave(const mst_bed *bed)
{
    for (size_t i = 0; i < bed->count; i++)
        mst_add32_sc(bed->parkings[i].sleepers, (uint32_t)-1);
}

void mst_bed_read(mst_bed *bed, const mst_background *background, mst_parking doorbell)
{
    if (background && !bed->in_background && !mst_background_is_empty(background)) {
        bed->in_background = true;
        lie_down(bed, doorbell);
    }
    for (size_t i = 0; i < bed->count; i++)
        bed->words[i].seen = mst_load32_sc(bed->parkings[i].word); /* E9 */
}
