/* What every backend says of messages: to the program that has received one, and in words. */
#ifndef MST_MESSAGE_H
#define MST_MESSAGE_H

#include "muster/muster.h"

#define MST_TAG_BYTES 16 /* of the longest text */

/* "tag 7", "any tag". Tag 0 is one as well: a sentence about several messages would hide why they do not
 * match. */
void mst_tag_describe(int tag, char text[MST_TAG_BYTES]);

/* "recv (float32 x 100, tag 7)", for a call of that name. */
void mst_message_describe(const char *name, muster_dtype dtype, size_t count, int tag, char *text,
                          size_t bytes);

/* Fills in what has come; NULL: the program does not want to know. `bytes` are those of the message. */
void mst_message_tell(muster_message *result, int source, int tag, muster_dtype dtype, size_t bytes);

#endif
