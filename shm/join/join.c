/* Joins an arena, and waits for the other ranks, as described in join.h. */
#include "shm/join/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/base/fault.h"
#include "shm/base/hierarchy.h"
#include "shm/death/references.h"
#include "shm/death/successor.h"
#include "shm/join/gather.h"
#include "shm/join/replace.h"
#include "shm/port/os.h"

/* ---- the CPUs of all ranks together ---- */

static int cpus_of_all(const mst_geometry *geometry)
{
    uint64_t all[MST_CPUS_MAX / 64] = { 0 };
    int count = 0;

    for (uint32_t rank = 0; rank < geometry->size; rank++)
        for (int i = 0; i < MST_CPUS_MAX / 64; i++)
            all[i] |= mst_layout_entry(geometry, rank)->cpus[i];
    for (int i = 0; i < MST_CPUS_MAX / 64; i++)
        count += __builtin_popcountll(all[i]);
    int quota = mst_os_cpu_quota();
    return count < quota ? count : quota;
}

/* ---- joining ---- */

/* Whoever has claimed the entry writes its pid after that: 0 until then. */
static muster_status refuse_taken(uint32_t rank, int32_t pid)
{
    char whom[40] = "another process";

    if (pid > 0)
        snprintf(whom, sizeof whom, "process %d", (int)pid);
    return mst_fail(MUSTER_ERR_INVALID,
                    "rank %u of this arena is or was taken by %s; each rank attaches once, and a name serves "
                    "one job at a time",
                    rank, whom);
}

static muster_status claim_entry(mst_attachment *attachment)
{
    uint32_t rank = attachment->rank;
    mst_rank_entry *entry = mst_layout_entry(&attachment->geometry, attachment->seat);

    if (mst_cmpxchg32_sc(&entry->state, MST_RANK_VACANT, MST_RANK_JOINING) != MST_RANK_VACANT)
        return refuse_taken(rank, entry->pid);
    entry->rank = rank;
    entry->mapped_bytes = mst_layout_mapped_heap_bytes(&attachment->geometry);
    mst_fault_point("entry.claimed");
    mst_liveness_introduce(&attachment->liveness);
    entry->token_at = attachment->remote.token_at;
    memcpy(entry->token, attachment->remote.token, sizeof entry->token);
    mst_os_cpus_allowed(entry->cpus);
    entry->cache = attachment->pretended_cache;
    if (!entry->cache && attachment->geometry.size >= MST_HIERARCHY_RANKS_MIN)
        entry->cache = mst_os_last_cache(entry->cpus);
    return MUSTER_OK;
}

/* ATTACHED is the last store of joining: whoever sees it may use the rank's cell 0 and staging. */
static void publish_entry(const mst_geometry *geometry, uint32_t seat)
{
    mst_fault_point("entry.attach");
    mst_store32_rel(&mst_layout_entry(geometry, seat)->state, MST_RANK_ATTACHED); /* E1 */
    mst_fault_point("entry.attached");
    mst_eventcount_advance(&mst_layout_header(geometry)->arrivals); /* E1 */
}

/* ---- how much of the heaps is used ---- */

/* The least that any rank of the world has mapped: all ranks use only that much of each heap. */
static uint64_t common_heap_bytes(const mst_geometry *geometry)
{
    uint64_t least = geometry->region_bytes;

    for (uint32_t seat = 0; seat < geometry->size; seat++) {
        uint64_t mapped = mst_layout_entry(geometry, seat)->mapped_bytes;

        if (mapped >= MST_REGION_BYTES_MIN && mapped < least && mapped % MST_PAGE == 0)
            least = mapped;
    }
    return least;
}

static muster_status limit_heap(mst_attachment *attachment)
{
    const mst_geometry *geometry = &attachment->geometry;
    uint64_t common = common_heap_bytes(geometry), mapped = mst_layout_mapped_heap_bytes(geometry);

    if (common > mapped) /* a replacement: the others already use more */
        return mst_fail(
            MUSTER_ERR_NO_SPACE,
            "this process can map %llu MiB of each rank's memory, and the others use %llu; give it as much "
            "address space as they have (ulimit -v, valgrind), or lower MUSTER_ARENA_BYTES",
            (unsigned long long)(mapped >> 20), (unsigned long long)(common >> 20));
    mst_heap_limit(&attachment->heap, common);
    return MUSTER_OK;
}

/* ---- joining and opening the world ---- */

static void look_at_terminations(void *arg)
{
    mst_subarenas_look_at_terminations(arg);
}

/* In a world of one nothing goes on without its own calls. */
static muster_status start_progress_thread(mst_attachment *attachment)
{
    if (!attachment->waits.progress.wanted || attachment->geometry.seats == 1)
        return MUSTER_OK;
    return mst_attachment_start_progress(attachment);
}

/* The first part that a rank claims is its part of the world, or of the group that admits it as a
 * replacement; so its cell and offset are known to all. */
static muster_status take_seat(mst_attachment *attachment, mst_member *member)
{
    muster_status status = claim_entry(attachment);
    if (status != MUSTER_OK)
        return status;
    attachment->joined = true;
    if (attachment->geometry.seats > 1)
        mst_death_word_start(&attachment->death_word, &attachment->liveness, look_at_terminations, attachment,
                             &attachment->deadlock.own_threads);
    status = start_progress_thread(attachment);
    if (status == MUSTER_OK)
        status = mst_member_claim(attachment, member);
    return status == MUSTER_OK ? mst_member_claim_staging(attachment, member) : status;
}

static muster_status open_world(mst_attachment *attachment, mst_subarena **world)
{
    uint32_t size = attachment->geometry.size;
    mst_member *members = calloc(size, sizeof *members);

    if (!members)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a world of %u", size);
    for (uint32_t rank = 0; rank < size; rank++) {
        const mst_cell *cell = mst_layout_cell(&attachment->geometry, rank, MST_WORLD_CELL);

        members[rank] = (mst_member){ rank, MST_WORLD_CELL, MST_WORLD_MEMBERSHIP, cell->staging_offset, 0 };
    }
    muster_status status = mst_subarena_open(attachment, members, (int)attachment->rank, (int)size, world);
    free(members);
    return status;
}

static muster_status join_first(mst_attachment *attachment, mst_subarena **world)
{
    mst_member member;

    muster_status status = take_seat(attachment, &member);
    if (status == MUSTER_OK) {
        for (uint32_t seat = 0; seat < attachment->geometry.size; seat++) /* before we can be seen, and die */
            mst_references_add(&attachment->geometry, seat, attachment->seat);
        publish_entry(&attachment->geometry, attachment->seat);
        status = mst_gather(attachment);
    } else if (attachment->joined) { /* a second claimant of the seat must not break the first one's job */
        mst_gather_refuse(attachment, status);
    }
    if (status == MUSTER_OK)
        status = limit_heap(attachment);
    if (status != MUSTER_OK)
        return status;
    attachment->waits.cpus = cpus_of_all(&attachment->geometry);
    attachment->waits.policy = mst_wait_policy_for((int)attachment->geometry.size, attachment->waits.cpus);
    return open_world(attachment, world);
}

static muster_status join_later(mst_attachment *attachment, mst_subarena **group)
{
    mst_member member;

    muster_status status = take_seat(attachment, &member);
    if (status == MUSTER_OK)
        status = limit_heap(attachment);
    return status == MUSTER_OK ? mst_replace(attachment, &member, group) : status;
}

static muster_status join_as(mst_attachment *attachment, mst_subarena **world)
{
    bool first = attachment->seat == attachment->rank;

    muster_status status = first ? join_first(attachment, world) : join_later(attachment, world);
    if (status != MUSTER_OK)
        return status;
    /* Without a launcher to report terminations, watches are opened now: a dead rank may be reaped before our
     * first slow wait. */
    if (attachment->arena->launcher.pid == 0)
        mst_liveness_scan(&attachment->liveness);
    mst_death_word_watch(&attachment->death_word);
    return status;
}

static muster_status find_seat(const mst_geometry *geometry, const mst_joiner *joiner, uint32_t *seat)
{
    if (joiner->rank < 0 || (uint32_t)joiner->rank >= geometry->size)
        return mst_fail(MUSTER_ERR_INVALID, "rank %d is not between 0 and %u", joiner->rank,
                        geometry->size - 1);
    *seat = joiner->replacements < 0
                ? MST_NO_SEAT
                : mst_successor_seat(geometry, (uint32_t)joiner->rank, (uint32_t)joiner->replacements);
    if (*seat != MST_NO_SEAT)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "MUSTER_RESTARTS is %d, and the launcher has announced no such replacement of rank %d; it "
        "sets the variable itself",
        joiner->replacements, joiner->rank);
}

muster_status mst_join(mst_arena *arena, const mst_joiner *joiner, mst_subarena **world)
{
    uint32_t seat = MST_NO_SEAT;

    muster_status status = find_seat(&arena->geometry, joiner, &seat);
    if (status != MUSTER_OK) {
        mst_arena_close(arena);
        return status;
    }
    mst_attachment *attachment = mst_attachment_create(arena, (uint32_t)joiner->rank, seat, &joiner->config);
    if (!attachment) {
        mst_arena_close(arena);
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to attach");
    }
    status = join_as(attachment, world);
    mst_subarena_drop_attachment(attachment); /* the world has a reference now, or joining failed */
    return status;
}
