/* Commits memory as described in memory.h. */
#include "shm/arena/memory.h"

#include <errno.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/port/cgroup.h"
#include "shm/port/os.h"

#define LOOK_FROM (64ULL * 1024)           /* this much is committed without checking the limit */
#define PART_BYTES (4ULL * 1024 * 1024)    /* committed at once under a limit; takes a millisecond */
#define MACHINE_FROM (16ULL * 1024 * 1024) /* for this much the machine is asked, too */
#define SPARE_BYTES (1024ULL * 1024)       /* for page tables, and for the program itself */

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

static muster_status explain_full(const char *what, uint64_t bytes, uint64_t free_bytes)
{
    if (free_bytes == UINT64_MAX)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "%s needs %.1f MiB and the system has no memory left for it; free some, use "
                        "smaller or fewer buffers, or raise the memory limit",
                        what, mebibytes(bytes));
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB and shared memory has %.1f MiB left; enlarge /dev/shm (mount -o "
                    "remount,size=2G /dev/shm, or --shm-size for a container), or start the ranks with "
                    "muster run, which does not use /dev/shm",
                    what, mebibytes(bytes), mebibytes(free_bytes));
}

/* ---- limits of control groups, and of the machine ---- */

/* What other ranks are about to commit. */
static uint64_t sum_of_others(const mst_memory *memory)
{
    uint64_t sum = 0;

    for (uint32_t seat = 0; memory->geometry.base && seat < memory->geometry.seats; seat++) {
        const mst_rank_entry *entry = mst_layout_entry(&memory->geometry, seat);
        uint64_t bytes = mst_load64_sc(&entry->committing); /* E22 */

        if (seat != memory->seat && mst_load64_acq(&entry->termination) == 0) /* E8 */
            sum += bytes < PART_BYTES ? bytes : PART_BYTES;
    }
    return sum;
}

static void announce(const mst_memory *memory, uint64_t bytes)
{
    if (memory->geometry.base)
        mst_add64_sc(&mst_layout_entry(&memory->geometry, memory->seat)->committing, bytes); /* E22 */
}

/* *limited: whether there is a limit at all. What others announce is read before the usage, since they
 * withdraw the announcement once the usage includes it. */
static muster_status look_at_limit(const mst_memory *memory, const char *what, uint64_t bytes, bool *limited)
{
    uint64_t taken =
        sum_of_others(memory) + SPARE_BYTES + memory->geometry.size * (LOOK_FROM + memory->excess_bytes);
    uint64_t needed = bytes + bytes / 256 + memory->excess_bytes; /* with page tables */
    mst_cgroup_memory group;

    mst_cgroup_memory_get("", needed + taken, &group);
    *limited = group.left_bytes != UINT64_MAX;
    uint64_t left = group.left_bytes > taken ? group.left_bytes - taken : 0;
    if (!*limited || needed <= left)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_NO_SPACE,
        "%s needs %.1f MiB more, and the memory control group %s (a container's or a service's), "
        "limited to %.1f MiB, has %.1f MiB left for it; raise the limit (docker run -m, MemoryMax=), "
        "or use smaller or fewer buffers",
        what, mebibytes(needed), group.group, mebibytes(group.limit_bytes), mebibytes(left));
}

/* The same for the machine's memory; *limited: too little is left for all ranks to do this at the same time,
 * as they mostly do. */
static muster_status look_at_machine(const mst_memory *memory, const char *what, uint64_t bytes,
                                     bool *limited)
{
    uint64_t ranks = memory->geometry.base ? memory->geometry.size : 1;
    uint64_t taken = sum_of_others(memory) + SPARE_BYTES, needed = bytes + bytes / 256;

    *limited = false;
    if (bytes < MACHINE_FROM)
        return MUSTER_OK;
    uint64_t left = mst_machine_memory_left("");
    left = left > taken ? left - taken : 0;
    *limited = needed > left / (2 * ranks);
    if (needed <= left)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB more, and the machine has %.1f MiB left for it, swap among them; end "
                    "other programs, or use smaller or fewer buffers",
                    what, mebibytes(needed), mebibytes(left));
}

/* Before each part, checks all that is left to commit against the limits, so that it fails early. */
static muster_status commit_in_parts(mst_memory *memory, unsigned char *at, uint64_t bytes, const char *what,
                                     int *error)
{
    bool limited = true, full = true;

    while (bytes > 0 && *error == 0) {
        uint64_t part = (limited || full) && bytes > PART_BYTES ? PART_BYTES : bytes;
        uint64_t said = part < PART_BYTES ? part : PART_BYTES;

        announce(memory, said);
        muster_status status = limited ? look_at_limit(memory, what, bytes, &limited) : MUSTER_OK;
        if (status == MUSTER_OK && full)
            status = look_at_machine(memory, what, bytes, &full);
        mst_fault_point("memory.announced");
        if (status == MUSTER_OK)
            *error = mst_os_memory_commit(at, part);
        announce(memory, -said);
        if (status != MUSTER_OK)
            return status;
        at += part;
        bytes -= part;
    }
    return MUSTER_OK;
}

/* ---- committing ---- */

static bool is_worth_a_look(mst_memory *memory, uint64_t bytes)
{
    if (mst_add64_sc(&memory->unlooked, bytes) + bytes < LOOK_FROM)
        return false;
    mst_store64_rlx(&memory->unlooked, 0);
    return true;
}

muster_status mst_memory_commit(mst_memory *memory, void *at, uint64_t bytes, const char *what)
{
    uint64_t free_bytes = mst_os_object_free_bytes(memory->device);
    muster_status status = MUSTER_OK;
    int error = 0;

    if (bytes > free_bytes || mst_fault_point("heap.commit"))
        error = -ENOSPC;
    else if (is_worth_a_look(memory, bytes))
        status = commit_in_parts(memory, at, bytes, what, &error);
    else
        error = mst_os_memory_commit(at, bytes);
    if (status != MUSTER_OK || error == 0)
        return status;
    if (error != -ENOSPC)
        return mst_fail_system(error, "cannot commit arena memory");
    return explain_full(what, bytes, free_bytes);
}
