/* Opening and looking of belongings.h. */
#define _GNU_SOURCE
#include "tests/harness/belongings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { FIRST = 3, COUNT = BELONGINGS, FILE_BYTES = 8192 };

/* As the numbers come: the lowest that is free is the next. */
static int open_one(uint64_t kind)
{
    static char filling[FILE_BYTES];
    int pair[2], fd;

    switch (kind % 6) {
    case 0: /* readable, as is a watch that has fired */
        return eventfd(1, 0);
    case 1:
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || write(pair[1], "news", 4) != 4)
            return -1;
        return pair[0];
    case 2:
        if (pipe(pair) < 0 || write(pair[1], "news", 4) != 4)
            return -1;
        return pair[0];
    case 3: /* its own watch, of a process that lives */
        fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
        return fd < 0 ? eventfd(1, 0) : fd;
    default: { /* on disk, as an arena is not; or in memory, as it is */
        char name[] = "/tmp/muster-test-XXXXXX";

        fd = kind % 6 == 4 ? mkstemp(name) : memfd_create("muster", 0);
        if (kind % 6 == 4)
            unlink(name);
        memset(filling, 'U', sizeof filling);
        return write(fd, filling, sizeof filling) == sizeof filling ? fd : -1;
    }
    }
}

static bool note(belongings *all, int number)
{
    int fd = FIRST + number, queued;

    if (fstat(fd, &all->own[number].before) < 0)
        return false;
    all->own[number].flags = fcntl(fd, F_GETFL);
    all->own[number].queued =
        !S_ISREG(all->own[number].before.st_mode) && ioctl(fd, FIONREAD, &queued) == 0 ? queued : -1;
    return true;
}

bool belongings_take(belongings *all, uint64_t seed)
{
    for (int fd = FIRST; fd < 1024; fd++)
        close(fd);
    for (int fd = 0; fd < FIRST + COUNT;) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        fd = open_one(seed >> 33);
        if (fd < 0)
            return false;
    }
    for (int number = 0; number < COUNT; number++)
        if (!note(all, number))
            return false;
    return true;
}

const char *belongings_changed(const belongings *all)
{
    static char bytes[FILE_BYTES + 1];
    struct stat now;
    int queued;

    for (int number = 0; number < COUNT; number++) {
        const struct stat *before = &all->own[number].before;
        int fd = FIRST + number;

        if (fstat(fd, &now) < 0)
            return "a descriptor was closed";
        if (now.st_dev != before->st_dev || now.st_ino != before->st_ino || now.st_mode != before->st_mode)
            return "a descriptor is of something else";
        if (fcntl(fd, F_GETFL) != all->own[number].flags)
            return "a descriptor has other flags";
        if (now.st_size != before->st_size || now.st_blocks != before->st_blocks)
            return "a file has another size";
        if (all->own[number].queued >= 0 &&
            (ioctl(fd, FIONREAD, &queued) < 0 || queued != all->own[number].queued))
            return "somebody has read what was the program's";
        if (!S_ISREG(now.st_mode))
            continue;
        if (pread(fd, bytes, sizeof bytes, 0) != FILE_BYTES)
            return "a file cannot be read";
        for (int i = 0; i < FILE_BYTES; i++)
            if (bytes[i] != 'U')
                return "a file's bytes are damaged";
    }
    return NULL;
}
