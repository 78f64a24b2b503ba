/*
 * What ranks print, on its way out: piece by piece, each line with a head such as "[3] " before it, through
 * two outlets that never wait for a reader. A line that is not finished is shown when it has waited for a
 * moment, and goes on where it was; when another rank prints meanwhile it is broken, and what follows has a
 * head of its own. What a line redraws after a carriage return gets the head again.
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
    bool begun;  /* a part of it has been passed on */
    bool broken; /* and somebody else has printed since */
    bool redraw; /* it ends with a carriage return */
    bool too_long;
    bool told_long;
} mst_output_line;

typedef struct mst_output {
    const muster_launch_config *config;
    const mst_geometry *geometry;
    mst_outlet outlets[2];
    bool shared;              /* both streams are one file, and go through the first outlet */
    mst_output_line *open[2]; /* by outlet: whose line is not finished; NULL: nobody's */
    bool told_lost;
    bool draining;       /* all ranks have ended: only what they have left is taken */
    bool failing;        /* a rank has failed, and the others are about to be stopped */
    mst_repeats repeats; /* of what is printed then */
} mst_output;

void mst_output_init(mst_output *output, const muster_launch_config *config, const mst_geometry *geometry);
void mst_output_close(mst_output *output);

/* The outlet of a stream, 1 or 2; NULL where the program takes the lines itself. */
mst_outlet *mst_output_outlet(mst_output *output, int fd);

/* A part of a line, which ends there or goes on. */
void mst_output_show(mst_output *output, mst_output_line *shown, const char *text, size_t bytes, bool ends);

/* A sentence of the launcher's own. */
void mst_output_notice(mst_output *output, const char *line);

/* Writes what goes at once, and tells, once, when something cannot be written. False: nobody reads any more
 * (EPIPE). */
bool mst_output_flush(mst_output *output);

/* What was kept back as repeated. */
void mst_output_tell_repeats(mst_output *output);

/* Whether something is lost, with one sentence. */
bool mst_output_lost(const mst_output *output, char *text, size_t bytes);

#endif
