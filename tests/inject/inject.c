/*
 * Preloaded into a program: makes the K-th call of one function of libc fail, as the system may refuse it
 * at any time. INJECT=NAME:K:ERRNO; the file INJECT_LOG is made when that call has come. Counted from
 * the program's start over all threads of a process; children count on from their parent's number.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls;

/* Whether this call is the one. */
static int refused(const char *name)
{
    const char *wanted = getenv("INJECT"), *log = getenv("INJECT_LOG");
    size_t length = strlen(name);
    int number, error;

    if (!wanted || strncmp(wanted, name, length) != 0 || wanted[length] != ':' ||
        sscanf(wanted + length + 1, "%d:%d", &number, &error) != 2 ||
        atomic_fetch_add(&calls, 1) + 1 != number)
        return 0;
    if (log)
        close(open(log, O_CREAT | O_WRONLY, 0600));
    return error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    int error = fd >= 0 ? refused("mmap") : 0; /* those of malloc and of threads are libc's */

    if (error) {
        errno = error;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

int ftruncate(int fd, off_t bytes)
{
    int error = refused("ftruncate");

    if (error) {
        errno = error;
        return -1;
    }
    return REAL(ftruncate)(fd, bytes);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    int error = refused("pwrite");

    if (error) {
        errno = error;
        return -1;
    }
    return REAL(pwrite)(fd, bytes, count, offset);
}

int memfd_create(const char *name, unsigned flags)
{
    int error = refused("memfd_create");

    if (error) {
        errno = error;
        return -1;
    }
    return REAL(memfd_create)(name, flags);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    int error = refused("pthread_create");

    return error ? error : REAL(pthread_create)(thread, attr, run, arg);
}

int madvise(void *at, size_t bytes, int advice)
{
    int error = refused("madvise");

    if (error) {
        errno = error;
        return -1;
    }
    return REAL(madvise)(at, bytes, advice);
}

static const char *name_of(long number)
{
    switch (number) {
    case SYS_futex:
        return "futex";
    case SYS_pidfd_open:
        return "pidfd_open";
    case SYS_set_robust_list:
        return "set_robust_list";
    case 449:
        return "futex_waitv";
    default:
        return NULL;
    }
}

long syscall(long number, ...)
{
    long (*real)(long, ...) = REAL(syscall);
    const char *name = name_of(number);
    int error = name ? refused(name) : 0;
    long a[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (error) {
        errno = error;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
