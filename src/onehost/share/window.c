/* Creates, seals and frees the windows of window.h, and their signals. Creating costs one synchronisation. */
#include "src/onehost/share/window.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/group/mapped.h"
#include "shm/port/os.h"
#include "shm/wait/activity.h"
#include "src/onehost/create/agree.h"
#include "src/onehost/create/create.h"
#include "src/onehost/create/hidden.h"
#include "src/onehost/share/alone.h"

typedef struct window {
    muster_share base;
    mst_group *group;
    mst_member *members;    /* by rank */
    uint64_t *bytes;        /* of the user, by rank: private copies, checked */
    unsigned char **blocks; /* where they are */
    uint64_t *waited;       /* signals that have been waited for, by raiser and number */
    uint64_t puts, waits;
    mst_waiter waiter;
} window;

static window *window_of(muster_share *share)
{
    return (window *)share;
}

/* ---- offsets in a block ---- */

/* Blocks begin at multiples of the heap's unit; where a page is larger than that, the user's bytes begin
 * later. */
static uint64_t lost_bytes_max(void)
{
    size_t page = mst_os_page_bytes();

    return page > MST_EXTENT_UNIT ? page - MST_EXTENT_UNIT : 0;
}

static uint64_t whole_pages(uint64_t bytes)
{
    uint64_t page = mst_os_page_bytes();

    return (bytes + page - 1) / page * page;
}

static uint64_t lines_bytes(int size)
{
    return sizeof(mst_window_lines) + (uint64_t)size * sizeof(mst_signals);
}

static uint64_t block_bytes(const mst_split_record *record, int rank, int size)
{
    uint64_t bytes = record->details[0]; /* of the user */

    (void)rank;
    return bytes > UINT64_MAX / 2 ? 0
                                  : lost_bytes_max() + whole_pages(bytes) + whole_pages(lines_bytes(size));
}

static mst_window_lines *lines_of(const window *window, int rank)
{
    return (mst_window_lines *)(void *)(window->blocks[rank] + whole_pages(window->bytes[rank]));
}

/* ---- creating ---- */

static void destroy(window *window)
{
    if (!window)
        return;
    free(window->members);
    free(window->bytes);
    free(window->blocks);
    free(window->waited);
    free(window);
}

static window *allocate(int size)
{
    window *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->members = calloc((size_t)size, sizeof *made->members);
    made->bytes = calloc((size_t)size, sizeof *made->bytes);
    made->blocks = calloc((size_t)size, sizeof *made->blocks);
    made->waited = calloc((size_t)size * MST_SIGNALS, sizeof *made->waited);
    if (made->members && made->bytes && made->blocks && made->waited)
        return made;
    destroy(made);
    return NULL;
}

static void find_blocks(window *window, const mst_group *parent)
{
    mst_subarena *subarena = window->group->subarena;

    for (int rank = 0; rank < subarena->size; rank++) {
        window->bytes[rank] = parent->split_records[rank].details[0];
        window->blocks[rank] = (unsigned char *)whole_pages((uintptr_t)subarena->staging[rank]);
    }
    mst_subarena_map_blocks(subarena, window->blocks, window->bytes);
}

static muster_status window_create(muster_group *of, size_t bytes, muster_share **share)
{
    window *made = allocate(of->size);
    muster_status prepared =
        made ? MUSTER_OK : mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a share of %d ranks", of->size);
    mst_hidden plan = { .makes = MST_MAKES_SHARE,
                        .name = "share_create",
                        .own = { .details = { bytes } },
                        .bytes = block_bytes,
                        .members = made ? made->members : NULL };
    mst_group *group;

    muster_status status = mst_hidden_create(mst_group_of(of), &plan, prepared, &group);
    if (status != MUSTER_OK) {
        destroy(made);
        return status;
    }
    made->group = group;
    made->base.group = &group->base;
    made->waiter = mst_alone_waiter(group);
    find_blocks(made, mst_group_of(of));
    *share = &made->base;
    return MUSTER_OK;
}

/* ---- what members do in it ---- */

static void window_at(const muster_share *share, int rank, void **address, size_t *bytes)
{
    const window *window = (const struct window *)share;

    *bytes = window->bytes[rank];
    *address = *bytes ? window->blocks[rank] : NULL;
}

/* Read-modify-writes of one word are in one order, and each acquires what came before the earlier ones. */
static void window_sync(muster_share *share)
{
    mst_add64_sc(&lines_of(window_of(share), 0)->syncs, 1); /* E25 */
    mst_fault_point("window.synced");
}

/* Whether this process may write the user's bytes of all blocks. */
static int protect(const window *window, bool writable)
{
    int error = 0;

    for (int rank = 0; rank < window->group->base.size && error == 0; rank++)
        if (window->bytes[rank])
            error = mst_os_memory_protect(window->blocks[rank], whole_pages(window->bytes[rank]), writable);
    return error;
}

/* Each rank protects its own mapping, then all learn whether all could. Nobody writes any more once it has
 * entered, so it does not matter that others may still. */
static muster_status seal(mst_agreement *agreement, window *window)
{
    mst_group *group = window->group;
    bool was_sealed = group->subarena->sealed;
    int error = mst_fault_point("window.seal") ? -12 : protect(window, false);
    mst_split_record record = { .status = error ? MUSTER_ERR_SYSTEM : MUSTER_OK };

    muster_status status = mst_agree(agreement, &record);
    if (status == MUSTER_OK &&
        error) /* after the wait, in which an interrupt function may have called muster */
        status = mst_fail_system(error, "share_seal: cannot protect memory");
    for (int rank = 0; rank < group->base.size && status == MUSTER_OK; rank++)
        if (group->split_records[rank].status != MUSTER_OK)
            status =
                mst_fail_about(rank, MUSTER_ERR_SYSTEM,
                               "share_seal: rank %d could not protect its memory, so no rank's is", rank);
    if (status != MUSTER_OK && !was_sealed)
        protect(window, true);
    mst_subarena_seal(group->subarena, was_sealed || status == MUSTER_OK);
    return status;
}

static muster_status window_seal(muster_share *share)
{
    window *window = window_of(share);
    mst_agreement agreement;

    muster_status status = mst_agree_begin(&agreement, window->group, MST_MAKES_SEAL);
    if (status != MUSTER_OK)
        return status;
    status = seal(&agreement, window);
    mst_agree_end(&agreement);
    return status;
}

/* The pages must be ordinary memory again before another group may get them: before we have left. */
static void window_close(muster_share *share)
{
    window *window = window_of(share);

    if (window->group->subarena->sealed)
        protect(window, true);
    mst_subarena_seal(window->group->subarena, false);
    mst_group_close(&window->group->base);
    destroy(window);
}

/* ---- signals ---- */

static _Atomic uint64_t *signal_at(const window *window, int rank, int raiser, int signal)
{
    return &lines_of(window, rank)->signals[raiser].raised[signal];
}

static muster_status window_put_signal(muster_share *share, const mst_put *put)
{
    window *window = window_of(share);
    mst_group *group = window->group;
    mst_alone call = { .group = group,
                       .class = MUSTER_CALL_SEND,
                       .doing = { .kind = MST_DOING_PUT_SIGNAL,
                                  .dtype = MUSTER_UINT8,
                                  .peer = put->rank,
                                  .count = put->bytes,
                                  .operation = ++window->puts } };

    mst_group_begin(group);
    if (put->rank != group->base.rank && mst_member_is_gone(group, put->rank))
        return mst_alone_refuse(&call, put->rank);
    if (put->bytes)
        memcpy(window->blocks[put->rank] + put->offset, put->from, put->bytes);
    mst_fault_point("window.put");
    mst_add64_sc(signal_at(window, put->rank, group->base.rank, put->signal), 1); /* E24 */
    mst_fault_point("window.raised");
    mst_eventcount_ring(&group->subarena->cells[put->rank]->doorbell);
    mst_alone_end(&call, NULL, MUSTER_OK);
    return MUSTER_OK;
}

/* What one call waits for. */
typedef struct awaited {
    const _Atomic uint64_t *raised;
    uint64_t count;
    int raiser;
} awaited;

static bool is_raised(const void *arg)
{
    const awaited *awaited = arg;

    return (int64_t)(mst_load64_acq(awaited->raised) - awaited->count) >= 0; /* E24 */
}

static int raiser_of(const void *arg)
{
    return ((const awaited *)arg)->raiser;
}

static muster_status window_wait_signal(muster_share *share, const mst_signal_wait *signal)
{
    window *window = window_of(share);
    mst_group *group = window->group;
    uint64_t *waited = &window->waited[signal->source * MST_SIGNALS + signal->signal];
    awaited awaited = { signal_at(window, group->base.rank, signal->source, signal->signal),
                        *waited + signal->count, signal->source };
    mst_alone call = {
        .group = group,
        .class = MUSTER_CALL_RECEIVE,
        .doing = { .kind = MST_DOING_WAIT_SIGNAL, .peer = signal->source, .operation = ++window->waits },
        .there = is_raised,
        .find_peer = raiser_of,
        .call = &awaited,
        .timeout_ns = signal->timeout_ns
    };

    mst_group_begin(group);
    muster_status status = mst_alone_wait(&call, &window->waiter);
    if (status == MUSTER_OK)
        *waited += signal->count;
    if (status == MUSTER_ERR_TIMED_OUT) {
        mst_fail(status, "rank %d waited %.3g s in wait_signal for signal %d of rank %d: %llu of %llu came",
                 group->base.rank, mst_alone_waited_s(&call), signal->signal, signal->source,
                 (unsigned long long)(mst_load64_acq(awaited.raised) - *waited), /* E24 */
                 (unsigned long long)signal->count);
        mst_alone_late(&call, signal->source);
    }
    mst_alone_end(&call, &window->waiter, status);
    return status;
}

/* ---- addresses of peers ---- */

static muster_status window_peer(muster_group *of, int rank, const void *mine, void **theirs)
{
    const mst_subarena *subarena = mst_group_of(of)->subarena;
    uint64_t left = 0;

    void *found = mst_subarena_corresponding(subarena->attachment, mine, subarena->members[rank].seat, &left);
    if (!found)
        return mst_fail(
            MUSTER_ERR_INVALID,
            "peer_buffer: %p is not in this rank's block of a share that rank %d of the group is in; "
            "allocate what peers are to use by muster_share_create",
            mine, rank);
    if (left == 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "peer_buffer: rank %d has nothing there: its block of that share is smaller", rank);
    *theirs = found;
    return MUSTER_OK;
}

const mst_share_methods mst_window_methods = {
    .create = window_create,
    .at = window_at,
    .sync = window_sync,
    .seal = window_seal,
    .put_signal = window_put_signal,
    .wait_signal = window_wait_signal,
    .peer = window_peer,
    .close = window_close,
};
