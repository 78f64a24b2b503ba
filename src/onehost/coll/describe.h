/* Describes calls as text: for error messages, for the log, and for observers outside the job. */
#ifndef MST_DESCRIBE_H
#define MST_DESCRIBE_H

#include "shm/wait/activity.h"

/* "all_sum"; for calls that are not collectives, "send" and so on. */
void mst_doing_name(const mst_doing *doing, char *text, size_t bytes);

/* Bytes of the larger of the two buffers that `rank`, of a group of `size`, has in the call. */
size_t mst_doing_bytes(const mst_doing *doing, int rank, int size);

/* "all_sum (float32 x 4096)"; and the same with the operation's number. */
void mst_request_describe(const mst_call_record *record, char *text, size_t bytes);
void mst_record_describe(const mst_call_record *record, char *text, size_t bytes);

#endif
