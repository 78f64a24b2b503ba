/*
 * Where a rank waits, and what it has found out about the CPU there.
 *
 * Each rank publishes the CPU that it waits on, so that a rank whose partner was last seen on its own CPU
 * gives that one way in place of spinning. Beside other busy programs a yield gives one of them a whole time
 * slice, some milliseconds. Such a long yield says that the CPU is contended, and for a while the rank parks
 * in place of yielding: a sleeper gets the CPU back at once when it is woken.
 */
#ifndef MST_PLACE_H
#define MST_PLACE_H

#include "shm/base/atomic.h"

/* Of all waits of a rank. */
typedef struct mst_place {
    _Atomic uint32_t *cpu; /* in its entry: 1 + the CPU on which it last waited, for others to read */
    _Atomic uint64_t contended_until_ns; /* till then a yield would give the CPU to another program */
    _Atomic uint64_t contended_ns;       /* how long the latest such time was */
    _Atomic uint32_t waits_beside;       /* waits for ranks that were on the same CPU */
    _Atomic uint32_t slices_lost;        /* see mst_place_note_yields */
} mst_place;

/* Publishes the CPU of the calling thread. Returns 1 + that CPU; 0: the system does not say. */
uint32_t mst_place_publish(const mst_place *place);

/* Counts a wait for a rank on the same CPU. */
void mst_place_count_beside(mst_place *place);

/* Whether a rank that waits for one on the same CPU should sleep, and not only yield to it. */
bool mst_place_should_part(const mst_place *place);

/* Whether a yield would give the CPU to another program. */
bool mst_place_is_contended(const mst_place *place, int64_t now_ns);

/* A yield that takes so long has given the CPU to another process: a time slice is longer than this. */
#define MST_LONG_YIELD_NS (200 * 1000LL)

/* The same where ranks outnumber CPUs. */
#define MST_LONG_TURN_NS (2 * 1000 * 1000LL)

/*
 * Where ranks outnumber CPUs, others of the job compute in a yield, perhaps for long. But then the waits that
 * follow are short, while beside other programs each wait loses a time slice. So the CPU is contended only
 * once some waits in a row have lost one.
 */
void mst_place_note_yields(mst_place *place, bool lost_slice);

/* A wait took a tick of the coarse clock: the next ones are to time their yields. */
void mst_place_suspect(mst_place *place);
bool mst_place_is_suspect(const mst_place *place);

/* The CPU is contended: such a yield has ended now. */
void mst_place_note_contention(mst_place *place, int64_t now_ns);

#endif
