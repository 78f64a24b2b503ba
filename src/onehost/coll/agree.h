/*
 * Records: what each rank was asked to do, where the others read it. Ranks compare them before they touch a
 * result, so that a disagreement ends on all of them in the same sentence.
 */
#ifndef MST_COLL_AGREE_H
#define MST_COLL_AGREE_H

#include "src/onehost/coll/call.h"

/* A count that does not fit into the word is compared by the records, and so are the size of MUSTER_BYTES and
 * the name of an operation that the program made: the word only says that there is one. */
#define MST_COUNT_PACKED_MAX ((1ULL << 40) - 1)

/* The call's request without offsets, in one word, for its plan. */
uint64_t mst_request_packed(const mst_call *call);

/* Reads a rank's record, once: its text ends. The edge that published the record is the caller's. */
void mst_record_copy(mst_call_record *to, const mst_call_record *from);

/* Compares the records of all ranks, private copies, for the call; whatever differs breaks the group. */
muster_status mst_records_compare(const mst_call *call, const mst_call_record *records);

#endif
