/*
 * Reads what a rank prints from its pipe or terminal, a bounded amount at a time, and passes it to output.h
 * in lines and parts of lines.
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
    char *line; /* read since the last newline and not passed on yet */
    size_t bytes, capacity;
    int64_t since_ns; /* when its first byte arrived, or reading became possible again */
    size_t chunk;     /* bytes read since the pipe was last empty */
    bool drained;     /* the latest read emptied the pipe */
    size_t left;      /* bytes that may still be read after the rank has ended */
    int polled_at;    /* its index in job->polled; -1: not polled */
} mst_relay;

void mst_relay_init(mst_relay *relay, mst_output *output, int from, int fd, int rank);

/* Whether its outlet has space for more. */
bool mst_relay_is_ready(const mst_relay *relay);

/* Passes on what one read returns; false: the other end is closed, or ours is (the program may have closed it
 * as unknown). Never blocks. */
bool mst_relay_pump(mst_relay *relay);

/* Passes on a part of a line that has waited long enough; returns when to look again, 0: none waits. */
int64_t mst_relay_show_part(mst_relay *relay, int64_t now_ns);

/* Passes on an unfinished last line, and closes our end. */
void mst_relay_close(mst_relay *relay);

#endif
