/* The terminal of `muster run`, given to one of the ranks, which are background processes. */
#ifndef MUSTER_RUN_TERMINAL_H
#define MUSTER_RUN_TERMINAL_H

#include <stdbool.h>

/* In the command, before: stops it while it is in the background, and when it exits, it is in the foreground
 * again, if it is now, of a terminal that works as it did. */
void terminal_lend(void);

/* The same, for who ends otherwise than by exit. */
void terminal_take_back(void);

/* In each rank: forgets that the command prints to a terminal that it has lent. */
void terminal_leave(void);

/* In a rank: from here on it is in the foreground, if the command was, gets what is typed, and may read it.
 */
void terminal_come_to_front(int terminal);

/* And the terminal takes the place of its three standard files; false: there is none for us. */
bool terminal_take(void);

#endif
