/*
 * Writes what ranks print, part by part, each line after a head such as "[3] ", through two outlets that
 * never wait for a reader. An unfinished line is shown after a moment, and continued in place; if another
 * rank prints in between, the line is broken, and its rest gets a head of its own. Text after a carriage
 * return, which redraws the line, gets the head again.
 */
#ifndef MST_OUTPUT_H
#define MST_OUTPUT_H

#include "muster/muster.h"
#include "shm/base/layout.h"
#include "src/launch/outlet.h"
#include "src/launch/repeats.h"

/* A line of one stream of a rank, as far as it has been shown. */
typedef struct mst_output_line {
    int rank;
    int fd;      /* the stream, 1 or 2 */
    bool begun;  /* a part of it has been written */
    bool broken; /* and another rank has printed since */
    bool redraw; /* it ends with a carriage return */
    bool too_long;
    bool told_long;
} mst_output_line;

typedef struct mst_output {
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_outlet outlets[2];
    bool shared;              /* both streams are the same file, and use the first outlet */
    mst_output_line *open[2]; /* by outlet: the unfinished line; NULL: none */
    bool told_lost;
    bool draining;       /* all ranks have ended: only what is left is read */
    bool failing;        /* a rank has failed, and the others are about to be stopped */
    mst_repeats repeats; /* among the lines printed then */
} mst_output;

void mst_output_init(mst_output *output, const muster_launch_config *config, const mst_geometry *geometry);
void mst_output_close(mst_output *output);

/* The outlet of stream 1 or 2; NULL if the program takes the lines itself. */
mst_outlet *mst_output_outlet(mst_output *output, int fd);

/* Shows a part of a line; `ends`: the line ends with it. */
void mst_output_show(mst_output *output, mst_output_line *shown, const char *text, size_t bytes, bool ends);

/* Shows a message of the launcher. */
void mst_output_notice(mst_output *output, const char *line);

/* Writes what is possible now, and reports, once, output that cannot be written. False: nobody reads any more
 * (EPIPE). */
bool mst_output_flush(mst_output *output);

/* Reports the lines that were suppressed as repeated. */
void mst_output_tell_repeats(mst_output *output);

/* Whether output has been lost, with a sentence. */
bool mst_output_lost(const mst_output *output, char *text, size_t bytes);

#endif
