/* Makes the offer of arena_malloc.h. */
#define _GNU_SOURCE /* RTLD_DEFAULT, dladdr1 */
#include "src/onehost/arena_malloc.h"

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/pure/config.h"
#include "src/pure/malloc_offer.h"

#define UNIT (2ULL << 20) /* blocks that are large pages begin at such */
#define LEAST (64ULL << 20)

/* What outlives the attachment, as blocks are freed until the process ends. */
typedef struct lease {
    _Atomic uint32_t kept;
} lease;

static void refuse(const mst_group *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(const mst_group *world, const char *format, ...)
{
    char why[200];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    mst_log_line(world->base.log, MUSTER_LOG_WARN,
                 "MUSTER_ARENA_MALLOC: the program's memory stays private, as %s", why);
}

/* The preloaded library's function; a function's address does not convert to an object's in ISO C. */
static mst_malloc_serve_fn find_malloc(void)
{
    void *found = dlsym(RTLD_DEFAULT, MST_MALLOC_SERVE_NAME);
    mst_malloc_serve_fn serve = NULL;

    memcpy(&serve, &found, sizeof found);
    return serve;
}

/* Where the object begins that a function is of; NULL: the program's own stub, which leads to the first
 * library that has the function, and so tells nothing. */
static const void *object_of(const void *function)
{
    Dl_info info;

#ifdef RTLD_DL_SYMENT
    const ElfW(Sym) *symbol = NULL;

    if (!function || !dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT))
        return NULL;
    return symbol && symbol->st_shndx == SHN_UNDEF ? NULL : info.dli_fbase;
#else
    return function && dladdr(function, &info) ? info.dli_fbase : NULL;
#endif
}

/* Of malloc's family, what is not the preloaded library's: a program that has an allocator of its own, or
 * preloads one before ours, calls that, which knows nothing of our blocks. NULL: nothing. */
static const char *find_stranger(void)
{
    static const char *const family[] = {
        "malloc",   "free",          "calloc",         "realloc",
        "memalign", "aligned_alloc", "posix_memalign", "malloc_usable_size"
    };
    const void *ours = object_of(dlsym(RTLD_DEFAULT, MST_MALLOC_SERVE_NAME));

    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++) {
        const void *object = object_of(dlsym(RTLD_DEFAULT, family[i]));

        if (object && object != ours)
            return family[i];
    }
    return NULL;
}

static bool offer_to(mst_malloc_serve_fn serve, mst_attachment *attachment, const char *name, lease *lease)
{
    mst_arena *arena = attachment->arena;
    mst_reservation range;
    int fd = -1;

    /* The rest is for staging, channels, and what the program takes by muster_alloc. */
    if (!mst_heap_reserve(&attachment->heap, attachment->heap.bytes / 4 * 3, LEAST, UNIT, &range))
        return false;
    mst_config_descriptor(name, &fd); /* inherited: at each fork malloc asks whether it is the arena's yet */
    mst_malloc_offer offer = { .version = MST_MALLOC_OFFER_VERSION,
                               .begin = mst_layout_at(&attachment->geometry, attachment->seat, range.offset),
                               .bytes = range.bytes,
                               .fd = fd,
                               .device = arena->held.device,
                               .inode = arena->held.inode,
                               .offset = range.offset,
                               .kept = &lease->kept };
    if (!serve(&offer)) {
        mst_heap_unreserve(&attachment->heap, &range);
        return false;
    }
    attachment->kept = &lease->kept;
    mst_arena_keep(arena, offer.begin, offer.bytes);
    mst_log_line(&attachment->log, MUSTER_LOG_INFO,
                 "malloc serves blocks of 64 KiB and more from %llu MiB of the arena",
                 (unsigned long long)offer.bytes >> 20);
    return true;
}

void mst_arena_malloc_begin(mst_group *world, const char *name)
{
    mst_attachment *attachment = world->subarena->attachment;
    mst_malloc_serve_fn serve = find_malloc();
    const char *stranger;

    if (world->base.size == 1)
        return;
    if (!serve)
        refuse(world, "libmuster_malloc.so is not loaded; muster run --arena-malloc preloads it, except into "
                      "setuid and statically linked programs");
    else if ((stranger = find_stranger()) != NULL)
        refuse(world, "it has a %s of its own, or preloads one before libmuster_malloc.so", stranger);
    else if (attachment->arena->kind ==
             MST_ARENA_NAMED) /* malloc commits nothing, and an access when that is full is SIGBUS */
        refuse(world, "this arena has a name, and so the size of /dev/shm; start the ranks with muster run");
    else {
        lease *made = calloc(1, sizeof *made);

        if (!made || !offer_to(serve, attachment, name, made)) {
            free(made);
            refuse(world,
                   "another rank of this process has it, or this rank has less than 64 MiB of the arena");
        }
    }
}
