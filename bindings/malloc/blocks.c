/* Takes and frees blocks, as described in blocks.h. */
#define _GNU_SOURCE /* MADV_REMOVE, MAP_ANONYMOUS */
#include "bindings/malloc/blocks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "bindings/malloc/forks.h"
#include "bindings/malloc/table.h"

#define CACHED_PAGES_MIN                                                                                     \
    (64ULL << 20 >> 12)  /* freed pages that stay, beside a quarter of those in use                          \
                          */
#define CUT_PAGES 256    /* by which a block must have shrunk to give them back */
#define LARGER_CLASSES 4 /* that are looked at when the own class has no block */
#define HUGE_UNITS (2 * 1024 * 1024 / MST_MALLOC_UNIT)

mst_blocks_range mst_blocks_range_served;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects the following */
static mst_block_table table;
static mst_malloc_offer offer;
static uint64_t most;  /* bytes of a block that the machine could hold: of others the system decides */
static bool inherited; /* this is a forked child, whose blocks are private copies */
static mst_fork_copy copy;

/* ---- beginning ---- */

static uint64_t bytes_of_machine(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? ((uint64_t)info.totalram + info.totalswap) * info.mem_unit : UINT64_MAX;
}

bool mst_blocks_begin(const mst_malloc_offer *given)
{
    pthread_mutex_lock(&lock);
    bool begins = !table.blocks && given->version == MST_MALLOC_OFFER_VERSION &&
                  mst_block_table_init(&table, given->bytes / MST_MALLOC_UNIT);
    if (begins) {
        uint64_t machine = bytes_of_machine();

        offer = *given;
        most = machine < given->bytes ? machine : given->bytes;
        mst_blocks_range_served.begin = given->begin;
        atomic_store_explicit(&mst_blocks_range_served.bytes, given->bytes, memory_order_release);
        atomic_store_explicit(&mst_blocks_range_served.serving, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return begins;
}

static unsigned char *address_of(uint32_t unit)
{
    return offer.begin + unit * MST_MALLOC_UNIT;
}

/* ---- taking ---- */

static uint64_t cached_pages_max(void)
{
    return CACHED_PAGES_MIN + table.pages_in_use / 4;
}

/* What peers could still write to when it was freed; the lock is held. */
static void release_kept(void)
{
    uint32_t unit;

    if (table.kept == MST_NO_BLOCK || atomic_load_explicit(offer.kept, memory_order_acquire) != 0)
        return;
    while ((unit = mst_block_pop_kept(&table)) != MST_NO_BLOCK)
        mst_block_push_used(&table, unit);
}

static uint32_t find(unsigned class, bool *used)
{
    uint32_t unit = mst_block_pop_used(&table, class);

    *used = unit != MST_NO_BLOCK;
    return *used ? unit : mst_block_pop(&table, &table.fresh[class]);
}

/* The lock is held. */
static uint32_t claim(unsigned class, bool *used)
{
    uint32_t unit = find(class, used);

    if (unit == MST_NO_BLOCK)
        unit = mst_block_extend(&table, class, mst_class_units(class) >= HUGE_UNITS ? HUGE_UNITS : 1);
    for (unsigned larger = 1; unit == MST_NO_BLOCK && larger <= LARGER_CLASSES; larger++)
        unit = find(class + larger, used);
    return unit;
}

void *mst_blocks_take(size_t bytes, bool zeros)
{
    bool used = false;
    uint32_t unit = MST_NO_BLOCK;

    if (bytes > most)
        return NULL;
    pthread_mutex_lock(&lock);
    if (!inherited) {
        release_kept();
        /* A program may never free its broken group: what it frees meanwhile is libc's before long. */
        if (table.pages_kept <= cached_pages_max())
            unit = claim(mst_class_of(bytes), &used);
    }
    if (unit != MST_NO_BLOCK)
        mst_block_use(&table, unit, bytes);
    pthread_mutex_unlock(&lock);
    if (unit == MST_NO_BLOCK)
        return NULL;
    if (zeros && used)
        memset(address_of(unit), 0, bytes);
    return address_of(unit);
}

/* ---- freeing ---- */

/* As libc does when it is given what it has not served. */
static void refuse(void)
{
    static const char line[] = "free(): invalid pointer\n";

    pthread_mutex_unlock(&lock); /* a handler of SIGABRT may allocate */
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    abort();
}

/* The lock is held. */
static uint32_t unit_in_use(const void *at)
{
    uint64_t distance = (uint64_t)((uintptr_t)at - (uintptr_t)offer.begin);

    if (distance % MST_MALLOC_UNIT || !mst_block_is_used(&table, distance / MST_MALLOC_UNIT))
        refuse();
    return (uint32_t)(distance / MST_MALLOC_UNIT);
}

/* Gives pages back to the system while more are kept than the limit allows; the lock is held, but not
 * meanwhile: the block is on no list. */
static void trim(void)
{
    uint32_t unit;

    while (table.pages_cached > cached_pages_max() &&
           (unit = mst_block_pop_largest_used(&table)) != MST_NO_BLOCK) {
        uint64_t bytes = mst_class_units(table.blocks[unit].class) * MST_MALLOC_UNIT;

        pthread_mutex_unlock(&lock);
        bool removed = madvise(address_of(unit), bytes, MADV_REMOVE) == 0;
        if (!removed) /* locked in memory: its pages stay */
            memset(address_of(unit), 0, table.blocks[unit].touched * MST_BLOCK_PAGE);
        pthread_mutex_lock(&lock);
        mst_block_push_fresh(&table, unit);
    }
}

/* Until peers can write no more. What exceeds the limit keeps no memory: a peer that writes there yet finds
 * new pages. `touched` stays, since it may. The lock is held, but not meanwhile, as above. */
static void keep(uint32_t unit)
{
    const mst_block *block = &table.blocks[unit];

    if (table.pages_kept + block->touched > cached_pages_max()) {
        pthread_mutex_unlock(&lock);
        madvise(address_of(unit), mst_class_units(block->class) * MST_MALLOC_UNIT, MADV_REMOVE);
        pthread_mutex_lock(&lock);
    }
    mst_block_push_kept(&table, unit);
}

void mst_blocks_give(void *at)
{
    int error = errno;

    pthread_mutex_lock(&lock);
    uint32_t unit = unit_in_use(at);
    mst_block_end_use(&table, unit);
    if (inherited) {
        madvise(at, mst_class_units(table.blocks[unit].class) * MST_MALLOC_UNIT, MADV_DONTNEED);
    } else if (atomic_load_explicit(offer.kept, memory_order_acquire) != 0) {
        keep(unit);
    } else {
        release_kept();
        mst_block_push_used(&table, unit);
        trim();
    }
    pthread_mutex_unlock(&lock);
    errno = error;
}

size_t mst_blocks_usable(const void *at)
{
    pthread_mutex_lock(&lock);
    size_t bytes = table.blocks[unit_in_use(at)].pages * (size_t)MST_BLOCK_PAGE;
    pthread_mutex_unlock(&lock);
    return bytes;
}

/* What a block that has become much smaller has had is the system's again, at once: who shrinks an array
 * wants that. The lock is held. What peers may write to yet stays counted. */
static void cut(uint32_t unit, uint64_t pages_before)
{
    mst_block *block = &table.blocks[unit];
    unsigned char *from = address_of(unit) + (uint64_t)block->pages * MST_BLOCK_PAGE;

    if (pages_before < block->pages + CUT_PAGES)
        return;
    uint64_t bytes = (block->touched - block->pages) * MST_BLOCK_PAGE;
    pthread_mutex_unlock(&lock); /* the block is the caller's: nobody else may resize or free it */
    bool removed = madvise(from, bytes, inherited ? MADV_DONTNEED : MADV_REMOVE) == 0;
    pthread_mutex_lock(&lock);
    if (removed && !inherited && atomic_load_explicit(offer.kept, memory_order_acquire) == 0)
        block->touched = block->pages;
}

bool mst_blocks_resize(void *at, size_t bytes)
{
    bool fits = false;

    pthread_mutex_lock(&lock);
    uint32_t unit = unit_in_use(at);
    uint64_t room = mst_class_units(table.blocks[unit].class) * MST_MALLOC_UNIT;
    if (bytes <= room && bytes >= MST_BLOCK_BYTES_MIN / 2 && bytes >= room / 4) {
        uint64_t before = table.blocks[unit].pages;

        mst_block_end_use(&table, unit);
        mst_block_use(&table, unit, bytes);
        cut(unit, before);
        fits = true;
    }
    pthread_mutex_unlock(&lock);
    return fits;
}

/* ---- forks ---- */

void mst_blocks_before_fork(void)
{
    pthread_mutex_lock(&lock);
    if (table.blocks && !inherited)
        mst_fork_copy_make(&copy, &offer, &table);
}

void mst_blocks_in_parent(void)
{
    mst_fork_copy_drop(&copy);
    pthread_mutex_unlock(&lock);
}

/* Behind its copy nothing of the child's range is mapped: the kernel puts there what the child maps itself,
 * libc's large blocks among it, which are none of ours. */
static void narrow(void)
{
    uint64_t bytes = table.pages_in_use ? table.end * MST_MALLOC_UNIT : 0;

    atomic_store_explicit(&mst_blocks_range_served.bytes, bytes, memory_order_release);
}

void mst_blocks_in_child(void)
{
    atomic_store_explicit(&mst_blocks_range_served.serving, false, memory_order_release);
    if (!inherited)
        narrow();
    inherited = inherited || table.blocks;
    mst_fork_copy_put(&copy, &offer);
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}
