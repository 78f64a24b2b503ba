/* The table of the shared-memory backend for one machine. Its functions are in this directory, the mechanism
 * in shm/. */
#include "shm/port/os.h"
#include "src/onehost/attach.h"
#include "src/onehost/coll/help.h"
#include "src/onehost/coll/run.h"
#include "src/onehost/coll/started.h"
#include "src/onehost/crash.h"
#include "src/onehost/create/create.h"
#include "src/onehost/create/regroup.h"
#include "src/onehost/create/split.h"
#include "src/onehost/create/subset.h"
#include "src/onehost/group/buffer.h"
#include "src/onehost/group/guest.h"
#include "src/onehost/group/showing.h"
#include "src/onehost/messages/messages.h"
#include "src/onehost/messages/started_messages.h"
#include "src/onehost/share/ring.h"
#include "src/onehost/share/window.h"
#include "src/onehost/wait/await.h"
#include "src/onehost/wait/broken.h"
#include "src/pure/config.h"

static muster_status attach(const muster_config *config, muster_group **world)
{
    return mst_group_attach(config, NULL, world);
}

/* The launcher leaves the arena's descriptor inheritable, since a wrapper may execute the rank; programs that
 * the rank executes must not inherit it. */
static void adopt(muster_group *world, const muster_config *config)
{
    int fd;

    if (config->arena && mst_config_descriptor(config->arena, &fd))
        mst_arena_keep_to_us(mst_group_of(world)->subarena->attachment->arena, fd);
}

static muster_status report_crashes(muster_group *group)
{
    return mst_crash_report(mst_group_of(group)->subarena->attachment);
}

static void leave(muster_group *world)
{
    mst_attachment_leave(mst_group_of(world)->subarena->attachment);
}

const mst_backend mst_backend_onehost = {
    .name = "shm",
    .ranks_max = MST_RANKS_MAX,
    .attach = attach,
    .adopt = adopt,
    .mark_process = mst_os_fork_mark_create,
    .collective = mst_call_run,
    .start = mst_started_call,
    .set_threads = mst_call_set_threads,
    .help = mst_call_help,
    .is_helped = mst_call_is_helped,
    .end_collective = mst_call_ended,
    .test = mst_pending_test,
    .wait = mst_pending_wait,
    .message = mst_message_move,
    .start_message = mst_message_start,
    .cancel = mst_message_cancel,
    .probe = mst_message_probe,
    .split = mst_split,
    .dup = mst_dup,
    .subset = mst_subset,
    .regroup = mst_regroup,
    .alloc = mst_buffer_alloc,
    .release = mst_buffer_release,
    .shares = &mst_window_methods,
    .queues = &mst_ring_methods,
    .status = mst_group_status,
    .seems_whole = mst_group_seems_whole,
    .abort_group = mst_group_abort,
    .translate = mst_group_translate,
    .report_crashes = report_crashes,
    .mark_phase = mst_group_mark_phase,
    .show_name = mst_group_show_name,
    .show_as = mst_guest_show_as,
    .show = mst_guest_show,
    .show_awaited = mst_guest_show_awaited,
    .unshow = mst_guest_unshow,
    .record = mst_guest_record,
    .do_besides = mst_guest_do_besides,
    .ring_besides = mst_guest_ring,
    .in_program = mst_guest_in_program,
    .close = mst_group_close,
    .leave = leave,
};
