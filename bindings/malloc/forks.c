/* Makes the copy of forks.h. */
#define _GNU_SOURCE /* mremap, SEEK_DATA */
#include "bindings/malloc/forks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The arena's descriptor; -1: the program has closed it. */
static int descriptor(const mst_malloc_offer *offer)
{
    struct stat st;

    return offer->fd >= 0 && fstat(offer->fd, &st) == 0 && st.st_dev == offer->device &&
                   st.st_ino == offer->inode
               ? offer->fd
               : -1;
}

/* Copies what has memory: reading elsewhere would allocate it. Without a descriptor, everything. */
static void copy_part(const mst_fork_copy *copy, const mst_malloc_offer *offer, int fd, uint64_t at,
                      uint64_t end)
{
    while (at < end) {
        uint64_t from = at, to = end;

        if (fd >= 0) {
            off_t data = lseek(fd, (off_t)(offer->offset + at), SEEK_DATA);
            if (data < 0 && errno == ENXIO)
                return;
            off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
            from = data < 0 ? at : (uint64_t)data - offer->offset;
            to = hole < 0 || (uint64_t)hole - offer->offset > end ? end : (uint64_t)hole - offer->offset;
        }
        if (from < end)
            memcpy(copy->at + from, offer->begin + from, to - from);
        at = from < end ? to : end;
    }
}

/* NULL: there is none. Where a program locks all that it maps in memory (mlockall), the holes would have some
 * at once, too: but not while nothing may be accessed. */
static void *map(uint64_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    munlock(at, bytes);
    if (mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0)
        return at;
    munmap(at, bytes);
    return NULL;
}

void mst_fork_copy_make(mst_fork_copy *copy, const mst_malloc_offer *offer, const mst_block_table *table)
{
    int error = errno, fd = descriptor(offer);
    uint64_t bytes = table->end * MST_MALLOC_UNIT;

    copy->at = NULL;
    if (table->pages_in_use == 0)
        return;
    void *at = map(bytes);
    if (at) {
        *copy = (mst_fork_copy){ at, bytes };
        for (uint64_t unit = 0; unit < table->end; unit += mst_class_units(table->blocks[unit].class))
            if (table->blocks[unit].pages)
                copy_part(copy, offer, fd, unit * MST_MALLOC_UNIT,
                          unit * MST_MALLOC_UNIT + table->blocks[unit].pages * MST_BLOCK_PAGE);
    }
    errno = error;
}

void mst_fork_copy_drop(mst_fork_copy *copy)
{
    int error = errno;

    if (copy->at)
        munmap(copy->at, copy->bytes);
    copy->at = NULL;
    errno = error;
}

/* In the child nothing is mapped there. */
void mst_fork_copy_put(mst_fork_copy *copy, const mst_malloc_offer *offer)
{
    if (copy->at)
        mremap(copy->at, copy->bytes, copy->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, offer->begin);
    copy->at = NULL;
}
