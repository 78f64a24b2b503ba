/*
 * One of our standard streams, to which ranks' output is written without ever waiting for its reader. What
 * the reader has not taken is kept, up to a limit: then the outlet is full, and the pump stops reading the
 * ranks.
 *
 * The flags of the descriptor are shared with other programs and are not ours to change. Pipes and terminals
 * are opened again as nonblocking; where that is impossible, and for sockets, each single write is one that
 * cannot block.
 */
#ifndef MST_OUTLET_H
#define MST_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/port/os.h"

typedef enum mst_outlet_kind {
    MST_OUTLET_FILE,     /* never blocks for long */
    MST_OUTLET_REOPENED, /* a pipe or terminal, by our own nonblocking descriptor */
    MST_OUTLET_SOCKET,
    MST_OUTLET_CAREFUL /* a pipe or terminal: little at a time, when it is writable */
} mst_outlet_kind;

typedef struct mst_outlet {
    int fd;          /* as given */
    mst_os_held own; /* of REOPENED: our own descriptor of the same file */
    mst_outlet_kind kind;
    char *text; /* bytes begin ... end have not been written yet */
    size_t begin, end, capacity;
    int error;        /* of the first failed write, after which nothing is written; 0: none */
    bool lost;        /* something was not written */
    bool abandoned;   /* the rest is discarded */
    int64_t taken_ns; /* when something was last written */
} mst_outlet;

void mst_outlet_open(mst_outlet *outlet, int fd);
void mst_outlet_close(mst_outlet *outlet);

void mst_outlet_put(mst_outlet *outlet, const char *text, size_t bytes);
bool mst_outlet_is_full(const mst_outlet *outlet);
bool mst_outlet_is_empty(const mst_outlet *outlet);

/* The descriptor to poll for space. */
int mst_outlet_polled(const mst_outlet *outlet);

/* Writes what is possible now, up to a limit. The caller has blocked SIGPIPE. */
void mst_outlet_flush(mst_outlet *outlet);

/* Discards what is kept, and everything that is put later. */
void mst_outlet_abandon(mst_outlet *outlet);

#endif
