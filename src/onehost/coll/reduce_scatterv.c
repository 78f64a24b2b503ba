/*
 * reduce_scatterv: rank r gets the reduction of block r of all inputs, of as many elements as counts[r] says.
 *
 * In R rounds each rank stages an R-th of every other rank's block, rounded up to an element, and reduces the
 * parts of its own: so all ranks have as much to do in each round as in any other. R is the least number with
 * which all parts fit a slot. As in reduce_scatter, inputs in the arena are read there: if all are, in one
 * round with one more at the end. Cost for blocks of N_r bytes, N together, p ranks: R synchronisations, 2 (N
 * - N_r) bytes of traffic to stage and (p + 1) N_r to reduce; 2 p hashes for the balance (varied.h).
 *
 * Elements that parts would cut (assembled.h) are cut: a part is an R-th of a block in bytes, and each rank
 * copies the parts to memory of its own, where it reduces what is complete. Cost: p N_r more bytes copied.
 */
#include <stdlib.h>
#include <string.h>

#include "src/onehost/coll/assembled.h"
#include "src/onehost/coll/combine.h"
#include "src/onehost/coll/disagree.h"
#include "src/onehost/coll/reduce_started.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/varied.h"
#include "src/onehost/coll/view.h"

/* How blocks are divided: into `rounds` parts. */
typedef struct division {
    size_t rounds;
    size_t bytes;  /* of one part of each block together */
    size_t own_at; /* of those, the bytes before the part of our own block */
} division;

/* What is not cut. */
static size_t unit_bytes(const mst_call *call)
{
    return call->plan.assembled ? 1 : call->request->element_bytes;
}

static size_t units_of(const mst_call *call, int rank)
{
    return call->request->in_blocks.counts[rank] * (call->request->element_bytes / unit_bytes(call));
}

static size_t part_bytes(const mst_call *call, const division *division, int rank)
{
    size_t units = units_of(call, rank);

    return (units / division->rounds + (units % division->rounds != 0)) * unit_bytes(call);
}

/* With at least `units` / room rounds, where the room leaves a unit for each part to round up by. A slot has
 * room for a unit of each rank. */
static size_t rounds_of(const mst_call *call, size_t units, size_t longest)
{
    size_t ranks = (size_t)call->group->base.size;
    size_t room = call->group->varied->window / unit_bytes(call);

    if (units <= room)
        return 1;
    if (room <= ranks)
        return longest;
    return units / (room - ranks) + (units % (room - ranks) != 0);
}

static division divide(const mst_call *call)
{
    size_t all = 0, longest = 0;
    division division = { 1, 0, 0 };

    for (int rank = 0; rank < call->group->base.size; rank++) {
        size_t units = units_of(call, rank);

        all += units;
        longest = units > longest ? units : longest;
    }
    division.rounds = rounds_of(call, all, longest);
    for (int rank = 0; rank < call->group->base.size; rank++) {
        if (rank == call->group->base.rank)
            division.own_at = division.bytes;
        division.bytes += part_bytes(call, &division, rank);
    }
    return division;
}

/* Stages a part of each block but our own, which nobody reads. */
static void stage_parts(const mst_call *call, const division *division, size_t round)
{
    const mst_varied *varied = call->group->varied;
    size_t at = round == 0 ? mst_varied_begin(call) : 0;

    for (int rank = 0; rank < call->group->base.size; rank++) {
        size_t block = call->request->in_blocks.counts[rank] * call->request->element_bytes;
        size_t part = part_bytes(call, division, rank), begin = round * part;

        if (begin < block && rank != call->group->base.rank)
            mst_stage(call, at,
                      (const unsigned char *)call->request->in + mst_varied_at(varied->in_at, rank) + begin,
                      block - begin < part ? block - begin : part);
        at += part;
    }
}

/* Where `bytes` bytes of a rank's input for our block can be read, `begin` bytes behind its beginning; NULL:
 * they are not in its heap. */
static const unsigned char *source_of(const mst_call *call, const division *division, int rank, size_t begin,
                                      size_t bytes)
{
    const mst_group *group = call->group;
    const mst_varied *varied = group->varied;
    size_t in_at = mst_varied_at(varied->in_at, group->base.rank) + begin;

    if (rank == group->base.rank)
        return (const unsigned char *)call->request->in + in_at;
    if (varied->heads[rank].in_offset)
        return mst_varied_in_arena(call, rank, in_at, bytes);
    return mst_varied_slot(call, rank, begin == 0) + division->own_at;
}

static muster_status reduce_part(const mst_call *call, const division *division, size_t begin, size_t bytes)
{
    mst_group *group = call->group;

    for (int rank = 0; rank < group->base.size; rank++) {
        group->sources[rank] = source_of(call, division, rank, begin, bytes);
        if (!group->sources[rank])
            return mst_varied_damaged(call, rank);
    }
    mst_combine_out(call, begin, bytes);
    return MUSTER_OK;
}

/* ---- elements that are cut ---- */

/* What has come of all ranks, from the first element on that is not reduced yet. */
typedef struct assembly {
    unsigned char *memory; /* of rank r at r * room; NULL: elements are not cut */
    size_t room, held;
    size_t done; /* bytes of the output */
} assembly;

static muster_status open_assembly(const mst_call *call, assembly *made)
{
    size_t ranks = (size_t)call->group->base.size, element = call->request->element_bytes;
    size_t room = MST_ASSEMBLED_BYTES / ranks > element ? MST_ASSEMBLED_BYTES / ranks : element;

    *made = (assembly){ .room = (room + MST_LINE - 1) / MST_LINE * MST_LINE };
    if (!call->plan.assembled || call->request->count == 0)
        return MUSTER_OK;
    made->memory = malloc(ranks * made->room);
    return made->memory ? MUSTER_OK : mst_assembled_no_memory(call, ranks * made->room);
}

static void reduce_complete(const mst_call *call, assembly *assembly)
{
    mst_group *group = call->group;
    size_t complete = assembly->held - assembly->held % call->request->element_bytes;

    for (int rank = 0; rank < group->base.size; rank++)
        group->sources[rank] = assembly->memory + (size_t)rank * assembly->room;
    if (complete)
        mst_combine_onto(call, assembly->memory, group->sources, group->base.size, complete);
    mst_deliver(call, assembly->done, assembly->memory, complete);
    assembly->done += complete;
    assembly->held -= complete;
    for (int rank = 0; rank < group->base.size; rank++) {
        unsigned char *at = assembly->memory + (size_t)rank * assembly->room;

        memmove(at, at + complete, assembly->held);
    }
}

static muster_status assemble_part(const mst_call *call, const division *division, assembly *assembly,
                                   size_t begin, size_t bytes)
{
    for (size_t at = 0, now; at < bytes; at += now) {
        size_t room = assembly->room - assembly->held;

        now = bytes - at < room ? bytes - at : room;
        for (int rank = 0; rank < call->group->base.size; rank++) {
            const unsigned char *from = source_of(call, division, rank, begin, bytes);

            if (!from)
                return mst_varied_damaged(call, rank);
            memcpy(assembly->memory + (size_t)rank * assembly->room + assembly->held, from + at, now);
        }
        assembly->held += now;
        reduce_complete(call, assembly);
    }
    return MUSTER_OK;
}

/* ---- the call ---- */

static muster_status make_rounds(mst_call *call, assembly *assembly)
{
    mst_varied *varied = call->group->varied;
    const mst_varied_head *head = &varied->heads[call->group->base.rank];
    size_t block = call->request->count * call->request->element_bytes;
    division division = divide(call);
    size_t part = part_bytes(call, &division, call->group->base.rank);

    if (head->bytes)
        stage_parts(call, &division, 0);
    muster_status status = mst_varied_meet(call);
    if (status != MUSTER_OK)
        return status;
    if (varied->longest == 0) { /* all inputs are in the arena */
        part = block;
        division.rounds = 1;
    }
    if (division.rounds > 1)
        mst_varied_use_ring(call);
    for (size_t round = 0; round < division.rounds && status == MUSTER_OK; round++) {
        size_t begin = round * part, bytes = begin < block && block - begin < part ? block - begin : part;

        if (round && head->bytes)
            stage_parts(call, &division, round);
        if (round)
            status = mst_round(call, division.bytes);
        if (status == MUSTER_OK && begin < block)
            status = assembly->memory ? assemble_part(call, &division, assembly, begin, bytes)
                                      : reduce_part(call, &division, begin, bytes);
    }
    return status == MUSTER_OK ? mst_varied_end(call) : status;
}

static muster_status reduce_scatterv(mst_call *call)
{
    assembly assembly;

    muster_status status = open_assembly(call, &assembly);
    if (status == MUSTER_OK)
        status = make_rounds(call, &assembly);
    free(assembly.memory);
    return status;
}

static void compute(const mst_inputs *inputs)
{
    mst_reduce_part(inputs, inputs->call->group->base.size, 0,
                    inputs->call->request->count * inputs->call->request->element_bytes);
}

const mst_method mst_method_reduce_scatterv = { .run = reduce_scatterv, .compute = compute };
