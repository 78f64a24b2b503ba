/* Notes and finds the blocks of mapped.h. */
#include "shm/group/mapped.h"

#include "shm/base/atomic.h"

void mst_subarena_map_blocks(mst_subarena *subarena, unsigned char *const *begin, const uint64_t *bytes)
{
    pthread_mutex_lock(&subarena->attachment->lock);
    subarena->mapped = begin;
    subarena->mapped_bytes = bytes;
    pthread_mutex_unlock(&subarena->attachment->lock);
}

void mst_subarena_seal(mst_subarena *subarena, bool sealed)
{
    mst_attachment *attachment = subarena->attachment;

    pthread_mutex_lock(&attachment->lock);
    if (sealed != subarena->sealed)
        mst_add32_sc(&attachment->sealed, sealed ? 1 : (uint32_t)-1);
    subarena->sealed = sealed;
    pthread_mutex_unlock(&attachment->lock);
}

/* The group in whose block of ours the address is; the lock is held. */
static const mst_subarena *find_mapped(const mst_attachment *attachment, const void *address, uint64_t *at)
{
    const mst_subarena *subarena = attachment->open;

    for (; subarena; subarena = subarena->next) {
        if (!subarena->mapped)
            continue;
        *at = (uint64_t)((uintptr_t)address - (uintptr_t)subarena->mapped[subarena->rank]);
        if (*at < subarena->mapped_bytes[subarena->rank])
            break;
    }
    return subarena;
}

void *mst_subarena_corresponding(mst_attachment *attachment, const void *mine, uint32_t seat, uint64_t *left)
{
    uint64_t at;
    void *theirs = NULL;

    pthread_mutex_lock(&attachment->lock);
    const mst_subarena *subarena = find_mapped(attachment, mine, &at);
    for (int rank = 0; subarena && rank < subarena->size; rank++) {
        if (subarena->members[rank].seat != seat)
            continue;
        *left = at < subarena->mapped_bytes[rank] ? subarena->mapped_bytes[rank] - at : 0;
        theirs = subarena->mapped[rank] + at;
    }
    pthread_mutex_unlock(&attachment->lock);
    return theirs;
}

bool mst_subarena_is_sealed(mst_attachment *attachment, const void *address)
{
    uint64_t at;

    if (mst_load32_acq(&attachment->sealed) == 0) /* written by this process alone */
        return false;
    pthread_mutex_lock(&attachment->lock);
    const mst_subarena *subarena = find_mapped(attachment, address, &at);
    bool sealed = subarena && subarena->sealed;
    pthread_mutex_unlock(&attachment->lock);
    return sealed;
}
