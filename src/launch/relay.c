/* Line by line, one write per line, so that ranks' lines never mix. */
#include "src/launch/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX (1024 * 1024) /* a longer line is broken */

void mst_relay_init(mst_relay *relay, int from, int to, int rank)
{
    *relay = (mst_relay){ .from = mst_os_hold(from), .to = to, .rank = rank };
    if (from >= 0)
        fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
}

static void write_all(int to, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t done = write(to, text, bytes);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return; /* nobody reads any more; the ranks' work goes on */
        text += done;
        bytes -= (size_t)done;
    }
}

static void emit(const mst_relay *relay, const char *text, size_t bytes)
{
    if (relay->output) {
        relay->output(relay->rank, relay->to, text, bytes, relay->output_arg);
        return;
    }
    char prefix[16];
    size_t prefix_bytes = (size_t)snprintf(prefix, sizeof prefix, "[%d] ", relay->rank);
    char *whole = malloc(prefix_bytes + bytes + 1);

    if (!whole) { /* the line matters more than its prefix */
        write_all(relay->to, text, bytes);
        return;
    }
    memcpy(whole, prefix, prefix_bytes);
    memcpy(whole + prefix_bytes, text, bytes);
    whole[prefix_bytes + bytes] = '\n';
    write_all(relay->to, whole, prefix_bytes + bytes + 1);
    free(whole);
}

static bool reserve(mst_relay *relay, size_t bytes)
{
    size_t capacity = relay->capacity ? relay->capacity : 4096;

    while (capacity < relay->bytes + bytes)
        capacity *= 2;
    if (capacity == relay->capacity)
        return true;
    char *line = realloc(relay->line, capacity);
    if (!line)
        return false;
    relay->line = line;
    relay->capacity = capacity;
    return true;
}

static void flush_line(mst_relay *relay)
{
    emit(relay, relay->line, relay->bytes);
    relay->bytes = 0;
}

static void take(mst_relay *relay, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const char *newline = memchr(text, '\n', bytes);
        size_t part = newline ? (size_t)(newline - text) : bytes;

        if (!reserve(relay, part + 1))
            return;
        memcpy(relay->line + relay->bytes, text, part);
        relay->bytes += part;
        if (newline || relay->bytes >= LINE_BYTES_MAX)
            flush_line(relay);
        text += part + (newline != NULL);
        bytes -= part + (newline != NULL);
    }
}

bool mst_relay_pump(mst_relay *relay)
{
    static const char lost[] =
        "(muster: what else this rank prints here is lost: something in the program that "
        "launched it closes descriptors that it did not open)";
    char text[16384];

    for (;;) {
        int from = mst_os_held_fd(&relay->from); /* whoever takes the lines may close it, too */
        if (from < 0) {
            emit(relay, lost, sizeof lost - 1);
            return false;
        }
        ssize_t got = read(from, text, sizeof text);

        if (got > 0)
            take(relay, text, (size_t)got);
        else if (got < 0 && errno == EINTR)
            continue;
        else
            return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if ((size_t)got < sizeof text)
            return true;
    }
}

void mst_relay_close(mst_relay *relay)
{
    mst_os_held_close(&relay->from);
    if (relay->bytes > 0)
        flush_line(relay);
    free(relay->line);
    relay->line = NULL;
    relay->bytes = relay->capacity = 0;
}
