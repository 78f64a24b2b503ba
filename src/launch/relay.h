/*
 * Takes what a rank prints from its pipe or terminal, a bounded amount at a time, and passes it on in lines
 * and parts of lines (output.h).
 */
#ifndef MST_RELAY_H
#define MST_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/port/os.h"
#include "src/launch/output.h"

typedef struct mst_relay {
    mst_output *output;
    mst_os_held from; /* our end; fd -1: closed */
    bool terminal;    /* `from` is a pseudo-terminal */
    mst_output_line shown;
    char *line; /* what has not been passed on since the last newline */
    size_t bytes, capacity;
    int64_t since_ns; /* when the first of that came, or there was room for more of it again */
    size_t chunk;     /* bytes since there was last nothing to read */
    bool drained;     /* nothing more was there after the latest read */
    size_t left;      /* bytes to be taken yet from what has ended */
    int polled_at;    /* where it is among what is polled; -1: nowhere */
} mst_relay;

void mst_relay_init(mst_relay *relay, mst_output *output, int from, int fd, int rank);

/* Whether there is room for more of it. */
bool mst_relay_is_ready(const mst_relay *relay);

/* Passes on what one read gives; false: the other end is closed, or ours is (by the program, which may close
 * what it does not know). Never blocks. */
bool mst_relay_pump(mst_relay *relay);

/* Passes on a part of a line that has waited long enough; when the next such look is due, 0: none. */
int64_t mst_relay_show_part(mst_relay *relay, int64_t now_ns);

/* Passes on an unfinished last line, and closes. */
void mst_relay_close(mst_relay *relay);

#endif
