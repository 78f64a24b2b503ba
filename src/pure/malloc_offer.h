/*
 * What the library tells the one that muster run --arena-malloc preloads (bindings/malloc), when the rank has
 * attached: from which part of its own arena memory malloc may serve. The two libraries find each other by
 * the name of a function, since any of several copies of muster may be the one that attaches: the shared
 * library, those inside the Python module and the library for MLX.
 */
#ifndef MST_MALLOC_OFFER_H
#define MST_MALLOC_OFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MST_MALLOC_OFFER_VERSION 1
#define MST_MALLOC_UNIT 65536ULL /* the address and the length of the range are multiples */

typedef struct mst_malloc_offer {
    uint32_t version;     /* MST_MALLOC_OFFER_VERSION */
    unsigned char *begin; /* of zeros, which the process maps until its end, and its forks do not have */
    uint64_t bytes;
    int fd;                 /* of the arena, to learn which pages have data; the program may close it */
    uint64_t device, inode; /* of the arena: whether `fd` is still its descriptor */
    uint64_t offset;        /* of `begin` in the arena */
    /* Not 0: peers may still write to blocks that this rank has freed. Valid until the process ends. */
    const _Atomic uint32_t *kept;
} mst_malloc_offer;

/* True: malloc serves from the range from now on, until the process ends. */
typedef bool (*mst_malloc_serve_fn)(const mst_malloc_offer *offer);

#define MST_MALLOC_SERVE muster_malloc_serve
#define MST_MALLOC_SERVE_NAME "muster_malloc_serve"

#endif
