/*
 * A descriptor of ours that ranks' output goes to, without ever waiting for who reads it. What the reader has
 * not taken is kept, up to a bound: then the outlet is full, and whoever feeds it stops reading the ranks.
 *
 * The descriptor's own flags are shared with other programs and are not ours to change. Pipes and terminals
 * are opened once more, not to block; where that cannot be, and for sockets, each write is one that cannot.
 */
#ifndef MST_OUTLET_H
#define MST_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/port/os.h"

typedef enum mst_outlet_kind {
    MST_OUTLET_FILE,     /* never blocks for long */
    MST_OUTLET_REOPENED, /* a pipe or terminal by a descriptor of our own */
    MST_OUTLET_SOCKET,
    MST_OUTLET_CAREFUL /* a pipe or terminal: little at a time, when there is room */
} mst_outlet_kind;

typedef struct mst_outlet {
    int fd;          /* as given */
    mst_os_held own; /* of REOPENED: the same file */
    mst_outlet_kind kind;
    char *text; /* bytes begin ... end are not written yet */
    size_t begin, end, capacity;
    int error;        /* of the first write that failed; 0: none has. Nothing more is written then */
    bool lost;        /* something was not written */
    bool abandoned;   /* nobody will take anything more */
    int64_t taken_ns; /* when something was written last */
} mst_outlet;

void mst_outlet_open(mst_outlet *outlet, int fd);
void mst_outlet_close(mst_outlet *outlet);

void mst_outlet_put(mst_outlet *outlet, const char *text, size_t bytes);
bool mst_outlet_is_full(const mst_outlet *outlet);
bool mst_outlet_is_empty(const mst_outlet *outlet);

/* What to wait for room at, by poll. */
int mst_outlet_polled(const mst_outlet *outlet);

/* Writes what goes at once, which is not without bound. The thread has SIGPIPE blocked. */
void mst_outlet_flush(mst_outlet *outlet);

/* Nobody will take the rest, nor what is still to come. */
void mst_outlet_abandon(mst_outlet *outlet);

#endif
