/* Shows tables that replace each other where standard output is a terminal that can do that. */
#ifndef MUSTER_LOOK_SCREEN_H
#define MUSTER_LOOK_SCREEN_H

#include <stdbool.h>

/* Shows the text, whose lines end with newlines, in place of the one before; below that one on a terminal
 * without a cursor that moves (TERM is dumb, or not set). Cuts it to the terminal's size, unless it is the
 * only one. */
void screen_show(const char *text, bool only);

#endif
