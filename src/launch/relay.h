/* Relays what a rank prints, whole lines only: to whoever asked for lines, or each with "[rank] " before it.
 */
#ifndef MST_RELAY_H
#define MST_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "muster/muster.h"
#include "shm/os.h"

typedef struct mst_relay {
    mst_os_held from; /* our end of the pipe; fd -1: closed */
    int to;
    int rank;
    char *line; /* what has come since the last newline */
    size_t bytes, capacity;
    muster_output_fn output; /* who gets the lines; NULL: `to` does */
    void *output_arg;
} mst_relay;

void mst_relay_init(mst_relay *relay, int from, int to, int rank);

/* Passes on what can be read now; false once the other end is closed, or ours is (by the program, which may
 * close what it does not know). Never blocks on reading. */
bool mst_relay_pump(mst_relay *relay);

/* Passes on an unfinished last line, and closes. */
void mst_relay_close(mst_relay *relay);

#endif
