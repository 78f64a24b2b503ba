/*
 * Started collectives with counts by rank (started.c). Behind its entry in the journal a rank has a
 * mst_varied_entry: what it gives to and takes from each rank, and where each one's block is: behind that, or
 * in the user's buffer, if that is lent. All ranks add up the balances when all have started; if they do not
 * add up to 0, all find the pair that disagrees in the entries, which have what that takes.
 */
#ifndef MST_VARIED_STARTED_H
#define MST_VARIED_STARTED_H

#include "shm/group/journal.h"
#include "src/onehost/coll/call.h"

/* Decides whether the input is lent, and returns how many bytes the entry needs beside the record. */
uint64_t mst_varied_plan(mst_call *call, bool *lends);

/* Fills these bytes, which are at `offset`. */
void mst_varied_fill(mst_call *call, mst_journal_entry *entry, uint64_t offset);

/* All have started: compares the counts, and finds what each rank gives us, in in[rank]. */
muster_status mst_varied_collect(const mst_call *call, const mst_call_record *records,
                                 const unsigned char **in);

#endif
