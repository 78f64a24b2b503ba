/* Checks an object before it is mapped as an arena, as described in check.h. */
#include "shm/arena/check.h"

#include <string.h>

#include "shm/base/error.h"
#include "shm/base/extent.h"
#include "shm/base/thresholds.h"

muster_status mst_arena_check_object(int fd, mst_os_object_info *info)
{
    int error = mst_os_object_info_get(fd, info);

    if (error)
        return mst_fail(
            MUSTER_ERR_BAD_ARENA,
            "descriptor %d, by which ranks get their arena, is not open here: a process that a rank "
            "has started (spawn, exec) is no rank itself; else a wrapper has closed the descriptor",
            fd);
    if (!info->regular)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "descriptor %d is not a shared memory object", fd);
    if (!info->mine)
        return mst_fail(MUSTER_ERR_PERMISSION, "the arena belongs to user %u, not to this one",
                        info->owner_uid);
    if (!info->private_mode)
        return mst_fail(MUSTER_ERR_PERMISSION,
                        "the arena has mode %04o; only 0600 keeps other users out of it", info->mode);
    return MUSTER_OK;
}

static muster_status check_header(const mst_header *header, const mst_os_object_info *info, int size)
{
    mst_thresholds thresholds;

    if (header->ready != MST_READY_MAGIC)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "this is not a muster arena, or it is unfinished");
    if (header->version != MST_LAYOUT_VERSION || header->fingerprint != mst_layout_fingerprint())
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "the arena has layout version %u (fingerprint %016llx) and this library has %u "
                        "(%016llx); all ranks and the launcher must use the same muster",
                        header->version, (unsigned long long)header->fingerprint, MST_LAYOUT_VERSION,
                        (unsigned long long)mst_layout_fingerprint());
    if (header->size != (uint32_t)size)
        return mst_fail(MUSTER_ERR_INVALID, "the arena is for %u rank%s, but this rank was told %d",
                        header->size, header->size == 1 ? "" : "s", size);
    if (header->kind > MST_ARENA_HUGE || (header->kind == MST_ARENA_HUGE && info->linked) ||
        (header->kind == MST_ARENA_SEALED && !info->sealed))
        return mst_fail(MUSTER_ERR_BAD_ARENA, "the arena is not sealed: it could shrink under its ranks");
    if (header->arena_bytes != info->bytes || header->region_bytes < MST_REGION_BYTES_MIN ||
        header->region_bytes > info->bytes || header->region_bytes % MST_PAGE ||
        header->seats < header->size || header->seats > MST_RANKS_MAX ||
        mst_layout_arena_bytes(header->seats, header->region_bytes) != info->bytes ||
        header->staging_bytes < MST_STAGING_BYTES_MIN || header->staging_bytes > MST_STAGING_BYTES_MAX ||
        header->staging_bytes % (2 * MST_EXTENT_UNIT) || header->staging_bytes > header->region_bytes / 2)
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "the arena's size does not fit its header (%llu bytes, %llu claimed): it is damaged",
                        (unsigned long long)info->bytes, (unsigned long long)header->arena_bytes);
    memcpy(&thresholds, header->thresholds, sizeof thresholds);
    if (!mst_thresholds_make_sense(&thresholds))
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "the arena's thresholds are not such as its creator writes: it is damaged");
    return MUSTER_OK;
}

muster_status mst_arena_check(int fd, int size, mst_header *header)
{
    mst_os_object_info info;

    muster_status status = mst_arena_check_object(fd, &info);
    if (status != MUSTER_OK)
        return status;
    if (mst_os_object_read(fd, 0, header, sizeof *header) != 0)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "this is not a muster arena: it has %llu bytes",
                        (unsigned long long)info.bytes);
    if (size == MST_ARENA_ANY_SIZE && header->ready == MST_READY_MAGIC && header->size - 1 >= MST_RANKS_MAX)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "descriptor %d is not a muster arena", fd);
    if (size == MST_ARENA_ANY_SIZE)
        size = (int)header->size;
    return check_header(header, &info, size);
}
