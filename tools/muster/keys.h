/*
 * Single keys of the terminal, for what goes on until a user has seen enough. Where standard input is no
 * terminal, or another's, no key ever comes.
 */
#ifndef MUSTER_CLI_KEYS_H
#define MUSTER_CLI_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* From here on keys come one by one and unseen, until keys_end, or until a signal ends the program. */
void keys_begin(void);
void keys_end(void);

/* Sleeps for that long; true, and at once, when q was pressed. */
bool keys_quit(int64_t ns);

#endif
