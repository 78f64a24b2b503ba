/* Strings of parse.h. */
#include "tools/muster/trace/parse.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/plain.h"

bool parse_string(const char **at, char *to, size_t room)
{
    const char *from = *at;
    size_t used = 0;

    if (*from++ != '"')
        return false;
    while (*from && *from != '"' && used + 1 < room) {
        unsigned code;

        if (*from != '\\') {
            to[used++] = *from++;
        } else if (from[1] == 'u') {
            if (sscanf(from, "\\u%4x", &code) != 1 || code == 0 || code > 0x7f || strlen(from) < 6)
                return false;
            to[used++] = (char)code;
            from += 6;
        } else {
            to[used++] = from[1];
            from += from[1] ? 2 : 1;
        }
    }
    to[used] = '\0';
    mst_plain_make(to); /* who shows it shows it on terminals, too */
    *at = from + 1;
    return *from == '"';
}

bool parse_field(const char **at, const char *name, char *to, size_t room)
{
    size_t length = strlen(name);

    if (strncmp(*at, name, length) != 0)
        return false;
    *at += length;
    return parse_string(at, to, room);
}
