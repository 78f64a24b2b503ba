/* Creates, checks and maps the arena of arena.h. */
#include "shm/arena/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/arena/check.h"
#include "shm/arena/memory.h"
#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/extent.h"
#include "shm/base/plain.h"
#include "shm/port/huge.h"
#include "shm/port/os.h"

static_assert(MST_THRESHOLD_COUNT <= MST_THRESHOLDS_MAX, "the header has a place for each threshold");

#define SLOT_BYTES_ALL (1024 * 1024) /* per round, staged by all ranks of the world together */
#define SLOT_BYTES_MIN (32 * 1024)
#define SLOT_BYTES_MAX (512 * 1024)

static uint64_t default_staging_bytes(int size)
{
    uint64_t slot = SLOT_BYTES_ALL / (uint64_t)size;

    if (slot < SLOT_BYTES_MIN)
        slot = SLOT_BYTES_MIN;
    return 4 * (slot < SLOT_BYTES_MAX ? slot : SLOT_BYTES_MAX);
}

/* ---- creating ---- */

/* An odd multiple of pages: equal offsets of many heaps would otherwise share a set of the TLB. */
static uint64_t odd_pages(uint64_t bytes)
{
    return (bytes / MST_PAGE - 1) / 2 * 2 * MST_PAGE + MST_PAGE;
}

/* The least address space per heap with which a world can work. */
static uint64_t least_heap_bytes(const mst_geometry *geometry)
{
    uint64_t staging = 2 * geometry->staging_bytes;

    return staging > MST_REGION_BYTES_MIN ? staging : MST_REGION_BYTES_MIN;
}

/* Rounded up: for messages that say how many are enough. */
static unsigned long long mebibytes_up(uint64_t bytes)
{
    return (bytes + (1 << 20) - 1) >> 20;
}

static uint64_t limit_of(uint64_t wanted)
{
    uint64_t file = mst_os_object_bytes_max(), space = mst_os_address_space(wanted);

    return space == wanted || file < space ? file : space;
}

/* How to get as much address space as that. */
static const char *remedy(uint64_t bytes)
{
    if (mst_os_object_bytes_max() < bytes)
        return "raise the limit that ulimit -f shows";
    if (mst_os_address_space_is_limited())
        return "raise the limit that ulimit -v shows";
    return "run it where there is more (valgrind and other tools give less than the system)";
}

static muster_status plan_header(const mst_arena_plan *plan, mst_header *header)
{
    uint32_t seats = header->seats;
    uint64_t wanted = plan->arena_bytes ? plan->arena_bytes : MST_ARENA_BYTES_DEFAULT;
    uint64_t limit = limit_of(wanted);
    uint64_t least = mst_layout_arena_bytes(seats, MST_REGION_BYTES_MIN + MST_PAGE); /* for odd_pages() */
    uint64_t staging = plan->staging_bytes ? plan->staging_bytes : default_staging_bytes(plan->size);

    if (plan->arena_bytes == 0 && wanted > limit)
        wanted = limit;
    if (least > limit)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "an arena for %u rank%s, replacements included, needs %llu MiB of address space, and "
                        "this process may have %llu; %s, or use fewer ranks",
                        seats, seats == 1 ? "" : "s", mebibytes_up(least), (unsigned long long)(limit >> 20),
                        remedy(least));
    if (wanted < least)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "an arena for %u rank%s, replacements included, needs %llu MiB of address space, and "
                        "%llu were requested; raise MUSTER_ARENA_BYTES, or leave it unset",
                        seats, seats == 1 ? "" : "s", mebibytes_up(least),
                        (unsigned long long)(wanted >> 20));
    if (wanted > limit)
        return mst_fail(
            MUSTER_ERR_NO_SPACE,
            "an arena of %llu MiB was requested, and this process may have %llu MiB of address space; "
            "lower MUSTER_ARENA_BYTES, or %s",
            (unsigned long long)(wanted >> 20), (unsigned long long)(limit >> 20), remedy(wanted));
    staging = (staging + 2 * MST_EXTENT_UNIT - 1) / (2 * MST_EXTENT_UNIT) * (2 * MST_EXTENT_UNIT);
    if (staging < MST_STAGING_BYTES_MIN || staging < 5 * 16 * (uint64_t)plan->size ||
        staging > MST_STAGING_BYTES_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "staging of %llu bytes per rank is not between %d and %llu",
                        (unsigned long long)staging, MST_STAGING_BYTES_MIN,
                        (unsigned long long)MST_STAGING_BYTES_MAX);
    uint64_t entries = mst_layout_arena_bytes(seats, 0);
    header->region_bytes = odd_pages((wanted - entries) / seats);
    header->arena_bytes = mst_layout_arena_bytes(seats, header->region_bytes);
    header->staging_bytes = staging;
    if (staging > header->region_bytes / 2)
        return mst_fail(MUSTER_ERR_INVALID,
                        "staging of %llu KiB per rank and group is more than half of what a rank has in an "
                        "arena of %llu MiB; lower MUSTER_STAGING_BYTES, or raise MUSTER_ARENA_BYTES",
                        (unsigned long long)staging >> 10, (unsigned long long)header->arena_bytes >> 20);
    return MUSTER_OK;
}

static void publish_thresholds(const mst_arena_plan *plan, mst_header *header)
{
    mst_thresholds thresholds;

    if (!plan->thresholds)
        mst_thresholds_known("other", 0, &thresholds);
    memcpy(header->thresholds, plan->thresholds ? plan->thresholds : &thresholds, sizeof thresholds);
}

muster_status mst_arena_format(int fd, const mst_arena_plan *plan, mst_arena_kind kind)
{
    mst_header planned = { .ready = MST_MAKING_MAGIC,
                           .fingerprint = mst_layout_fingerprint(),
                           .version = MST_LAYOUT_VERSION,
                           .size = (uint32_t)plan->size,
                           .seats = (uint32_t)(plan->size + plan->spare_seats),
                           .kind = kind };
    void *base;

    if (plan->size < 1 || plan->size > MST_RANKS_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "a world of %d ranks is not between 1 and %d", plan->size,
                        MST_RANKS_MAX);
    if (plan->spare_seats < 0 || plan->spare_seats > MST_RANKS_MAX - plan->size)
        return mst_fail(MUSTER_ERR_INVALID, "%d ranks and %d replacements are more than %d, all together",
                        plan->size, plan->spare_seats, MST_RANKS_MAX);
    muster_status status = plan_header(plan, &planned);
    if (status != MUSTER_OK)
        return status;
    if (plan->launched) {
        planned.launcher_pid = mst_os_process_id();
        planned.launcher_start = mst_os_process_start(planned.launcher_pid);
        planned.launcher_namespace = (uint32_t)mst_os_process_namespace();
    }
    publish_thresholds(plan, &planned);
    mst_os_random(planned.nonce, sizeof planned.nonce);
    uint64_t control_bytes = mst_layout_cells_offset(planned.seats);

    int error = mst_os_object_resize(fd, planned.arena_bytes);
    if (error == 0 && kind == MST_ARENA_SEALED)
        error = mst_os_object_seal(fd);
    if (error)
        return mst_fail(error == -EFBIG || error == -ENOSPC ? MUSTER_ERR_NO_SPACE : MUSTER_ERR_SYSTEM,
                        "cannot size the arena to %llu MiB: %s; lower MUSTER_ARENA_BYTES, or raise ulimit -f",
                        mebibytes_up(planned.arena_bytes), strerror(-error));
    mst_memory memory = { .device = mst_os_hold(fd).device };
    error = mst_os_object_map(fd, control_bytes, &base);
    if (error)
        return mst_fail_system(error, "cannot map the arena");
    status = mst_memory_commit(&memory, base, control_bytes, "the control part of the arena");
    if (status == MUSTER_OK) {
        mst_header *header = base;

        memcpy(header, &planned, sizeof planned);
        if (plan->host)
            memcpy((unsigned char *)base + MST_HOST_OFFSET, plan->host, sizeof *plan->host);
        mst_store64_rel(&header->ready, MST_READY_MAGIC); /* E0: publishes the identity */
    }
    mst_os_unmap(base, control_bytes);
    return status;
}

static int create_object(const mst_arena_plan *plan, mst_arena_kind *kind)
{
    const char *why;
    int helped, fd = plan->huge_pages ? mst_os_object_create_huge(&why, &helped) : -ENOSYS;

    *kind = fd < 0 ? MST_ARENA_SEALED : MST_ARENA_HUGE;
    return fd < 0 ? mst_os_object_create_anonymous() : fd;
}

muster_status mst_arena_create(const mst_arena_plan *plan, mst_arena **arena)
{
    mst_arena_kind kind;

    int fd = create_object(plan, &kind);
    if (fd < 0)
        return mst_fail_system(fd, "cannot create an anonymous arena (memfd)");
    muster_status status = mst_arena_format(fd, plan, kind);
    if (status == MUSTER_OK)
        status = mst_arena_map(fd, plan->size, arena);
    if (status != MUSTER_OK)
        mst_os_close(fd);
    return status;
}

/* ---- mapping ---- */

/* Maps as much of each heap as the address space allows; all members then use only that much. */
static muster_status map_prefixes(int fd, mst_geometry *geometry)
{
    uint64_t common = mst_layout_region_offset(geometry->seats, geometry->region_bytes, 0);
    uint64_t space = mst_os_address_space(geometry->arena_bytes);
    uint64_t heap = space > common ? (space - common) / geometry->seats : 0;
    uint64_t least = least_heap_bytes(geometry);
    void *base;

    heap = heap < MST_PAGE ? 0 : odd_pages(heap);
    if (heap < least)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "this process may have %llu MiB of address space for the arena, and its %u ranks, "
                        "replacements included, need %llu; %s, or use fewer ranks",
                        (unsigned long long)(space >> 20), geometry->seats,
                        mebibytes_up(common + geometry->seats * least), remedy(0));
    int error = mst_os_object_map_prefixes(fd, common, geometry->region_bytes, heap, geometry->seats, &base);
    if (error)
        return mst_fail_system(error, "cannot map the arena");
    geometry->base = base;
    geometry->unmapped_bytes = geometry->region_bytes - heap;
    return MUSTER_OK;
}

static muster_status map_all(int fd, mst_geometry *geometry)
{
    void *base;

    if (mst_os_object_map(fd, geometry->arena_bytes, &base) != 0)
        return map_prefixes(fd, geometry);
    geometry->base = base;
    return MUSTER_OK;
}

muster_status mst_arena_map(int fd, int size, mst_arena **arena)
{
    mst_header header;

    muster_status status = mst_arena_check(fd, size, &header);
    if (status != MUSTER_OK)
        return status;
    mst_arena *mapped = calloc(1, sizeof *mapped);
    if (!mapped)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for an arena handle");
    mapped->geometry = (mst_geometry){
        NULL, header.arena_bytes, header.region_bytes, header.staging_bytes, header.size, header.seats, 0
    };
    status = map_all(fd, &mapped->geometry);
    if (status != MUSTER_OK) {
        free(mapped);
        return status;
    }
    mapped->held = mst_os_hold(fd);
    mapped->kind = (mst_arena_kind)header.kind;
    mapped->launcher =
        (mst_launcher){ header.launcher_pid, header.launcher_start, header.launcher_namespace };
    mst_store32_rlx(&mapped->users, 1);
    memcpy(&mapped->thresholds, header.thresholds, sizeof mapped->thresholds);
    *arena = mapped;
    return MUSTER_OK;
}

muster_status mst_arena_identify(int fd, mst_geometry *geometry, int32_t *launcher_pid)
{
    mst_header header;

    muster_status status = mst_arena_check(fd, MST_ARENA_ANY_SIZE, &header);
    if (status != MUSTER_OK)
        return status;
    *geometry = (mst_geometry){
        NULL, header.arena_bytes, header.region_bytes, header.staging_bytes, header.size, header.seats, 0
    };
    *launcher_pid = header.launcher_pid;
    return MUSTER_OK;
}

static bool makes_sense(const mst_host *host, uint32_t size)
{
    if (host->size < size || host->size > MST_RANKS_MAX || host->host >= host->size)
        return false;
    for (uint32_t rank = 0; rank < host->size; rank++)
        if (host->hosts[rank] >= host->size)
            return false;
    for (uint32_t place = 0; place < size; place++) { /* the ranks of this host, in their order */
        uint32_t rank = host->ranks[place];

        if (rank >= host->size || host->hosts[rank] != host->host ||
            (place > 0 && rank <= host->ranks[place - 1]))
            return false;
    }
    return true;
}

bool mst_arena_read_host(int fd, uint32_t size, mst_host *host)
{
    memset(host, 0, sizeof *host);
    if (mst_os_object_read(fd, MST_HOST_OFFSET, &host->job, sizeof host->job) != 0)
        return false;
    if (host->job == 0) /* the rest is not read: most arenas are such */
        return true;
    if (mst_os_object_read(fd, MST_HOST_OFFSET, host, sizeof *host) != 0 || !makes_sense(host, size))
        return false;
    for (int i = 0; i < MST_RANKS_MAX; i++) {
        host->names[i][MST_HOST_NAME_BYTES - 1] = '\0';
        mst_plain_make(host->names[i]); /* it is shown on terminals */
    }
    return host->job != 0;
}

muster_status mst_arena_open(int fd, int size, mst_arena **arena)
{
    mst_os_object_info info;

    muster_status status = mst_arena_check_object(fd, &info);
    if (status != MUSTER_OK)
        return status;
    int own = mst_os_dup_above(fd, 3);
    if (own < 0)
        return mst_fail_system(own, "cannot duplicate the arena's descriptor");
    mst_os_close_on_exec(own);
    status = mst_arena_map(own, size, arena);
    if (status == MUSTER_OK)
        (*arena)->held.fd = -1; /* muster inspect finds the inherited descriptor */
    mst_os_close(own);
    return status;
}

void mst_arena_keep_to_us(const mst_arena *arena, int fd)
{
    mst_os_held found = mst_os_hold(fd);

    if (found.device == arena->held.device && found.inode == arena->held.inode)
        mst_os_close_on_exec(fd);
}

/* ---- sharing ---- */

mst_arena *mst_arena_share(mst_arena *arena)
{
    mst_add32_sc(&arena->users, 1);
    return arena;
}

void mst_arena_keep(mst_arena *arena, unsigned char *at, uint64_t bytes)
{
    arena->kept = at;
    arena->kept_bytes = bytes;
}

static void unmap(const mst_arena *arena)
{
    unsigned char *base = arena->geometry.base, *end = base + mst_layout_mapped_bytes(&arena->geometry);
    unsigned char *after = arena->kept + arena->kept_bytes;

    mst_os_unmap(base, (size_t)((arena->kept ? arena->kept : end) - base));
    if (arena->kept && after < end)
        mst_os_unmap(after, (size_t)(end - after));
}

void mst_arena_close(mst_arena *arena)
{
    if (!arena || mst_add32_sc(&arena->users, (uint32_t)-1) != 1)
        return;
    unmap(arena);
    mst_os_held_close(&arena->held);
    free(arena);
}
