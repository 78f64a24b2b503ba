/* Reads output and divides it into lines, as described in relay.h. */
#include "src/launch/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/port/os.h"

#define LINE_BYTES_MAX (1024 * 1024) /* a longer line is shown in parts */
#define READ_BYTES 16384             /* per turn, so that no rank delays the others */
#define PART_NS (50 * MST_NS_PER_MS) /* how long a part of a line waits for the rest */
#define STDIO_BYTES 4096             /* the buffer size of C programs that write to anything but a terminal */
#define LAST_BYTES ((size_t)1024 * 1024) /* maximum that is read from an ended rank's pipe */

void mst_relay_init(mst_relay *relay, mst_output *output, int from, int fd, int rank)
{
    *relay = (mst_relay){ .output = output,
                          .from = mst_os_hold(from),
                          .shown = { .rank = rank, .fd = fd },
                          .left = LAST_BYTES,
                          .polled_at = -1 };
    if (from < 0)
        return;
    fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
    relay->terminal = isatty(from);
}

bool mst_relay_is_ready(const mst_relay *relay)
{
    const mst_outlet *outlet = relay->from.fd >= 0 ? mst_output_outlet(relay->output, relay->shown.fd) : NULL;

    return relay->from.fd >= 0 && !(outlet && mst_outlet_is_full(outlet));
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

static void pass_on(mst_relay *relay, bool ends)
{
    mst_output_show(relay->output, &relay->shown, relay->line ? relay->line : "", relay->bytes, ends);
    relay->bytes = 0;
    if (ends)
        relay->shown.too_long = false;
}

static void take(mst_relay *relay, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const char *newline = memchr(text, '\n', bytes);
        size_t part = newline ? (size_t)(newline - text) : bytes;

        if (relay->bytes == 0)
            relay->since_ns = mst_os_now_ns();
        if (reserve(relay, part + 1)) {
            memcpy(relay->line + relay->bytes, text, part);
            relay->bytes += part;
        } else { /* no memory to keep it: it is shown as it arrives */
            pass_on(relay, false);
            mst_output_show(relay->output, &relay->shown, text, part, false);
        }
        if (newline) {
            pass_on(relay, true);
        } else if (relay->bytes >= LINE_BYTES_MAX) {
            relay->shown.too_long = true;
            pass_on(relay, false);
        }
        text += part + (newline != NULL);
        bytes -= part + (newline != NULL);
    }
}

bool mst_relay_pump(mst_relay *relay)
{
    static const char lost[] =
        "(muster: what else this rank prints here is lost: something in the program that "
        "launched it closes descriptors that it did not open)";
    char text[READ_BYTES];
    int from = mst_os_held_fd(&relay->from); /* the program that takes the lines may also close it */

    if (from < 0) {
        take(relay, lost, sizeof lost - 1);
        return false;
    }
    ssize_t got = read(from, text, sizeof text);

    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; /* EIO: a terminal without users */
    if (got == 0 || (relay->output->draining && (size_t)got > relay->left))
        return false;
    if (relay->output->draining)
        relay->left -= (size_t)got;
    relay->chunk = (size_t)got + (relay->drained ? 0 : relay->chunk);
    relay->drained = (size_t)got < sizeof text;
    take(relay, text, (size_t)got);
    return true;
}

/*
 * A program that prints into a pipe without flushing writes whole buffers, which end anywhere: the rest of
 * the line comes with the next buffer. Only output that ends elsewhere was meant to be visible at once.
 */
static bool ends_with_buffer(const mst_relay *relay)
{
    return !relay->terminal && relay->chunk % STDIO_BYTES == 0;
}

static bool has_more(const mst_relay *relay)
{
    struct pollfd polled = { .fd = relay->from.fd, .events = POLLIN };

    return poll(&polled, 1, 0) != 0;
}

/* While printed bytes are still unread, the line has not been waiting for its rest: a full outlet or the
 * length of the turn kept us from reading them. Both end with an event. */
int64_t mst_relay_show_part(mst_relay *relay, int64_t now_ns)
{
    if (relay->bytes == 0 || relay->output->config->output || ends_with_buffer(relay))
        return 0;
    if (!mst_relay_is_ready(relay)) {
        relay->since_ns = now_ns;
        return 0;
    }
    if (now_ns < relay->since_ns + PART_NS)
        return relay->since_ns + PART_NS;
    if (has_more(relay))
        return 0;
    pass_on(relay, false);
    return 0;
}

void mst_relay_close(mst_relay *relay)
{
    mst_os_held_close(&relay->from);
    if (relay->bytes > 0 || relay->shown.begun)
        pass_on(relay, true);
    free(relay->line);
    relay->line = NULL;
    relay->bytes = relay->capacity = 0;
}
