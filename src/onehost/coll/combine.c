/*
 * Combines sources, for combine.h.
 *
 * Operations that the program made see blocks: `acc` is a block of ours, `next` the source itself, as it lies
 * in staging or in its rank's arena buffer. Rounds, slices and blocks begin at multiples of a line, so a
 * source's elements are aligned as in the buffer that they come from, up to the 16 bytes of an arrival's
 * payload.
 */
#include "src/onehost/coll/combine.h"

#include <string.h>

#include "src/onehost/coll/view.h"
#include "src/onehost/group/showing.h"
#include "src/pure/partition.h"

#define ALONE_BYTES 8192 /* for one target: non-temporal stores prefer fewer, longer runs */

/* ---- planning ---- */

void mst_combine_plan(mst_call *call)
{
    const mst_request *request = call->request;

    if (request->made)
        mst_group_show_op(call->group, request->made->name);
    call->plan.assembled =
        request->made && request->made->fn && !mst_element_is_uncut(request->element_bytes);
    call->plan.reduce = !mst_shapes[request->collective].reduces || request->made
                            ? NULL
                            : call->group->kernels->reduce[request->dtype][request->op];
}

/* ---- combining ---- */

static void call_program(const mst_call *call, void *acc, const void *next, size_t bytes)
{
    const mst_request *request = call->request;
    mst_progress_thread *progress = &call->group->subarena->attachment->waits.progress;

    mst_progress_thread_calls_program(progress);
    request->made->fn(acc, next, bytes / request->element_bytes, request->dtype, request->made->arg);
    mst_progress_thread_called_program(progress);
}

void mst_combine_onto(const mst_call *call, void *acc, const void *const *sources, int count, size_t bytes)
{
    for (int s = 1; s < count; s++)
        call_program(call, acc, sources[s], bytes);
}

/* Makes the result in a block first, as `to` may be one of the sources. */
static void combine_by_program(const mst_call *call, void *to, const void *const *sources, int count,
                               size_t bytes)
{
    _Alignas(64) unsigned char block[MST_COMBINE_BYTES];

    for (size_t at = 0; at < bytes; at += sizeof block) {
        size_t now = bytes - at < sizeof block ? bytes - at : sizeof block;

        memcpy(block, (const unsigned char *)sources[0] + at, now);
        for (int s = 1; s < count; s++)
            call_program(call, block, (const unsigned char *)sources[s] + at, now);
        memcpy((unsigned char *)to + at, block, now);
    }
}

void mst_combine_by_one(const mst_call *call, void *to, const void *const *sources, int count, size_t bytes)
{
    const mst_request *request = call->request;
    size_t elements = bytes / request->element_bytes;

    if (call->plan.reduce)
        call->plan.reduce(to, sources, count, elements);
    else if (request->made->fn)
        combine_by_program(call, to, sources, count, bytes);
    else
        call->group->kernels->reduce_scaled[request->dtype](
            to, sources, (call->records ? call->records : call->group->records)[0].made,
            sizeof(mst_call_record), count, elements);
}

/* ---- with the threads that help ---- */

const void **mst_part_sources(const mst_call *call, mst_part part, const void *const *sources, int count)
{
    const void **own = call->team->of[part.thread].sources;

    for (int s = 0; s < count; s++)
        own[s] = (const unsigned char *)sources[s] + part.at;
    return own;
}

mst_target *mst_part_targets(const mst_call *call, mst_part part, const mst_target *targets, int count)
{
    mst_target *own = call->team->of[part.thread].targets;

    for (int t = 0; t < count; t++)
        own[t] = (mst_target){ targets[t].at ? targets[t].at + part.at : NULL, targets[t].stream };
    return own;
}

/* What several threads combine: into `to`, or into the targets. */
typedef struct combination {
    const mst_call *call;
    void *to;
    const void *const *sources;
    int source_count;
    const mst_target *targets;
    int target_count;
} combination;

static void combine_part(const void *work, mst_part part)
{
    const combination *all = work;

    mst_combine_by_one(all->call, (unsigned char *)all->to + part.at,
                       mst_part_sources(all->call, part, all->sources, all->source_count), all->source_count,
                       part.bytes);
}

static __attribute__((noinline)) void combine_together(const combination *all, size_t bytes)
{
    mst_team_do(all->call->team,
                (mst_team_job){ .fn = combine_part,
                                .work = all,
                                .bytes = bytes,
                                .lead = mst_team_lead(all->to, all->call->request->element_bytes) });
}

void mst_combine(const mst_call *call, void *to, const void *const *sources, int count, size_t bytes)
{
    if (mst_combine_shares(call, bytes))
        combine_together(&(combination){ call, to, sources, count, NULL, 0 }, bytes);
    else
        mst_combine_by_one(call, to, sources, count, bytes);
}

/* ---- into several targets ---- */

void mst_combine_alone(const mst_call *call, void *to, const void *from, size_t bytes)
{
    const mst_request *request = call->request;

    if (bytes && request->made && !request->made->fn)
        call->group->kernels->reduce_scaled[request->dtype](to, &from, request->made->factor, 0, 1,
                                                            bytes / request->element_bytes);
    else
        mst_copy_together(call, to, from, bytes);
}

/* By this thread. Advances the pointers. */
static void combine_sources(const mst_call *call, const void **sources, mst_target *targets, int target_count,
                            size_t bytes)
{
    mst_group *group = call->group;
    size_t most = target_count == 1 ? ALONE_BYTES : MST_COMBINE_BYTES;
    _Alignas(64) unsigned char block[ALONE_BYTES];

    while (bytes > 0) {
        size_t now = bytes < most ? bytes : most;

        mst_combine_by_one(call, block, sources, group->base.size, now);
        for (int t = 0; t < target_count; t++) {
            mst_target *target = &targets[t];

            (target->stream ? group->kernels->stream : group->kernels->copy)(target->at, block, now);
            target->at += now;
        }
        for (int s = 0; s < group->base.size; s++)
            sources[s] = (const unsigned char *)sources[s] + now;
        bytes -= now;
    }
}

static void combine_sources_part(const void *work, mst_part part)
{
    const combination *all = work;

    combine_sources(all->call, mst_part_sources(all->call, part, all->sources, all->source_count),
                    mst_part_targets(all->call, part, all->targets, all->target_count), all->target_count,
                    part.bytes);
}

static __attribute__((noinline)) void combine_sources_together(const combination *all, size_t bytes)
{
    mst_team_do(all->call->team, (mst_team_job){ .fn = combine_sources_part,
                                                 .work = all,
                                                 .bytes = bytes,
                                                 .lead = mst_team_lead(all->targets[0].at,
                                                                       all->call->request->element_bytes) });
}

void mst_combine_sources(const mst_call *call, const void **sources, mst_target *targets, int target_count,
                         size_t bytes)
{
    int source_count = call->group->base.size;

    if (!mst_combine_shares(call, bytes)) {
        combine_sources(call, sources, targets, target_count, bytes);
        return;
    }
    combine_sources_together(&(combination){ call, NULL, sources, source_count, targets, target_count },
                             bytes);
    for (int t = 0; t < target_count; t++)
        targets[t].at += bytes;
    for (int s = 0; s < source_count; s++)
        sources[s] = (const unsigned char *)sources[s] + bytes;
}

void mst_combine_into_targets(const mst_call *call, int target_count, size_t bytes)
{
    mst_combine_sources(call, call->group->sources, call->group->targets, target_count, bytes);
}

void mst_combine_out(const mst_call *call, size_t at, size_t bytes)
{
    unsigned char *out = (unsigned char *)call->request->out + at;

    /* Plain stores also where the inputs are staged with non-temporal ones: the CPU has not enough buffers
     * for both. */
    if (!mst_streams_out(call) || mst_store_is_nontemporal(&call->group->staging_stores, bytes)) {
        mst_combine(call, out, call->group->sources, call->group->base.size, bytes);
        return;
    }
    call->group->targets[0] = (mst_target){ out, true };
    mst_combine_into_targets(call, 1, bytes);
}
