/* Buffers and writes output, as described in outlet.h. */
#define _GNU_SOURCE /* O_CLOEXEC with sockets' flags */
#include "src/launch/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/port/os.h"

#define FULL_BYTES 65536    /* kept before the outlet is full */
#define AT_ONCE_BYTES 65536 /* written per flush */
#define CAREFUL_BYTES 512   /* what a writable terminal or pipe takes without blocking */

static bool is_same(int a, int b)
{
    struct stat first, second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino && first.st_rdev == second.st_rdev;
}

static int open_again(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0 || is_same(own, fd))
        return own;
    close(own);
    return -1;
}

void mst_outlet_open(mst_outlet *outlet, int fd)
{
    struct stat status;

    *outlet = (mst_outlet){ .fd = fd, .own = { .fd = -1 }, .kind = MST_OUTLET_FILE };
    if (fstat(fd, &status) != 0)
        return;
    if (S_ISSOCK(status.st_mode))
        outlet->kind = MST_OUTLET_SOCKET;
    if (!S_ISFIFO(status.st_mode) && !isatty(fd))
        return;
    outlet->own = mst_os_hold(open_again(fd));
    outlet->kind = outlet->own.fd >= 0 ? MST_OUTLET_REOPENED : MST_OUTLET_CAREFUL;
}

void mst_outlet_close(mst_outlet *outlet)
{
    mst_os_held_close(&outlet->own);
    free(outlet->text);
    *outlet = (mst_outlet){ .fd = outlet->fd, .own = { .fd = -1 } };
}

bool mst_outlet_is_full(const mst_outlet *outlet)
{
    return outlet->end - outlet->begin >= FULL_BYTES;
}

bool mst_outlet_is_empty(const mst_outlet *outlet)
{
    return outlet->end == outlet->begin;
}

void mst_outlet_abandon(mst_outlet *outlet)
{
    outlet->abandoned = true;
    outlet->lost = outlet->lost || !mst_outlet_is_empty(outlet);
    outlet->begin = outlet->end = 0;
}

/* Makes space for `bytes` bytes after what is kept. */
static bool reserve(mst_outlet *outlet, size_t bytes)
{
    size_t kept = outlet->end - outlet->begin, capacity = outlet->capacity ? outlet->capacity : FULL_BYTES;

    if (outlet->begin > 0 && outlet->end + bytes > outlet->capacity) {
        memmove(outlet->text, outlet->text + outlet->begin, kept);
        outlet->begin = 0;
        outlet->end = kept;
    }
    while (capacity < outlet->end + bytes)
        capacity *= 2;
    if (capacity == outlet->capacity)
        return true;
    char *text = realloc(outlet->text, capacity);
    if (!text)
        return false;
    outlet->text = text;
    outlet->capacity = capacity;
    return true;
}

void mst_outlet_put(mst_outlet *outlet, const char *text, size_t bytes)
{
    if (bytes == 0)
        return;
    if (outlet->abandoned || !reserve(outlet, bytes)) {
        outlet->lost = true;
        return;
    }
    if (mst_outlet_is_empty(outlet))
        outlet->taken_ns = mst_os_now_ns(); /* the reader's patience is counted from now on */
    memcpy(outlet->text + outlet->end, text, bytes);
    outlet->end += bytes;
}

/* The program may have closed our own descriptor: then the given one is used, carefully. */
static int open_end(mst_outlet *outlet)
{
    if (outlet->kind == MST_OUTLET_REOPENED && mst_os_held_is_lost(&outlet->own))
        outlet->kind = MST_OUTLET_CAREFUL;
    return outlet->kind == MST_OUTLET_REOPENED ? outlet->own.fd : outlet->fd;
}

int mst_outlet_polled(const mst_outlet *outlet)
{
    return outlet->kind == MST_OUTLET_REOPENED ? outlet->own.fd : outlet->fd;
}

/* One write that does not block; -1 with EAGAIN: no space now. */
static ssize_t write_some(mst_outlet *outlet, const char *text, size_t bytes)
{
    int to = open_end(outlet);
    struct pollfd polled = { .fd = to, .events = POLLOUT };

    if (outlet->kind == MST_OUTLET_SOCKET)
        return send(to, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (outlet->kind == MST_OUTLET_CAREFUL) {
        if (poll(&polled, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        bytes = bytes < CAREFUL_BYTES ? bytes : CAREFUL_BYTES;
    }
    return write(to, text, bytes);
}

void mst_outlet_flush(mst_outlet *outlet)
{
    size_t left = AT_ONCE_BYTES;

    while (left > 0 && !mst_outlet_is_empty(outlet)) {
        size_t bytes = outlet->end - outlet->begin < left ? outlet->end - outlet->begin : left;
        ssize_t done = write_some(outlet, outlet->text + outlet->begin, bytes);

        if (done < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
            return; /* the next turn polls for space */
        if (done < 0) {
            outlet->error = errno;
            mst_outlet_abandon(outlet);
            return;
        }
        outlet->begin += (size_t)done;
        outlet->taken_ns = mst_os_now_ns();
        left -= (size_t)done < left ? (size_t)done : left;
    }
}
