/* The feeding process of feed.h. */
#define _GNU_SOURCE /* pipe2, memfd_create */
#include "tools/muster/run/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "tools/muster/helper.h"

#define DROP_BYTES (1 << 20)

typedef struct feeder {
    run_feed *feed;
    int kept;    /* a file with all that has come */
    off_t bytes; /* of it */
    off_t given[RUN_RANKS_MAX];
    off_t dropped; /* of the file's beginning, since every rank has it */
    bool ended;    /* nothing more will come */
} feeder;

/* A write end is closed when the rank has everything, or reads no more. */
static void give(feeder *feeder, int rank)
{
    int *to = &feeder->feed->pipes[rank][1];

    while (feeder->given[rank] < feeder->bytes) {
        ssize_t done =
            sendfile(*to, feeder->kept, &feeder->given[rank], (size_t)(feeder->bytes - feeder->given[rank]));

        if (done < 0 && errno == EAGAIN)
            return;
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            feeder->given[rank] = feeder->bytes;
            close(*to);
            *to = -1;
            return;
        }
    }
    if (feeder->ended) {
        close(*to);
        *to = -1;
    }
}

/* What every rank has taken need not be kept. */
static void drop(feeder *feeder)
{
    off_t taken = feeder->bytes;

    for (int rank = 0; rank < feeder->feed->size; rank++)
        if (feeder->given[rank] < taken)
            taken = feeder->given[rank];
    if (taken - feeder->dropped < DROP_BYTES)
        return;
    fallocate(feeder->kept, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, feeder->dropped,
              taken - feeder->dropped);
    feeder->dropped = taken;
}

/* Half of the input would be taken for all of it: the launcher stops the job when it sees that we have
 * failed. */
static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "muster run: --stdin all: standard input cannot be %s: %s; the job is stopped\n", what,
            strerror(errno));
    _exit(1);
}

static void keep(feeder *feeder)
{
    char text[65536];
    ssize_t got = read(STDIN_FILENO, text, sizeof text);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got < 0 && errno != EIO) /* which is the end of a terminal */
        fail("read");
    for (ssize_t kept = 0, more; kept < got; kept += more) {
        more = pwrite(feeder->kept, text + kept, (size_t)(got - kept), feeder->bytes + kept);
        if (more < 0)
            fail("kept until all ranks have read it");
    }
    feeder->bytes += got > 0 ? got : 0;
    feeder->ended = got <= 0;
}

/* Who is waited for: the input, and ranks that have not taken all there is. */
static nfds_t list_polled(const feeder *feeder, struct pollfd *polled)
{
    nfds_t count = 0;

    if (!feeder->ended)
        polled[count++] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    for (int rank = 0; rank < feeder->feed->size; rank++)
        if (feeder->feed->pipes[rank][1] >= 0)
            polled[count++] = (struct pollfd){ .fd = feeder->feed->pipes[rank][1],
                                               .events = feeder->given[rank] < feeder->bytes ? POLLOUT : 0 };
    return count;
}

static _Noreturn void run(run_feed *feed, int kept)
{
    static feeder feeder;
    static struct pollfd polled[RUN_RANKS_MAX + 1];

    feeder.feed = feed;
    feeder.kept = kept;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error in words */
    for (int rank = 0; rank < feed->size; rank++)
        close(feed->pipes[rank][0]);
    for (;;) {
        for (int rank = 0; rank < feed->size; rank++)
            if (feed->pipes[rank][1] >= 0)
                give(&feeder, rank);
        nfds_t count = list_polled(&feeder, polled);
        if (count == 0 || poll(polled, count, -1) < 0)
            _exit(0);
        if (!feeder.ended && polled[0].revents)
            keep(&feeder);
        drop(&feeder);
    }
}

bool feed_start(run_feed *feed, int size)
{
    pid_t parent = getpid();

    feed->size = size;
    for (int rank = 0; rank < size; rank++) {
        if (pipe2(feed->pipes[rank], O_CLOEXEC) < 0) {
            fprintf(stderr, "muster run: --stdin all: no pipe for rank %d: %s; raise ulimit -n\n", rank,
                    strerror(errno));
            return false;
        }
        fcntl(feed->pipes[rank][1], F_SETFL, O_NONBLOCK);
    }
    int kept = memfd_create("muster-stdin", MFD_CLOEXEC);
    feed->pid = kept < 0 ? -1 : helper_fork();
    if (feed->pid < 0) {
        fprintf(stderr, "muster run: --stdin all: %s\n", strerror(errno));
        return false;
    }
    if (feed->pid == 0) {
        helper_end_with(parent);
        run(feed, kept);
    }
    close(kept);
    for (int rank = 0; rank < size; rank++)
        close(feed->pipes[rank][1]);
    return true;
}

void feed_take(const run_feed *feed, int rank)
{
    dup2(feed->pipes[rank][0], STDIN_FILENO);
}
