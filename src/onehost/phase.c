/*
 * muster_phase: a rank names what it does. A mark in its own flight recorder, and nothing else: readers of
 * the records (src/onehost/records.c) give each operation to the mark before it.
 */
#include <string.h>

#include "shm/wait/activity.h"
#include "shm/wait/recorder.h"
#include "src/onehost/group.h"
#include "src/onehost/init.h"
#include "src/pure/error.h"

muster_status muster_phase(const char *name, const muster_group *group)
{
    const char *said = name ? name : "";

    if (!group)
        group = mst_init_world();
    if (!group)
        return mst_fail(MUSTER_ERR_INVALID,
                        "muster_phase(\"%.40s\", NULL) is for the world of muster_init, which "
                        "has not been called; or give it a group",
                        said);
    if (strlen(said) > MST_MARK_BYTES)
        return mst_fail(MUSTER_ERR_INVALID, "a phase's name of %zu bytes, \"%.40s...\"; expected up to %d",
                        strlen(said), said, MST_MARK_BYTES);
    const mst_attachment *attachment = group->subarena->attachment;
    if (mst_attachment_forked(attachment))
        return mst_fail(MUSTER_ERR_FORKED, "this process was forked by a rank and is none itself");
    mst_record_what what = { .kind = MST_DOING_PHASE, .exact = true, .peer = -1, .group_size = 1 };
    mst_recorder_mark(&attachment->recorder, mst_record_pack(&what), said, mst_os_now_ns());
    return MUSTER_OK;
}
