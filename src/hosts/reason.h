/* Why a group over several hosts is broken, as the reason of an abort of a group that is a part of it. */
#ifndef MST_HOSTS_REASON_H
#define MST_HOSTS_REASON_H

#include "src/hosts/link.h"

#define MST_REASON_TEXT_BYTES (MST_LINK_SENTENCE_BYTES + 64)

/* The numbers in brackets, and the sentence. */
void mst_reason_print(const mst_link_reason *reason, char *text, size_t bytes);

/* From a sentence that ends in such a text; false: it is something else. */
bool mst_reason_read(const char *text, mst_link_reason *reason);

/* The thread's latest error, in its own words. */
mst_link_reason mst_reason_of_error(muster_status status);

#endif
