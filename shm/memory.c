/* Committing of memory.h. */
#include "shm/memory.h"

#include <errno.h>

#include "shm/error.h"
#include "shm/fault.h"
#include "shm/os.h"

#define LOOK_AT_LIMIT_FROM (256ULL * 1024)

static muster_status explain_full(const char *what, uint64_t bytes, uint64_t free_bytes)
{
    if (free_bytes == UINT64_MAX)
        return mst_fail(MUSTER_ERR_NO_SPACE,
                        "%s needs %.1f MiB and the system has no memory left for it; free some, use "
                        "smaller or fewer buffers, or raise the memory limit",
                        what, (double)bytes / 1048576);
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB and shared memory has %.1f MiB left; enlarge /dev/shm (mount -o "
                    "remount,size=2G /dev/shm, or --shm-size for a container), or start the ranks with "
                    "muster run, which does not use /dev/shm",
                    what, (double)bytes / 1048576, (double)free_bytes / 1048576);
}

/* A control group's limit is no error of the system's: it kills. So large commits look before. */
static muster_status look_at_limit(const char *what, uint64_t bytes)
{
    uint64_t left = bytes >= LOOK_AT_LIMIT_FROM ? mst_os_memory_left() : UINT64_MAX;

    if (bytes <= left)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%s needs %.1f MiB and the memory limit of this process's control group (of a container, "
                    "or a service) leaves %.1f MiB; raise it, or use smaller or fewer buffers",
                    what, (double)bytes / 1048576, (double)left / 1048576);
}

muster_status mst_memory_commit(mst_memory *memory, void *at, uint64_t bytes, const char *what)
{
    uint64_t free_bytes = mst_os_object_free_bytes(memory->device);
    bool full = bytes > free_bytes || mst_fault_point("heap.commit");

    muster_status status = full ? MUSTER_OK : look_at_limit(what, bytes);
    if (status != MUSTER_OK)
        return status;
    int error = full ? -ENOSPC : mst_os_memory_commit(at, bytes);
    if (error == 0)
        return MUSTER_OK;
    if (error != -ENOSPC)
        return mst_fail_system(error, "cannot commit arena memory");
    return explain_full(what, bytes, free_bytes);
}
