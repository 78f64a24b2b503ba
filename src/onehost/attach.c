/*
 * Attaching: from a config to a world. Opens the arena that the config names (inherited, named, or a private
 * one), joins it, and creates the world's group on it. Keeps no state.
 */
#include "src/onehost/attach.h"

#include <string.h>

#include "shm/arena/meet.h"
#include "shm/base/atomic.h"
#include "shm/base/chaos.h"
#include "shm/base/error.h"
#include "shm/join/join.h"
#include "shm/port/os.h"
#include "src/onehost/arena_malloc.h"
#include "src/onehost/choice.h"
#include "src/onehost/crash.h"
#include "src/onehost/create/create.h"
#include "src/pure/config.h"

#define ATTACH_TIMEOUT_NS (30 * MST_NS_PER_S) /* of a named arena: a rank may never come */

/* The deadline of attaching: its own limit if set, else the limit of operations, else, for a named arena, the
 * default. */
static mst_deadline patience_of(const muster_config *config, bool named)
{
    int64_t limit_ns = config->attach_timeout_ns;

    if (limit_ns == 0)
        limit_ns = config->timeout_ns;
    if (limit_ns == 0 && named)
        limit_ns = ATTACH_TIMEOUT_NS;
    return (mst_deadline){ .limit_ns = limit_ns > 0 ? limit_ns : 0 };
}

static muster_status open_arena(const muster_config *config, mst_deadline *patience, mst_arena **arena)
{
    mst_choice choice;
    mst_arena_plan plan = { .size = config->size,
                            .arena_bytes = config->arena_bytes,
                            .staging_bytes = config->staging_bytes,
                            .thresholds = &choice.thresholds };
    int fd;

    if (!config->arena && config->size != 1)
        return mst_fail(MUSTER_ERR_INVALID,
                        "a world of %d ranks needs an arena: /NAME, the same on all ranks, or fd:N "
                        "from a launcher",
                        config->size);
    if (!config->arena) { /* of one rank, which has no thresholds */
        plan.thresholds = NULL;
        return mst_arena_create(&plan, arena);
    }
    if (mst_config_descriptor(config->arena, &fd)) {
        return mst_arena_open(fd, config->size, arena);
    }
    if (config->arena[0] != '/')
        return mst_fail(MUSTER_ERR_INVALID,
                        "\"%.60s\" is not an arena: expected /NAME, or fd:N from a launcher", config->arena);
    muster_status status = mst_choice_make(&choice);
    if (status != MUSTER_OK)
        return status;
    *patience = patience_of(config, true);
    return mst_arena_meet(config->arena, &plan, patience, arena);
}

static muster_status find_kernels(const mst_kernels **kernels)
{
    const char *isa = mst_config_isa();

    *kernels = mst_kernels_find(isa);
    if (*kernels)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_INVALID,
        "MUSTER_ISA is \"%.20s\", which this build or CPU does not have; "
        "expected scalar, base, v2, v3 or v4 (of which those beyond base are x86-64's), or leave it unset",
        isa ? isa : "");
}

static const char *const detection_names[] = { "futex", "tick", "pidfd", "launcher" };

/* The detection method named by MUSTER_LIVENESS or the config. */
static muster_status find_detection(const char *name, mst_detection *detection)
{
    for (int i = 0; i < 4; i++) {
        *detection = (mst_detection)i;
        if (!name || strcmp(name, detection_names[i]) == 0)
            return MUSTER_OK;
    }
    return mst_fail(MUSTER_ERR_INVALID,
                    "MUSTER_LIVENESS is \"%.20s\"; expected futex, tick, pidfd or launcher, or leave it "
                    "unset",
                    name);
}

static void tell_attached(const mst_group *group)
{
    const mst_attachment *attachment = group->subarena->attachment;
    const mst_geometry *geometry = &attachment->geometry;

    mst_log_line(
        &attachment->log, MUSTER_LOG_INFO,
        "rank %d of %d has attached, in process %d: %s kernels, %llu KiB of staging per group, waits %s, "
        "detects deaths by %s%s",
        group->base.rank, group->base.size, mst_os_process_id(), group->kernels->isa,
        (unsigned long long)geometry->staging_bytes / 1024,
        attachment->waits.policy.spin_ns ? "spinning" : "without spinning, as there are more ranks than CPUs",
        detection_names[mst_load32_rlx(&attachment->liveness.detection)],
        mst_load32_rlx(&attachment->waits.progress.started) ? ", has a progress thread" : "");
    if (geometry->unmapped_bytes)
        mst_log_line(
            &attachment->log, MUSTER_LOG_INFO,
            "rank %d has address space for %llu of the %llu MiB of each rank's memory: no rank uses more",
            group->base.rank, (unsigned long long)mst_layout_mapped_heap_bytes(geometry) >> 20,
            (unsigned long long)geometry->region_bytes >> 20);
    if (attachment->injections.count)
        mst_log_line(&attachment->log, MUSTER_LOG_WARN, "MUSTER_FAULT asks for %d fault%s of this rank",
                     attachment->injections.count, attachment->injections.count == 1 ? "" : "s");
}

/* As the user set it; otherwise by measurement. */
static muster_status plan_stores(mst_group *world)
{
    size_t bytes = 0;

    muster_status status = mst_config_stream_bytes(&bytes);
    if (status == MUSTER_OK && bytes > 0) {
        world->tuning.nontemporal_bytes_min = bytes;
        world->tuning.nontemporal_fixed = true;
        mst_group_plan_stores(world);
    }
    return status;
}

/* MUSTER_PRETEND_TOPOLOGY: so many ranks in a row share a cache, and there are so many of these. */
static muster_status pretend_cache(int rank, uint32_t *cache)
{
    int domains, ranks;
    muster_status status = mst_config_topology(&domains, &ranks);

    if (status == MUSTER_OK && domains)
        *cache = MST_CACHE_PRETENDED | (uint32_t)(rank / ranks % domains);
    return status;
}

/* Copies from the config what an attachment is made with. Fails when a value makes no sense. */
static muster_status configure(const muster_config *config, mst_attachment_config *attachment)
{
    muster_status status = find_detection(config->liveness, &attachment->detection);

    if (status == MUSTER_OK)
        status = mst_injections_parse(config->restarts ? NULL : config->fault, config->rank,
                                      &attachment->injections);
    if (status == MUSTER_OK)
        status = pretend_cache(config->rank, &attachment->cache);
    attachment->interrupt = (mst_interrupt){ config->interrupt, config->interrupt_arg };
    attachment->one_thread = config->one_thread;
    attachment->exact_times = config->exact_times;
    attachment->progress_thread = config->progress_thread;
    attachment->log = (mst_log){ config->log_level, config->log, config->log_arg, config->rank };
    return status;
}

muster_status mst_group_check(const muster_config *config)
{
    const mst_kernels *kernels;
    mst_attachment_config attachment = { .one_thread = false };
    size_t bytes;

    muster_status status = find_kernels(&kernels);
    if (status == MUSTER_OK)
        status = configure(config, &attachment);
    return status == MUSTER_OK ? mst_config_stream_bytes(&bytes) : status;
}

static muster_status join(const muster_config *config, mst_arena *arena, mst_joiner *joiner,
                          mst_subarena **subarena)
{
    muster_status status = configure(config, &joiner->config);

    if (config->chaos)
        mst_chaos_begin(config->chaos, (uint32_t)config->rank);
    if (status == MUSTER_OK)
        return mst_join(arena, joiner, subarena);
    mst_arena_close(arena);
    return status;
}

muster_status mst_group_attach(const muster_config *config, mst_arena *share, muster_group **world)
{
    const mst_kernels *kernels;
    mst_arena *arena = share;
    mst_joiner joiner = { .rank = config->rank,
                          .replacements = config->restarts,
                          .config.patience = patience_of(config, false) };
    mst_subarena *subarena;
    mst_group *group = NULL;

    muster_status status = find_kernels(&kernels);
    if (status == MUSTER_OK && !share)
        status = open_arena(config, &joiner.config.patience, &arena);
    if (status != MUSTER_OK)
        return status;
    if (share)
        mst_arena_share(share);
    status = join(config, arena, &joiner, &subarena);
    if (status != MUSTER_OK)
        return status;
    status = mst_group_create(subarena, kernels, config->timeout_ns, &group);
    if (status == MUSTER_OK) {
        group->whole = true;
        if (config->threads_multiple)
            mst_group_serve_threads(group);
        group->base.interrupt = config->interrupt;
        group->base.interrupt_arg = config->interrupt_arg;
        status = plan_stores(group);
    }
    if (status == MUSTER_OK && config->report_crashes)
        status = mst_crash_report(subarena->attachment);
    if (status == MUSTER_OK) {
        tell_attached(group);
        if (config->arena_malloc && !share) /* ranks that are threads have one malloc */
            mst_arena_malloc_begin(group, config->arena);
        *world = &group->base;
    } else if (group) {
        mst_group_close(&group->base);
    }
    return status;
}
