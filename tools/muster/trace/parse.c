/* Strings of parse.h. */
#include "tools/muster/trace/parse.h"

#include <stdio.h>
#include <string.h>

void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
        else if ((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 &&
                 (unsigned char)text[1] < 0xa0)
            text[0] = text[1] = '?'; /* one of eight bits, in UTF-8 */
}

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
    make_plain(to);
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
