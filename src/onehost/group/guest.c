/* Shows and records what another backend does, and lets the progress thread do it, for guest.h. */
#include "src/onehost/group/guest.h"

#include <string.h>

#include "shm/port/os.h"
#include "shm/wait/recorder.h"
#include "src/onehost/group/showing.h"
#include "src/pure/collective.h"

static_assert(MST_SEEN_WORDS == MST_RANKS_MAX / 64, "one bit for each rank");

static void set_bits(_Atomic uint64_t *to, const uint64_t *from)
{
    for (int i = 0; i < MST_SEEN_WORDS; i++)
        mst_store64_rlx(&to[i], from ? from[i] : 0);
}

/* Its own calls go where nobody looks, and are not recorded. */
static void divert(mst_group *group)
{
    group->activities = group->unseen;
    group->recorded = 0;
    group->repeats = 0;
}

uint64_t mst_guest_show_as(muster_group *of, const mst_seen_as *as, bool only_number)
{
    mst_group *group = mst_group_of(of);
    mst_cell *cell = group->cell;

    if (!only_number)
        divert(group);
    if (!as) {
        cell->group_size = 0; /* readers pass over it */
        return of->number;
    }
    cell->group = as->world ? MST_WORLD_MEMBERSHIP : as->number;
    cell->group_rank = (uint32_t)as->rank;
    cell->group_size = (uint32_t)as->size;
    set_bits(cell->members, as->members);
    mst_store64_rlx(&cell->journal.under_way, 0);
    return cell->group;
}

static mst_doing doing_of_request(const mst_shown *what)
{
    const mst_request *request = what->request;
    const mst_shape *shape = &mst_shapes[request->collective];

    return (mst_doing){ .kind = request->collective,
                        .dtype = (uint32_t)request->dtype,
                        .op = shape->reduces ? (uint32_t)request->op : 0,
                        .peer = shape->rooted ? request->root : -1,
                        .count = request->elements,
                        .operation = what->operation };
}

static mst_doing doing_of(const mst_shown *what)
{
    static const uint32_t kinds[] = { [MST_SHOWN_PROBE] = MST_DOING_PROBE,
                                      [MST_SHOWN_MESSAGES] = MST_DOING_MESSAGES,
                                      [MST_SHOWN_SPLIT] = MST_DOING_SPLIT,
                                      [MST_SHOWN_DUP] = MST_DOING_DUP,
                                      [MST_SHOWN_SUBSET] = MST_DOING_SUBSET };
    mst_doing doing = { .kind = 0, .peer = -1, .operation = what->operation };

    if (what->kind == MST_SHOWN_COLLECTIVE)
        return doing_of_request(what);
    if (what->kind == MST_SHOWN_MESSAGE)
        return mst_doing_of_message(what->message, what->class == MUSTER_CALL_SEND, what->operation);
    doing.kind = kinds[what->kind];
    if (what->kind == MST_SHOWN_PROBE) {
        doing.op = (uint32_t)what->message->receive_tag;
        doing.peer = what->message->source < 0 ? -1 : what->message->source;
    }
    return doing;
}

/* Of a message the activity has no use for a number, and says instead which rank of the job is at the other
 * end: 1 + it. */
void mst_guest_show(muster_group *of, const mst_shown *what)
{
    mst_group *group = mst_group_of(of);
    mst_activity *activity = &group->cell->activities[what->class];
    mst_doing doing = doing_of(what);

    if (what->kind == MST_SHOWN_MESSAGE || what->kind == MST_SHOWN_PROBE)
        doing.operation = (uint64_t)what->peer_in_job + 1;
    if (what->request && what->request->made)
        memcpy(activity->op_name, what->request->made->name, sizeof activity->op_name);
    set_bits(group->cell->awaits, NULL);
    if (what->kind == MST_SHOWN_COLLECTIVE)
        mst_store64_rlx(&group->cell->journal.under_way, what->under_way);
    mst_activity_begin(activity, what->latest, &doing, mst_os_now_ns());
}

void mst_guest_show_awaited(muster_group *of, const uint64_t *awaited)
{
    set_bits(mst_group_of(of)->cell->awaits, awaited);
}

void mst_guest_unshow(muster_group *of, muster_call_class call_class)
{
    mst_activity_end(&mst_group_of(of)->cell->activities[call_class]);
}

void mst_guest_record(muster_group *of, const mst_shown *shown, int64_t entered_ns, int64_t arrived_ns)
{
    mst_group *group = mst_group_of(of);
    mst_doing doing = doing_of(shown);
    bool is_message = shown->class == MUSTER_CALL_SEND || shown->class == MUSTER_CALL_RECEIVE;
    bool in_bytes = doing.dtype >= MUSTER_DTYPE_COUNT; /* a record has no room for the size of an element */
    mst_record_what what = { .kind = doing.kind,
                             .dtype = in_bytes ? MST_RECORD_BYTES : doing.dtype,
                             .op = is_message ? 0 : doing.op,
                             .call_class = shown->class,
                             .exact = true,
                             .started = shown->started,
                             .peer = doing.peer,
                             .group_rank = group->cell->group_rank,
                             .group_size = group->cell->group_size };
    mst_operation operation = {
        .what = mst_record_pack(&what),
        .number = is_message ? mst_record_pack_message(doing.operation, doing.op) : doing.operation,
        .group = group->cell->group,
        .count = in_bytes ? doing.count * muster_dtype_size((muster_dtype)doing.dtype) : doing.count,
        .entered_ns = entered_ns,
        .arrived_ns = arrived_ns,
        .done_ns = mst_os_now_ns()
    };

    if (shown->kind == MST_SHOWN_COLLECTIVE)
        mst_store64_rlx(&group->cell->journal.under_way, shown->under_way);
    if (operation.arrived_ns > operation.done_ns)
        operation.done_ns = operation.arrived_ns;
    mst_recorder_note(&group->subarena->attachment->recorder, &group->places[shown->class], &operation);
}

/* ---- the progress thread ---- */

static mst_attachment *attachment_of(muster_group *world)
{
    return mst_group_of(world)->subarena->attachment;
}

/* One that is alone on its host has had none. */
muster_status mst_guest_do_besides(muster_group *world, int64_t (*turn)(void *arg), void *arg)
{
    mst_attachment *attachment = attachment_of(world);

    muster_status status = mst_attachment_start_progress(attachment);
    if (status == MUSTER_OK)
        mst_progress_thread_do_besides(&attachment->waits.progress, &(mst_besides){ turn, arg });
    return status;
}

void mst_guest_ring(muster_group *world)
{
    mst_progress_thread_ring(&attachment_of(world)->waits.progress);
}

void mst_guest_in_program(muster_group *world, bool begins)
{
    mst_progress_thread *progress = &attachment_of(world)->waits.progress;

    (begins ? mst_progress_thread_calls_program : mst_progress_thread_called_program)(progress);
}
