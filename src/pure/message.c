/* Texts and results of message.h. */
#include "src/pure/message.h"

#include <stdio.h>

#include "src/pure/dtype.h"
#include "src/pure/sized.h"

void mst_tag_describe(int tag, char text[MST_TAG_BYTES])
{
    if (tag == MUSTER_ANY_TAG)
        snprintf(text, MST_TAG_BYTES, "any tag");
    else
        snprintf(text, MST_TAG_BYTES, "tag %d", tag);
}

void mst_message_describe(const char *name, muster_dtype dtype, size_t count, int tag, char *text,
                          size_t bytes)
{
    char elements[MST_DTYPE_NAME_BYTES], tagged[MST_TAG_BYTES];

    mst_dtype_describe(dtype, elements);
    mst_tag_describe(tag, tagged);
    snprintf(text, bytes, "%s (%s x %zu, %s)", name, elements, count, tagged);
}

void mst_message_tell(muster_message *result, int source, int tag, muster_dtype dtype, size_t bytes)
{
    if (!result) /* as of most messages: a division takes as long as much else that is done with one */
        return;
    muster_message came = { .struct_size = sizeof came,
                            .source = source,
                            .tag = tag,
                            .count = bytes / muster_dtype_size(dtype),
                            .dtype = dtype };
    mst_sized_give(result, &came, sizeof came);
}
