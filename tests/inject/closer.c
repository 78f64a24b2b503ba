/*
 * Preloaded into a rank: closes all descriptors from 3 on, as a program does that does not know them, and
 * opens files that take the numbers, again and again. At the end says whether these are as they were:
 * "closer: all alone", or what was done to them.
 *
 * The moments are the first start of a thread after a byte was marked to be wiped by forks, when the rank has
 * mapped the arena and begins to watch, and, after that, each commit of memory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST = 3, LAST = 130, BYTES = 4096 };

static struct stat before[LAST + 1];
static char own[BYTES];
static int marked, done, file = -1;

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int make_file(void)
{
    char name[] = "/tmp/muster-test-XXXXXX";
    int made = mkstemp(name);

    unlink(name);
    memset(own, 'U', sizeof own);
    return made >= 0 && write(made, own, sizeof own) == sizeof own ? made : -1;
}

/* One file, under many numbers: what is done to one is seen. */
static void close_and_open(void)
{
    if (file < 0)
        file = make_file();
    for (int fd = FIRST; fd < 1024 && file >= 0; fd++) {
        if (fd == file)
            continue;
        close(fd);
        if (fd <= LAST)
            dup2(file, fd);
    }
    for (int fd = FIRST; fd <= LAST; fd++)
        fstat(fd, &before[fd]);
    done = file >= 0;
}

int madvise(void *at, size_t bytes, int advice)
{
    marked |= advice == MADV_WIPEONFORK;
    if (done && advice == MADV_POPULATE_WRITE)
        close_and_open();
    return REAL(madvise)(at, bytes, advice);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    if (marked && !done)
        close_and_open();
    return REAL(pthread_create)(thread, attr, run, arg);
}

static const char *look(void)
{
    char bytes[BYTES + 1];
    struct stat now;

    for (int fd = FIRST; fd <= LAST; fd++) {
        if (fstat(fd, &now) < 0)
            return "a descriptor was closed";
        if (now.st_ino != before[fd].st_ino || now.st_dev != before[fd].st_dev)
            return "a descriptor is of something else";
        if (now.st_size != before[fd].st_size || now.st_blocks != before[fd].st_blocks)
            return "the file has another size";
        if (pread(fd, bytes, sizeof bytes, 0) != BYTES || memcmp(bytes, own, BYTES) != 0)
            return "the file was written to";
    }
    return "all alone";
}

static void __attribute__((destructor)) tell(void)
{
    if (done)
        fprintf(stderr, "closer: %s\n", look());
}
