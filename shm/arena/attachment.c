/* Creates, references and ends the attachment of attachment.h. */
#include "shm/arena/attachment.h"

#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/death/references.h"
#include "shm/death/terminations.h"
#include "shm/port/huge.h"
#include "shm/port/os.h"
#include "shm/wait/rendezvous.h"

/* Without a launcher nobody would report a death. */
static mst_detection detection_of(const mst_arena *arena, const mst_attachment_config *config)
{
    bool nobody_reports = arena->launcher.pid == 0 && config->detection == MST_DETECTION_LAUNCHER;

    return nobody_reports ? MST_DETECTION_PIDFD : config->detection;
}

/* The members that need no memory of their own. */
static void fill_in(mst_attachment *attachment, mst_arena *arena, const mst_attachment_config *config)
{
    const mst_geometry *geometry = &attachment->geometry;

    attachment->arena = arena;
    attachment->memory =
        (mst_memory){ .device = arena->held.device,
                      .geometry = *geometry,
                      .seat = attachment->seat,
                      .excess_bytes = arena->kind == MST_ARENA_HUGE ? MST_HUGE_PAGE_BYTES : 0 };
    attachment->recorder = (mst_recorder){
        .records = mst_layout_records(geometry, attachment->seat),
        .claimed = &mst_layout_entry(geometry, attachment->seat)->claimed,
        .exact = config->exact_times,
    };
    attachment->injections = config->injections;
    attachment->waits.place.cpu = &mst_layout_entry(geometry, attachment->seat)->cpu;
    attachment->log = config->log;
    attachment->pretended_cache = config->cache;
    attachment->attaching = (mst_attaching){ config->interrupt, config->patience };
    mst_background_init(&attachment->waits.background, mst_attachment_doorbell(attachment));
    attachment->waits.progress.wanted = config->progress_thread;
    mst_store32_rlx(&attachment->users, 1);
    pthread_mutex_init(&attachment->lock, NULL);
}

mst_attachment *mst_attachment_create(mst_arena *arena, uint32_t rank, uint32_t seat,
                                      const mst_attachment_config *config)
{
    mst_attachment *attachment = calloc(1, sizeof *attachment);

    if (!attachment)
        return NULL;
    attachment->geometry = arena->geometry;
    attachment->seat = seat;
    attachment->rank = rank;
    fill_in(attachment, arena, config);
    attachment->fork_mark = mst_os_fork_mark_create();
    attachment->remote = mst_os_remote_offer();
    bool heap = attachment->fork_mark &&
                mst_heap_init(&attachment->heap, &arena->geometry, &attachment->memory, seat);
    bool liveness =
        heap && mst_liveness_init(&attachment->liveness, &arena->geometry, seat, &arena->launcher);
    attachment->others.together = calloc(arena->geometry.seats, sizeof *attachment->others.together);
    attachment->others.released = calloc(arena->geometry.seats, sizeof *attachment->others.released);
    if (liveness && attachment->others.together && attachment->others.released &&
        mst_deadlock_init(&attachment->deadlock, &arena->geometry, seat)) {
        mst_store32_rlx(&attachment->liveness.detection, detection_of(arena, config));
        attachment->deadlock.promised = config->one_thread;
        return attachment;
    }
    if (liveness)
        mst_liveness_destroy(&attachment->liveness);
    if (heap)
        mst_heap_destroy(&attachment->heap);
    mst_os_fork_mark_destroy(attachment->fork_mark);
    mst_os_remote_withdraw(&attachment->remote);
    free(attachment->others.together);
    free(attachment->others.released);
    free(attachment);
    return NULL;
}

/* ---- attaching ---- */

typedef struct awaiting {
    mst_attachment *attachment;
    _Atomic uint64_t stopped; /* an mst_awaited; 0: continue */
} awaiting;

static bool look_while_awaiting(void *arg, int peer, mst_slept slept)
{
    awaiting *awaiting = arg;
    const mst_interrupt *interrupt = &awaiting->attachment->attaching.interrupt;

    (void)peer, (void)slept;
    mst_liveness_scan(&awaiting->attachment->liveness);
    if (mst_liveness_launcher_gone(&awaiting->attachment->liveness))
        mst_store64_rlx(&awaiting->stopped, MST_AWAITED_ORPHANED);
    if (interrupt->ask && interrupt->ask(interrupt->arg))
        mst_store64_rlx(&awaiting->stopped, MST_AWAITED_INTERRUPTED);
    return false;
}

mst_awaited mst_attachment_await(mst_attachment *attachment, bool (*ready)(const void *arg), const void *arg)
{
    mst_eventcount *arrivals = &mst_layout_header(&attachment->geometry)->arrivals;
    awaiting awaiting = { .attachment = attachment };
    mst_waiter waiter = {
        .policy = { .spin_ns = 0, .yield_ns = 1 * MST_NS_PER_MS },
        .poison = &awaiting.stopped,
        .deadline = attachment->attaching.patience,
        .watch = { .tick = look_while_awaiting, .arg = &awaiting },
    };

    mst_wait_result result = mst_wait_until(&waiter, mst_eventcount_parking(arrivals), ready, arg, -1);
    attachment->attaching.patience = waiter.deadline;
    if (result == MST_WAIT_POISONED)
        return (mst_awaited)mst_load64_rlx(&awaiting.stopped);
    return result == MST_WAIT_READY ? MST_AWAITED : MST_AWAITED_TOO_LONG;
}

/* ---- references by groups ---- */

void mst_attachment_hold(mst_attachment *attachment)
{
    mst_add32_sc(&attachment->users, 1);
}

bool mst_attachment_drop(mst_attachment *attachment)
{
    if (mst_add32_sc(&attachment->users, (uint32_t)-1) != 1)
        return false;
    if (attachment->joined) {
        mst_fault_point("entry.leave");
        mst_store32_rel(&mst_layout_entry(&attachment->geometry, attachment->seat)->state,
                        MST_RANK_LEFT); /* E10 */
        mst_fault_point("entry.left");
    }
    return true;
}

bool mst_attachment_is_damaged(const mst_attachment *attachment)
{
    const mst_geometry *geometry = &attachment->geometry;
    uint32_t state = mst_load32_acq(&mst_layout_entry(geometry, attachment->seat)->state); /* E1: our own */
    bool here = state == MST_RANK_ATTACHED || state == MST_RANK_LEFT; /* the latter at exit */

    if (here && mst_rendezvous_read(geometry).outcome == MST_OUTCOME_COMPLETE)
        return false;
    mst_rendezvous_settle(geometry, &(mst_rendezvous){ .outcome = MST_OUTCOME_DAMAGED });
    mst_eventcount_advance(&mst_layout_header(geometry)->arrivals);
    return true;
}

#define REMOVED UINT32_MAX

/* Claims the task of removing the name, from nobody or from a rank that has died. */
static bool claim_removal(mst_attachment *attachment)
{
    _Atomic uint32_t *remover = &mst_layout_header(&attachment->geometry)->name_remover;
    uint32_t found = mst_load32_acq(remover);

    if (found == REMOVED)
        return false;
    bool damaged = found > attachment->geometry.seats; /* no rank's claim: rather remove it twice */
    if (found != 0 && !damaged &&
        mst_termination_of(&attachment->geometry, found - 1).kind == MUSTER_TERMINATION_NONE)
        return false;
    return mst_cmpxchg32_sc(remover, found, attachment->seat + 1) == found;
}

void mst_attachment_remove_name(mst_attachment *attachment)
{
    const mst_arena *arena = attachment->arena;

    if (!arena->name[0] || !claim_removal(attachment))
        return;
    mst_fault_point("name.remove");
    /* Another job may use the name by now, if a dead rank had already removed ours. */
    if (mst_os_object_has_name(&arena->held, arena->name))
        mst_os_object_unlink(arena->name);
    mst_fault_point("name.removed");
    mst_store32_rel(&mst_layout_header(&attachment->geometry)->name_remover, REMOVED);
}

void mst_attachment_destroy(mst_attachment *attachment)
{
    if (attachment->arena->name[0] && attachment->joined) {
        mst_liveness_scan(&attachment->liveness);
        mst_attachment_remove_name(attachment);
    }
    if (attachment->forget)
        attachment->forget(attachment);
    mst_progress_thread_stop(&attachment->waits.progress);
    mst_death_word_stop(&attachment->death_word);
    mst_heap_destroy(&attachment->heap);
    mst_liveness_destroy(&attachment->liveness);
    mst_deadlock_destroy(&attachment->deadlock);
    mst_os_fork_mark_destroy(attachment->fork_mark);
    mst_os_remote_withdraw(&attachment->remote);
    pthread_mutex_destroy(&attachment->lock);
    mst_background_destroy(&attachment->waits.background);
    mst_arena_close(attachment->arena);
    free(attachment->others.together);
    free(attachment->others.released);
    free(attachment);
}

void mst_attachment_meet(mst_attachment *attachment, uint32_t seat)
{
    if (seat != attachment->seat && attachment->others.together[seat]++ == 0)
        mst_references_add(&attachment->geometry, seat, attachment->seat);
}

void mst_attachment_part(mst_attachment *attachment, uint32_t seat)
{
    if (seat != attachment->seat && --attachment->others.together[seat] == 0)
        mst_references_remove(&attachment->geometry, seat, attachment->seat);
}

void mst_attachment_release_dead(mst_attachment *attachment)
{
    uint32_t terminations = mst_termination_count(&attachment->geometry);

    if (terminations == attachment->others.terminations_seen)
        return;
    mst_liveness_scan(&attachment->liveness); /* updates which of them can no longer write */
    if (!mst_references_release_dead(&attachment->geometry, attachment->others.released))
        attachment->others.terminations_seen = terminations;
}

muster_status mst_attachment_start_progress(mst_attachment *attachment)
{
    mst_rank_waits *waits = &attachment->waits;

    if (mst_load32_rlx(&waits->progress.started))
        return MUSTER_OK;
    int error =
        mst_progress_thread_start(&waits->progress, &waits->background, &attachment->deadlock.own_threads);
    return error ? mst_fail(MUSTER_ERR_SYSTEM,
                            "the progress thread of rank %u could not be started: %s; allow more threads "
                            "(ulimit -u), or do without it (MUSTER_PROGRESS_THREAD)",
                            attachment->rank, strerror(-error))
                 : MUSTER_OK;
}

void mst_attachment_leave(mst_attachment *attachment)
{
    mst_progress_thread_abandon(&attachment->waits.progress);
    pthread_mutex_lock(&attachment->lock);
    attachment->left = true;
    mst_liveness_say_we_end(&attachment->liveness); /* before any rank takes us for one that has left */
    for (uint32_t index = 0; index < MST_CELLS_MAX; index++) {
        if (!attachment->cells.in_use[index])
            continue;
        mst_cell *cell = mst_layout_cell(&attachment->geometry, attachment->seat, index);
        mst_store64_rel(&cell->membership, 2 * (uint64_t)attachment->cells.generations[index]); /* E10 */
    }
    pthread_mutex_unlock(&attachment->lock);
    mst_store32_rel(&mst_layout_entry(&attachment->geometry, attachment->seat)->state,
                    MST_RANK_LEFT); /* E10 */
}

bool mst_attachment_forked(const mst_attachment *attachment)
{
    return *attachment->fork_mark == 0;
}
