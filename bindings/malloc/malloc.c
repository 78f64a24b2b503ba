/*
 * malloc and its family, for a library that is loaded before libc (LD_PRELOAD): what muster run
 * --arena-malloc preloads, so that the arrays of a program that knows nothing of arenas lie in the arena.
 *
 * Everything goes to the next allocator, libc's or one that the program brings, until muster offers memory
 * (muster_malloc_serve), which it does when the rank has attached. From then on blocks of 64 KiB and more
 * come from that memory, as long as there is some. A program that never attaches notices nothing.
 *
 * Nothing here is undone at the end of the process: blocks are freed as late as in the last destructor.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/malloc/blocks.h"

#define EXPORTED __attribute__((visibility("default")))

/* ---- the next allocator ---- */

static struct {
    void *(*malloc)(size_t bytes);
    void (*free)(void *at);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *at, size_t bytes);
    void *(*memalign)(size_t alignment, size_t bytes);
    int (*posix_memalign)(void **at, size_t alignment, size_t bytes);
    void *(*aligned_alloc)(size_t alignment, size_t bytes);
    size_t (*malloc_usable_size)(void *at);
} next;

/* What dlsym itself allocates while it looks for the above: never freed. */
static unsigned char early[8192] __attribute__((aligned(16)));
static size_t early_bytes;
static bool is_looking;

static bool is_early(const void *at)
{
    return (uintptr_t)at - (uintptr_t)early < sizeof early;
}

static void *take_early(size_t bytes)
{
    size_t room = (bytes + 15) / 16 * 16;

    if (room < bytes || room > sizeof early - early_bytes) {
        errno = ENOMEM;
        return NULL;
    }
    early_bytes += room;
    return early + early_bytes - room;
}

/* Begins before the process has a second thread: the loader and libc allocate. */
static bool is_ready(void)
{
    static const char *const names[] = {
        "malloc",   "free",           "calloc",        "realloc",
        "memalign", "posix_memalign", "aligned_alloc", "malloc_usable_size"
    };
    void **places[] = { (void **)&next.malloc,        (void **)&next.free,
                        (void **)&next.calloc,        (void **)&next.realloc,
                        (void **)&next.memalign,      (void **)&next.posix_memalign,
                        (void **)&next.aligned_alloc, (void **)&next.malloc_usable_size };

    if (__builtin_expect(next.malloc_usable_size != NULL, 1))
        return true;
    if (is_looking)
        return false;
    is_looking = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        *places[i] = dlsym(RTLD_NEXT, names[i]);
    is_looking = false;
    return next.malloc_usable_size != NULL;
}

/* Our own handlers are the first to be registered (glibc 2.34 or later; before, libpthread has that place):
 * before a fork they run last, and in the child first, so that those of the program find its blocks. */
static void __attribute__((constructor)) begin(void)
{
    is_ready();
    pthread_atfork(mst_blocks_before_fork, mst_blocks_in_parent, mst_blocks_in_child);
}

EXPORTED bool muster_malloc_serve(const mst_malloc_offer *offer);
EXPORTED bool muster_malloc_serve(const mst_malloc_offer *offer)
{
    return mst_blocks_begin(offer);
}

/* ---- the family ---- */

EXPORTED void *malloc(size_t bytes)
{
    void *at = mst_blocks_serve(bytes) ? mst_blocks_take(bytes, false) : NULL;

    if (at)
        return at;
    return is_ready() ? next.malloc(bytes) : take_early(bytes);
}

EXPORTED void free(void *at)
{
    if (mst_blocks_have(at))
        mst_blocks_give(at);
    else if (!is_early(at) && is_ready())
        next.free(at);
}

EXPORTED void *calloc(size_t count, size_t bytes)
{
    size_t all;
    void *at = NULL;

    if (!__builtin_mul_overflow(count, bytes, &all) && mst_blocks_serve(all))
        at = mst_blocks_take(all, true);
    if (at)
        return at;
    return is_ready() ? next.calloc(count, bytes) : take_early(count * bytes); /* which nobody has used */
}

/* To another block, of either kind. */
static void *move(void *at, size_t usable, size_t bytes)
{
    void *to = malloc(bytes);

    if (!to)
        return NULL;
    memcpy(to, at, usable < bytes ? usable : bytes);
    free(at);
    return to;
}

EXPORTED void *realloc(void *at, size_t bytes)
{
    if (!at)
        return malloc(bytes);
    if (is_early(at))
        return move(at, (size_t)(early + early_bytes - (unsigned char *)at), bytes);
    if (!mst_blocks_have(at))
        return is_ready() ? next.realloc(at, bytes) : NULL; /* libc moves its large blocks without copying */
    if (bytes == 0) {
        free(at);
        return NULL;
    }
    return mst_blocks_resize(at, bytes) ? at : move(at, mst_blocks_usable(at), bytes);
}

EXPORTED void *reallocarray(void *at, size_t count, size_t bytes)
{
    size_t all;

    if (!__builtin_mul_overflow(count, bytes, &all))
        return realloc(at, all);
    errno = ENOMEM;
    return NULL;
}

static void *take_aligned(size_t alignment, size_t bytes)
{
    bool suits = alignment <= MST_MALLOC_UNIT && (alignment & (alignment - 1)) == 0;

    return suits && mst_blocks_serve(bytes) ? mst_blocks_take(bytes, false) : NULL;
}

EXPORTED void *memalign(size_t alignment, size_t bytes)
{
    void *at = take_aligned(alignment, bytes);

    if (at)
        return at;
    return is_ready() ? next.memalign(alignment, bytes) : NULL;
}

EXPORTED void *aligned_alloc(size_t alignment, size_t bytes)
{
    void *at = alignment ? take_aligned(alignment, bytes) : NULL;

    if (at)
        return at;
    return is_ready() ? next.aligned_alloc(alignment, bytes) : NULL;
}

EXPORTED int posix_memalign(void **place, size_t alignment, size_t bytes)
{
    void *at = alignment >= sizeof(void *) ? take_aligned(alignment, bytes) : NULL;

    if (!at)
        return is_ready() ? next.posix_memalign(place, alignment, bytes) : ENOMEM;
    *place = at;
    return 0;
}

EXPORTED size_t malloc_usable_size(void *at)
{
    if (mst_blocks_have(at))
        return mst_blocks_usable(at);
    return at && !is_early(at) && is_ready() ? next.malloc_usable_size(at) : 0;
}

/* Of C23: a libc that has them would take the block for one of its own. */
EXPORTED void free_sized(void *at, size_t bytes);
EXPORTED void free_sized(void *at, size_t bytes)
{
    (void)bytes;
    free(at);
}

EXPORTED void free_aligned_sized(void *at, size_t alignment, size_t bytes);
EXPORTED void free_aligned_sized(void *at, size_t alignment, size_t bytes)
{
    (void)alignment, (void)bytes;
    free(at);
}
