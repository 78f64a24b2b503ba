/* What ranks do, and were asked to do, in words: for sentences, for the log, and for those who look from
 * outside. */
#ifndef MST_DESCRIBE_H
#define MST_DESCRIBE_H

#include "shm/wait/activity.h"

/* "all_sum", and of calls that are no collectives "send" and the like. */
void mst_doing_name(const mst_doing *doing, char *text, size_t bytes);

/* Bytes of the larger of the two buffers that `rank` of a group of `size` has in it. */
size_t mst_doing_bytes(const mst_doing *doing, int rank, int size);

/* "all_sum (float32 x 4096)", and with its number. */
void mst_request_describe(const mst_call_record *record, char *text, size_t bytes);
void mst_record_describe(const mst_call_record *record, char *text, size_t bytes);

#endif
