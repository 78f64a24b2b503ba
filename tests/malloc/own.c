/* A program's own allocator, which serves some of malloc's family and knows nothing of the rest: for the
 * client that has it, nothing may come from the arena. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEAD = 64 };

void *malloc(size_t bytes)
{
    size_t *at = mmap(NULL, bytes + HEAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    *at = bytes;
    return (char *)at + HEAD;
}

void free(void *at)
{
    size_t *head = at ? (size_t *)(void *)((char *)at - HEAD) : NULL;

    if (head)
        munmap(head, *head + HEAD);
}

void *calloc(size_t count, size_t bytes)
{
    size_t all;

    return __builtin_mul_overflow(count, bytes, &all) ? NULL : malloc(all);
}

void *realloc(void *at, size_t bytes)
{
    void *to = malloc(bytes);

    if (to && at) {
        size_t had = *(size_t *)(void *)((char *)at - HEAD);

        memcpy(to, at, had < bytes ? had : bytes);
        free(at);
    }
    return to;
}
