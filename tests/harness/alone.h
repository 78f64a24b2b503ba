/* A process of a job of several, alone with its wire (src/wire): a test gives it the frames of the others,
 * well-formed or not, and sees what it sends. */
#ifndef TESTS_HARNESS_ALONE_H
#define TESTS_HARNESS_ALONE_H

#include "muster/muster.h"
#include "src/wire/inside.h"
#include "src/wire/wire.h"

#define ALONE_FRAMES_MAX 8192
#define ALONE_FRAME_BYTES 512

typedef struct alone_frame {
    int from;
    size_t count;
    unsigned char bytes[ALONE_FRAME_BYTES];
} alone_frame;

/* There is one. */
typedef struct alone_process {
    mst_wire *wire;
    muster_group *whole;
    alone_frame coming[ALONE_FRAMES_MAX]; /* to it, */
    int coming_count, taken;              /* of which it has taken so many */
    mst_wire_head sent[ALONE_FRAMES_MAX]; /* what it has sent, */
    int sent_to[ALONE_FRAMES_MAX];        /* and where to */
    int sent_count;
    int unreachable;     /* a process to which nothing can be sent; -1: none */
    int silent;          /* one that takes nothing, so that it stays on its way; -1: none */
    bool cannot_receive; /* whatever has come */
    bool may_not_move;   /* as a thread that is not MPI's main one */
} alone_process;
extern alone_process alone;

/* A process of so many, and a group of all of them, of which nothing has come or gone yet; and its end, and
 * that of its groups. */
void alone_begin(int rank, int size);
void alone_end(void);

/* A frame comes. */
void alone_come(int from, mst_wire_head head, const void *data, size_t bytes);

/* One for the whole group, of the rank that the process has there. */
mst_wire_head alone_head(int from, mst_wire_kind kind);

/* How many it has sent of a kind, to one or, with -1, to all. */
int alone_count(mst_wire_kind kind, int to);

#endif
