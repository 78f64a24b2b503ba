/* What a rank does at each tick of a long wait, as described in stall.h. */
#include "src/onehost/wait/stall.h"

#include <stdio.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "src/onehost/wait/broken.h"

#define LOOK_FOR_DUMP_AFTER_NS (100 * MST_NS_PER_MS)
/* Anything that takes several system calls is done at every tick of the first second, then four times per
 * second: a rank that waits for work, perhaps for days, should use no CPU time. */
#define OFTEN_NS (1 * MST_NS_PER_S)
#define RARELY_NS (240 * MST_NS_PER_MS)
#define LOOK_FOR_CYCLE_AFTER_NS (10 * MST_NS_PER_MS) /* at the second tick, and each after it */

/* One tick of a wait. */
typedef struct stall {
    const mst_waiting *waiting;
    int peers[2]; /* that must act; -1: none in particular */
    int64_t slept_ns;
} stall;

/* A member that has left matters only to ranks that wait for it. */
static bool has_left(const mst_group *group, int peer)
{
    return peer >= 0 && !mst_subarena_has_member(group->subarena, peer);
}

/* Whether it has entered a shrink or grow of the group, in which it waits for us: then it arrives at no other
 * call. */
static bool has_gone(const mst_group *group, int peer)
{
    mst_cell *const *cells = group->subarena->cells;
    uint64_t own = mst_load64_acq(&cells[group->base.rank]->regroups);       /* E11 */
    uint64_t theirs = peer < 0 ? 0 : mst_load64_acq(&cells[peer]->regroups); /* E11 */

    return (theirs & 1) && theirs >> 1 > own >> 1;
}

/* The first member that makes a wait for `peer` hopeless; -1: none. A wait that any member could end
 * (MST_ANY_PEER) is hopeless if one has entered a regroup, in which it waits for us, or if all have left. The
 * dead are not looked for here: a death breaks the group. */
static int find_lost(const mst_group *group, int peer)
{
    int left = -1, there = 0;

    if (peer != MST_ANY_PEER)
        return has_left(group, peer) || has_gone(group, peer) ? peer : -1;
    for (int rank = 0; rank < group->base.size; rank++) {
        if (rank == group->base.rank)
            continue;
        if (has_gone(group, rank))
            return rank;
        if (has_left(group, rank))
            left = rank;
        else
            there++;
    }
    return there ? -1 : left;
}

bool mst_group_is_lost(const mst_group *group, int peer)
{
    return find_lost(group, peer) >= 0;
}

bool mst_member_is_gone(const mst_group *group, int rank)
{
    const mst_subarena *subarena = group->subarena;

    return has_left(group, rank) ||
           mst_termination_of(&subarena->attachment->geometry, subarena->members[rank].seat).kind !=
               MUSTER_TERMINATION_NONE;
}

void mst_group_lose(mst_group *group, int peer)
{
    const mst_subarena *subarena = group->subarena;

    /* It may have left or entered the regroup because of a death, which is the cause then. */
    peer = find_lost(group, peer);
    if (peer < 0 || mst_subarena_look_at_terminations(subarena))
        return;
    if (!has_left(group, peer)) {
        mst_group_spread(group, MST_POISON_REGROUPS, peer, 0);
        return;
    }
    muster_termination termination =
        mst_termination_of(&subarena->attachment->geometry, subarena->members[peer].seat);
    /* If it has died since, report how. */
    if (termination.kind == MUSTER_TERMINATION_NONE ||
        (termination.kind == MUSTER_TERMINATION_EXITED && termination.code == 0))
        mst_group_spread(group, MST_POISON_LEFT, peer, termination.kind == MUSTER_TERMINATION_EXITED);
    else
        mst_group_spread(group, mst_poison_of_termination(termination), peer, termination.code);
}

/* By the wait's own time: several threads may wait in the group. */
static bool is_due(mst_slept slept)
{
    return slept.ns < OFTEN_NS || slept.ns / RARELY_NS != slept.before_ns / RARELY_NS;
}

static bool is_awaited(const stall *stall, int rank)
{
    if (rank == stall->peers[0] || rank == stall->peers[1])
        return true;
    return rank != stall->waiting->group->base.rank &&
           (stall->peers[0] == MST_ANY_PEER || stall->peers[1] == MST_ANY_PEER);
}

static void look_for_dead(const stall *stall, bool due)
{
    mst_group *group = stall->waiting->group;
    mst_liveness *liveness = &group->subarena->attachment->liveness;

    mst_liveness_scan(liveness);
    for (int rank = 0; rank < group->base.size && stall->slept_ns >= LOOK_FOR_DUMP_AFTER_NS; rank++)
        if (due && is_awaited(stall, rank))
            mst_liveness_look_for_dump(liveness, group->subarena->members[rank].seat);
    mst_subarena_look_at_terminations(group->subarena);
    if (mst_liveness_launcher_gone(liveness)) {
        mst_store64_rlx(&group->interrupted, MST_ORPHANED);
        mst_group_spread(group, MST_POISON_LAUNCHER, 0, 0);
    }
}

/* A member with a poisoned cell enters no call any more. A rank that waits for it adopts its reason and
 * spreads it, which covers the case that the first to spread it has died. */
static void look_for_poison(mst_group *group, int peer)
{
    const mst_subarena *subarena = group->subarena;

    if (peer < 0 || mst_subarena_is_broken(subarena))
        return;
    uint64_t word = mst_load64_acq(&subarena->cells[peer]->poison); /* E7 */
    if (word == subarena->no_poison[peer])
        return;
    if (!mst_poison_is_of(word, subarena->no_poison[peer])) { /* of the cell's next group, or damaged */
        if (!has_left(group, peer))
            mst_group_poison(group, MST_POISON_DAMAGE,
                             "rank %d found the poison word of rank %d overwritten: the arena is damaged",
                             group->base.rank, peer);
        return;
    }
    mst_poison poison = mst_poison_unpack(word);
    mst_group_spread(group, poison.kind, poison.rank, poison.code);
}

void mst_seats_add_peer(mst_seats *seats, const mst_group *group, int peer)
{
    for (int rank = 0; rank < group->base.size; rank++) {
        uint32_t seat = group->subarena->members[rank].seat;
        bool would_do = peer == MST_ANY_PEER && (rank != group->base.rank || group->base.size == 1);

        if ((rank == peer || would_do) && !has_left(group, rank))
            seats->bits[seat / 64] |= 1ULL << seat % 64;
    }
}

typedef struct needs {
    uint32_t awaited[2]; /* seats of ranks that must both act; MST_RANKS_MAX: none */
    bool any;            /* one of a set must act, too */
    mst_seats any_of;
} needs;

/* A set of one is the rank that must act. */
static void take_the_only_one(needs *needs)
{
    uint32_t found = MST_RANKS_MAX;

    for (uint32_t seat = 0; seat < MST_RANKS_MAX; seat++) {
        if (!(needs->any_of.bits[seat / 64] >> seat % 64 & 1))
            continue;
        if (found != MST_RANKS_MAX)
            return;
        found = seat;
    }
    needs->awaited[0] = found;
    needs->any = found == MST_RANKS_MAX;
}

/* False: something else may end the wait. */
static bool find_needs(const stall *stall, needs *needs)
{
    const mst_group *group = stall->waiting->group;
    const mst_wait_kind *kind = stall->waiting->kind;

    *needs = (struct needs){ .awaited = { MST_RANKS_MAX, MST_RANKS_MAX } };
    if (kind->find_any) {
        needs->any = kind->find_any(stall->waiting->call, &needs->any_of);
        if (!needs->any)
            return false;
        take_the_only_one(needs);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if (stall->peers[i] >= 0)
            needs->awaited[i] = group->subarena->members[stall->peers[i]].seat;
        needs->any = needs->any || stall->peers[i] == MST_ANY_PEER;
    }
    if (needs->any)
        mst_seats_add_peer(&needs->any_of, group, MST_ANY_PEER);
    return true;
}

/* A cycle may go through several groups: the call says of which one it is, if that has a name. */
static void describe(const mst_waiting *waiting, char *text, size_t bytes)
{
    const char *name = waiting->group->base.name;

    waiting->kind->describe(waiting->call, text, bytes);
    size_t length = strlen(text);
    if (name[0])
        snprintf(text + length, bytes - length, " of \"%s\"", name);
}

static void look_for_cycle(const stall *stall, bool due)
{
    mst_group *group = stall->waiting->group;
    mst_deadlock *deadlock = &group->subarena->attachment->deadlock;
    const mst_wait_kind *kind = stall->waiting->kind;
    char doing[MST_DOING_BYTES], cycle[MST_REASON_BYTES];
    needs needs;

    if (!due && !mst_load32_rlx(&deadlock->published)) /* a thread may have ended since the last look */
        return;
    if (!mst_background_progress(&group->subarena->attachment->waits.background, false))
        return; /* another thread is about to move something, perhaps what a member of the cycle waits for */
    if (!find_needs(stall, &needs)) {
        mst_deadlock_over(deadlock);
        return;
    }
    describe(stall->waiting, doing, sizeof doing);
    mst_deadlock_waiting(deadlock, needs.awaited, needs.any ? &needs.any_of : NULL, doing, due);
    if (!mst_deadlock_found(deadlock, cycle, sizeof cycle) || kind->regroups)
        return;
    if (kind->alone) {
        kind->keep_cycle(stall->waiting->call, cycle);
        mst_store64_rlx(&group->interrupted, MST_IN_CYCLE);
    } else {
        mst_group_poison(group, MST_POISON_DEADLOCK, "%s", cycle);
    }
}

/* Every member of a group has attached, or is a replacement about to. */
static bool a_member_is_damaged(const mst_subarena *subarena)
{
    for (int rank = 0; rank < subarena->size; rank++) {
        const mst_rank_entry *entry =
            mst_layout_entry(&subarena->attachment->geometry, subarena->members[rank].seat);
        uint32_t state = mst_load32_acq(&entry->state); /* E1 */

        if (state < MST_RANK_ATTACHED || state > MST_RANK_WAITING)
            return true;
    }
    return false;
}

/* If our entry were overwritten, ranks that are still attaching would wait for us for ever. */
static void look_for_damage(mst_group *group, bool alone)
{
    if (!mst_attachment_is_damaged(group->subarena->attachment) && !a_member_is_damaged(group->subarena))
        return;
    mst_group_poison(group, MST_POISON_DAMAGE,
                     "rank %d found its own entry, or another rank's, overwritten: the arena is damaged",
                     group->base.rank);
    if (alone)
        mst_store64_rlx(&group->interrupted, MST_DAMAGED);
}

/* A shrink that is interrupted has left nothing half done: that call alone ends. */
static void ask_for_interruption(const mst_waiting *waiting)
{
    mst_group *group = waiting->group;
    muster_interrupt_fn interrupt = group->base.interrupt;

    if (!interrupt || !interrupt(group->base.interrupt_arg))
        return;
    mst_store64_rlx(&group->interrupted, MST_INTERRUPTED);
    if (!waiting->kind->regroups && !waiting->kind->alone)
        mst_group_poison_about(group, MST_POISON_ABORT, group->base.rank, "rank %d was interrupted",
                               group->base.rank);
}

/* ---- the watch ---- */

static void find_peers(const mst_waiting *waiting, int peer, int peers[2])
{
    peers[0] = peer;
    peers[1] = -1;
    if (waiting->kind->find_peers)
        waiting->kind->find_peers(waiting->call, peers);
}

static bool any_is_gone(const mst_group *group, const int peers[2])
{
    return (peers[0] >= 0 && mst_member_is_gone(group, peers[0])) ||
           (peers[1] >= 0 && mst_member_is_gone(group, peers[1]));
}

static bool tick(void *arg, int peer, mst_slept slept)
{
    const mst_waiting *waiting = arg;
    mst_group *group = waiting->group;
    bool regroups = waiting->kind->regroups, alone = waiting->kind->alone, due = is_due(slept);
    stall stall = { .waiting = waiting, .slept_ns = slept.ns };

    find_peers(waiting, peer, stall.peers);
    if (waiting->kind->show)
        waiting->kind->show(waiting->call);
    look_for_dead(&stall, due);
    for (int rank = 0; rank < group->base.size && !alone; rank++)
        if (is_awaited(&stall, rank))
            look_for_poison(group, rank);
    look_for_damage(group, alone);
    if (waiting->kind->look)
        waiting->kind->look(waiting->call);
    ask_for_interruption(waiting);
    if (slept.ns >= LOOK_FOR_CYCLE_AFTER_NS && !waiting->kind->open && !group->base.carries &&
        (regroups || alone || !mst_subarena_is_broken(group->subarena)))
        look_for_cycle(&stall, due);
    if (alone)
        return any_is_gone(group, stall.peers);
    return !regroups &&
           (mst_group_is_lost(group, stall.peers[0]) || mst_group_is_lost(group, stall.peers[1]));
}

static void lost(void *arg, int peer)
{
    const mst_waiting *waiting = arg;
    int peers[2];

    find_peers(waiting, peer, peers);
    if (waiting->kind->alone) {
        if (any_is_gone(waiting->group, peers))
            mst_store64_rlx(&waiting->group->interrupted, MST_ABANDONED);
        return;
    }
    mst_group_lose(waiting->group, peers[0]);
    mst_group_lose(waiting->group, peers[1]);
}

static void woke(void *arg)
{
    const mst_waiting *waiting = arg;

    mst_deadlock_over(&waiting->group->subarena->attachment->deadlock);
}

static bool may_rest(void *arg)
{
    const mst_waiting *waiting = arg;
    const mst_attachment *attachment = waiting->group->subarena->attachment;

    return waiting->kind->may_rest && attachment->death_word.started && attachment->death_word.up &&
           mst_load32_rlx(&attachment->liveness.detection) == MST_DETECTION_FUTEX &&
           !mst_load32_rlx(&attachment->deadlock.published) && !waiting->group->base.interrupt;
}

/* In a call that waits for nobody in particular, any other member may be the one. */
static bool is_beside(void *arg, int peer, uint32_t cpu)
{
    const mst_waiting *waiting = arg;
    const mst_subarena *subarena = waiting->group->subarena;
    stall stall = { .waiting = waiting };

    find_peers(waiting, peer, stall.peers);
    if (stall.peers[0] == -1 && stall.peers[1] == -1)
        stall.peers[0] = MST_ANY_PEER;
    for (int rank = 0; rank < waiting->group->base.size; rank++) {
        const mst_rank_entry *entry =
            mst_layout_entry(&subarena->attachment->geometry, subarena->members[rank].seat);

        if (is_awaited(&stall, rank) && mst_load32_rlx(&entry->cpu) == cpu)
            return true;
    }
    return false;
}

mst_watch mst_waiting_watch(mst_waiting *waiting)
{
    return (mst_watch){ tick, lost, woke, waiting, may_rest, is_beside };
}
