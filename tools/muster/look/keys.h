/*
 * Reads single keys from the terminal, for displays that run until the user presses q. It reads none where
 * standard input is not a terminal, or this process is in its background.
 */
#ifndef MUSTER_LOOK_KEYS_H
#define MUSTER_LOOK_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the terminal pass each key at once, without showing it, until keys_end, or a signal ends the program.
 * While the program is stopped the terminal is as it was. */
void keys_begin(void);
void keys_end(void);

/* Sleeps for `ns`. Returns true as soon as q is pressed. */
bool keys_quit(int64_t ns);

#endif
