/* Finds out whose memory this process may read, and reads it, for remote.h. */
#include "src/onehost/group/remote.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/fault.h"

/* ---- who can be read ---- */

/* A pid of another pid namespace means nothing here, or another process. */
static bool is_named_here(const mst_rank_entry *entry, uint64_t here)
{
    uint64_t there = entry->process_namespace;

    return here == 0 || there == 0 || here == there;
}

/* By trying: what files say of Yama, capabilities, namespaces and sandboxes need not be all. */
static bool probe(const mst_group *group, int rank, uint64_t here)
{
    const mst_subarena *subarena = group->subarena;
    const mst_rank_entry *entry =
        mst_layout_entry(&subarena->attachment->geometry, subarena->members[rank].seat);
    mst_remote *remote = &group->remotes[rank];

    remote->process.pid = entry->pid; /* E1, as all of it: read once */
    remote->process.token_at = entry->token_at;
    memcpy(remote->process.token, entry->token, sizeof remote->process.token);
    remote->readable = is_named_here(entry, here) && mst_os_remote_read(&remote->process, NULL, 0, 0) == 0;
    return remote->readable;
}

static void tell(const mst_group *group, int refused)
{
    if (refused >= 0)
        mst_log_line(group->base.log, MUSTER_LOG_INFO,
                     "rank %d may not read the memory of rank %d: their buffers are copied through staging",
                     group->base.rank, refused);
    else
        mst_log_line(group->base.log, MUSTER_LOG_INFO,
                     "rank %d reads buffers of %llu bytes and more where they are in its peers' memory",
                     group->base.rank, (unsigned long long)group->tuning.one_copy_bytes_min);
}

bool mst_remotes_init(mst_group *group)
{
    int refused = -1;

    if (group->tuning.one_copy_bytes_min == SIZE_MAX || group->base.size == 1)
        return true;
    group->remotes = calloc((size_t)group->base.size, sizeof *group->remotes);
    if (!group->remotes)
        return false;
    uint64_t here = mst_os_process_namespace();
    for (int rank = 0; rank < group->base.size; rank++)
        if (rank != group->base.rank && !probe(group, rank, here))
            refused = rank;
    group->reads_all = refused < 0;
    group->one_copy = true;
    tell(group, refused);
    return true;
}

void mst_remotes_destroy(mst_group *group)
{
    free(group->remotes);
}

/* ---- reading ---- */

bool mst_remote_read(const mst_group *group, int rank, void *to, uint64_t address, size_t bytes)
{
    const mst_remote *remote = &group->remotes[rank];

    if (!remote->readable)
        return false;
    mst_fault_point("remote.read");
    int error = mst_os_remote_read(&remote->process, to, address, bytes);
    return !mst_fault_point("remote.was_read") && error == 0;
}
