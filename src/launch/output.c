/* Formats ranks' lines, with heads and breaks, for output.h. */
#include "src/launch/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/wait/poison.h"

#define REPEATS_RANKS_MIN 3 /* fewer ranks do not repeat each other */

/* ---- where output goes ---- */

static bool is_one_file(int a, int b)
{
    struct stat first, second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino && (!S_ISCHR(first.st_mode) || isatty(a));
}

void mst_output_init(mst_output *output, const muster_launch_config *config, const mst_geometry *geometry)
{
    *output = (mst_output){ .config = config, .geometry = geometry, .shared = is_one_file(1, 2) };
    mst_outlet_open(&output->outlets[0], 1);
    mst_outlet_open(&output->outlets[1], 2);
}

void mst_output_close(mst_output *output)
{
    mst_outlet_close(&output->outlets[0]);
    mst_outlet_close(&output->outlets[1]);
    mst_repeats_destroy(&output->repeats);
}

static int outlet_index(const mst_output *output, int fd)
{
    return output->shared ? 0 : fd - 1;
}

mst_outlet *mst_output_outlet(mst_output *output, int fd)
{
    return output->config->output ? NULL : &output->outlets[outlet_index(output, fd)];
}

/* ---- lines ---- */

/* False: the line must not be shown. */
static bool make_head(const mst_output *output, const muster_line *line, char head[MUSTER_HEAD_BYTES])
{
    head[0] = '\0';
    if (output->config->show)
        return output->config->show(line, head, output->config->show_arg);
    snprintf(head, MUSTER_HEAD_BYTES, "[%d]%s ", line->rank, line->continued ? "+" : "");
    return true;
}

/* Writes the text with a head at its beginning, if it starts a line, and after each carriage return that is
 * followed by text; true: it ends with a carriage return. */
static bool put_redrawn(mst_outlet *outlet, const char *head, const char *text, size_t bytes, bool at_start,
                        bool ends)
{
    size_t head_bytes = strlen(head), used = 0;

    while (used < bytes && at_start && text[used] == '\r')
        used++; /* before the head, which would be overwritten otherwise */
    mst_outlet_put(outlet, text, used);
    bool is_empty = used == bytes;
    while (used < bytes) {
        const char *back = memchr(text + used, '\r', bytes - used);
        size_t part = back ? (size_t)(back - text) - used : bytes - used;

        if (at_start)
            mst_outlet_put(outlet, head, head_bytes);
        for (at_start = false; used + part < bytes && text[used + part] == '\r'; part++)
            at_start = true;
        mst_outlet_put(outlet, text + used, part);
        used += part;
    }
    if (ends && is_empty && at_start)
        mst_outlet_put(outlet, head, head_bytes);
    return at_start;
}

/* Breaks another rank's unfinished line before this one begins. */
static void break_open_line(mst_output *output, int at, const mst_output_line *next)
{
    mst_output_line *open = output->open[at];

    if (!open || open == next)
        return;
    mst_outlet_put(&output->outlets[at], "\n", 1);
    open->broken = true;
    output->open[at] = NULL;
    if (open->too_long && !open->told_long) {
        char text[120];

        open->told_long = true;
        snprintf(text, sizeof text, "a line of rank %d is longer than 1 MiB: others print between its parts",
                 open->rank);
        mst_output_notice(output, text);
    }
}

/* Whether the rank knows that its world is broken: then the others are about to print the same message. */
static bool is_in_trouble(const mst_output *output, int rank)
{
    const mst_cell *cell = mst_layout_cell(output->geometry, (uint32_t)rank, MST_WORLD_CELL);

    return output->failing || mst_poison_is_one(mst_load64_acq(&cell->poison)); /* E7 */
}

static bool is_repeated(mst_output *output, const mst_output_line *shown, const muster_line *line,
                        const char *head)
{
    return shown->fd == 2 && line->begins && line->ends && output->config->size >= REPEATS_RANKS_MIN &&
           output->config->on_failure == MUSTER_ON_FAILURE_KILL && is_in_trouble(output, shown->rank) &&
           mst_repeats_take(&output->repeats, shown->rank, line->text, line->bytes, head);
}

/* Passes the line to a program that takes whole lines itself; a part of a line only if it is too long. */
static void hand_over(mst_output *output, mst_output_line *shown, const char *text, size_t bytes, bool ends)
{
    if (!ends && !shown->told_long) {
        char notice[100];

        shown->told_long = true;
        snprintf(notice, sizeof notice, "a line of rank %d is longer than 1 MiB, and comes in parts",
                 shown->rank);
        mst_output_notice(output, notice);
    }
    if (bytes > 0 || !shown->begun)
        output->config->output(shown->rank, shown->fd, text, bytes, output->config->output_arg);
    shown->begun = !ends;
}

void mst_output_show(mst_output *output, mst_output_line *shown, const char *text, size_t bytes, bool ends)
{
    int at = outlet_index(output, shown->fd);
    char head[MUSTER_HEAD_BYTES];
    muster_line line = { .struct_size = sizeof line,
                         .rank = shown->rank,
                         .fd = shown->fd,
                         .text = text,
                         .bytes = bytes,
                         .begins = !shown->begun,
                         .ends = ends,
                         .continued = shown->broken };

    if (output->config->output) {
        hand_over(output, shown, text, bytes, ends);
        return;
    }
    if (make_head(output, &line, head) && !is_repeated(output, shown, &line, head)) {
        bool just_ends = bytes == 0 && shown->redraw && !shown->broken;
        bool at_start = !shown->begun || shown->broken || (shown->redraw && !just_ends);

        break_open_line(output, at, shown);
        shown->redraw = put_redrawn(&output->outlets[at], head, text, bytes, at_start, ends) && !ends;
        if (ends)
            mst_outlet_put(&output->outlets[at], "\n", 1);
        output->open[at] = ends ? NULL : shown;
    }
    shown->begun = !ends;
    shown->broken = false;
}

void mst_output_notice(mst_output *output, const char *line)
{
    int at = outlet_index(output, 2);
    char head[MUSTER_HEAD_BYTES];
    muster_line own = { .struct_size = sizeof own,
                        .rank = -1,
                        .fd = 2,
                        .text = line,
                        .bytes = strlen(line),
                        .begins = true,
                        .ends = true };

    if (output->config->notice)
        output->config->notice(line, output->config->notice_arg);
    if (!output->config->show || !make_head(output, &own, head))
        return;
    break_open_line(output, at, NULL);
    mst_outlet_put(&output->outlets[at], head, strlen(head));
    mst_outlet_put(&output->outlets[at], line, strlen(line));
    mst_outlet_put(&output->outlets[at], "\n", 1);
}

/* ---- lost output ---- */

static const char *name_of(const mst_outlet *outlet)
{
    return outlet->fd == 1 ? "standard output" : "standard error";
}

bool mst_output_lost(const mst_output *output, char *text, size_t bytes)
{
    for (int i = 0; i < 2; i++) {
        const mst_outlet *outlet = &output->outlets[i];

        /* a program without a standard error wants no messages */
        if (!outlet->lost || (outlet->fd == 2 && outlet->error == EBADF))
            continue;
        if (outlet->error)
            snprintf(text, bytes, "%s cannot be written (%s): the ranks' output there is lost",
                     name_of(outlet), strerror(outlet->error));
        else
            snprintf(text, bytes, "the last output of the ranks is lost: nobody read it from %s",
                     name_of(outlet));
        return true;
    }
    return false;
}

bool mst_output_flush(mst_output *output)
{
    char text[160];
    bool read = true;

    for (int i = 0; i < 2; i++) {
        mst_outlet_flush(&output->outlets[i]);
        read = read && output->outlets[i].error != EPIPE;
    }
    if (read && !output->told_lost && mst_output_lost(output, text, sizeof text)) {
        output->told_lost = true;
        mst_output_notice(output, text);
    }
    return read;
}

void mst_output_tell_repeats(mst_output *output)
{
    const mst_repeated_line *single;
    mst_outlet *outlet = &output->outlets[outlet_index(output, 2)];
    char text[160];

    if (mst_repeats_describe(&output->repeats, text, sizeof text, &single))
        mst_output_notice(output, text);
    if (!single)
        return;
    break_open_line(output, outlet_index(output, 2), NULL);
    mst_outlet_put(outlet, single->head, strlen(single->head));
    mst_outlet_put(outlet, single->text, single->bytes);
    mst_outlet_put(outlet, "\n", 1);
}
