/*
 * Plain text: words of a peer, a file or a user that end up on a terminal, where control characters would do
 * something. Those are the ones below U+0020, U+007F, and U+0080 to U+009F, which UTF-8 writes in two bytes.
 */
#ifndef MST_PLAIN_H
#define MST_PLAIN_H

/* The text's first control character; 0: it has none. */
unsigned mst_plain_control(const char *text);

/* Puts question marks in place of them, one for each byte. */
void mst_plain_make(char *text);

#endif
