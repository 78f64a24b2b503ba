/*
 * reduce_scatterv: rank r gets the reduction of block r of all inputs, of as many elements as counts[r] says.
 *
 * In R rounds each rank stages an R-th of every other rank's block, rounded up to an element, and reduces the
 * parts of its own: so all ranks have as much to do in each round as in any other. R is the least number with
 * which all parts fit a slot. As in reduce_scatter, inputs in the arena are read there: if all are, in one
 * round with one more at the end. Cost for blocks of N_r bytes, N together, p ranks: R synchronisations, 2 (N
 * - N_r) bytes of traffic to stage and (p + 1) N_r to reduce; 2 p hashes for the balance (varied.h).
 */
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

static size_t part_bytes(const mst_call *call, const division *division, int rank)
{
    size_t count = call->request->in_blocks.counts[rank];

    return (count / division->rounds + (count % division->rounds != 0)) * call->request->element_bytes;
}

/* With at least `elements` / room rounds, where the room leaves an element for each part to round up by. A
 * slot has room for an element of each rank. */
static size_t rounds_of(const mst_call *call, size_t elements, size_t longest)
{
    size_t ranks = (size_t)call->group->base.size;
    size_t room = call->group->varied->window / call->request->element_bytes;

    if (elements <= room)
        return 1;
    if (room <= ranks)
        return longest;
    return elements / (room - ranks) + (elements % (room - ranks) != 0);
}

static division divide(const mst_call *call)
{
    const size_t *counts = call->request->in_blocks.counts;
    size_t elements = 0, longest = 0;
    division division = { 1, 0, 0 };

    for (int rank = 0; rank < call->group->base.size; rank++) {
        elements += counts[rank];
        longest = counts[rank] > longest ? counts[rank] : longest;
    }
    division.rounds = rounds_of(call, elements, longest);
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

/* Reduces `bytes` bytes of our block, `begin` bytes behind its beginning. */
static muster_status reduce_part(const mst_call *call, const division *division, size_t begin, size_t bytes)
{
    mst_group *group = call->group;
    const mst_varied *varied = group->varied;
    size_t in_at = mst_varied_at(varied->in_at, group->base.rank) + begin;

    for (int rank = 0; rank < group->base.size; rank++) {
        if (rank == group->base.rank)
            group->sources[rank] = (const unsigned char *)call->request->in + in_at;
        else if (varied->heads[rank].in_offset)
            group->sources[rank] = mst_varied_in_arena(call, rank, in_at, bytes);
        else
            group->sources[rank] = mst_varied_slot(call, rank, begin == 0) + division->own_at;
        if (!group->sources[rank])
            return mst_varied_damaged(call, rank);
    }
    mst_combine_out(call, begin, bytes);
    return MUSTER_OK;
}

static muster_status reduce_scatterv(mst_call *call)
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
        size_t begin = round * part;

        if (round && head->bytes)
            stage_parts(call, &division, round);
        if (round)
            status = mst_round(call, division.bytes);
        if (status == MUSTER_OK && begin < block)
            status = reduce_part(call, &division, begin, block - begin < part ? block - begin : part);
    }
    return status == MUSTER_OK ? mst_varied_end(call) : status;
}

static void compute(const mst_inputs *inputs)
{
    mst_reduce_part(inputs, inputs->call->group->base.size, 0,
                    inputs->call->request->count * inputs->call->request->element_bytes);
}

const mst_method mst_method_reduce_scatterv = { .run = reduce_scatterv, .compute = compute };
