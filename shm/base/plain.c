/* Finds control characters, for plain.h. */
#include "shm/base/plain.h"

#include <stddef.h>
#include <string.h>

/* Of the one that the text begins with; 0: it begins with none. */
static size_t control_bytes(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    if (at[0] == '\0')
        return 0;
    if (at[0] < ' ' || at[0] == 0x7f)
        return 1;
    return at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

unsigned mst_plain_control(const char *text)
{
    for (; *text; text++) {
        size_t bytes = control_bytes(text);

        if (bytes)
            return (unsigned char)text[bytes - 1];
    }
    return 0;
}

void mst_plain_make(char *text)
{
    while (*text) {
        size_t bytes = control_bytes(text);

        memset(text, '?', bytes);
        text += bytes ? bytes : 1;
    }
}
