/*
 * Goes by chain, for chain.h, in steps. In step t run r has its inputs of chunk t - r come together, and the
 * partial result of the run before; and sends on that of the chunk before. At the step's end it reduces. The
 * last run's results are whole; they go through the hosts by falling number of their last run, one in each
 * step, and from the ranks that have got them to their neighbours. So a message goes to a higher rank with a
 * partial result, to a lower one with a result, and never meets another kind.
 */
#include "src/hosts/chain.h"

#include "src/pure/dtype.h"

/* Of a rail in a chunk. Fewer bytes cost more for each message than for its bytes, more keep other hosts
 * waiting for the first chunk. */
#define RAIL_BYTES_MIN ((size_t)64 * 1024)
#define RAIL_BYTES_MAX ((size_t)256 * 1024) /* a frame of src/wire */
#define CHUNKS_PER_HOP 4                    /* with so many, to fill the chain takes a fifth of the time */

typedef struct chain {
    int runs, rails, own_run, own_rail; /* own_rail: -1: none */
    int first, length;                  /* of this rank's run */
    int first_here, last_here;          /* runs of this host */
    int before, after;                  /* with whom partial results are exchanged; -1: nobody */
    int from, to;                       /* likewise, results */
    int turn;                           /* steps from a result until this host has it */
    bool holds;                         /* results that its neighbours need */
    int *holders;                       /* by rail: the ranks here that do */
    size_t count, chunks;               /* elements in a chunk */
    size_t step;
    char *row, *partial; /* the others' inputs, with the partial result that comes; and that which goes */
    size_t stride;
} chain;

static muster_status refuse_memory(void)
{
    return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a collective over several hosts");
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t greatest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- who is where ---- */

static int end_of_run(const mst_places *places, int first)
{
    int end = first + 1;

    while (end < places->size && places->host[end] == places->host[first])
        end++;
    return end;
}

/* The number of a rank's run, and where that begins. */
static int run_of(const mst_places *places, int rank, int *first)
{
    int number = 0;

    *first = 0;
    for (int end; (end = end_of_run(places, *first)) <= rank; *first = end)
        number++;
    return number;
}

/* The last rank on a host: in its last run. */
static int last_on(const mst_places *places, int host)
{
    return mst_places_member(places, host, mst_places_on(places, host) - 1);
}

/* The host whose last rank is the closest one above, or below, this host's; -1: none. */
static int next_host(const mst_places *places, bool above)
{
    int own = last_on(places, places->own_host), found = -1;

    for (int host = 0; host < places->hosts; host++) {
        int last = last_on(places, host), best = found >= 0 ? last_on(places, found) : -1;

        if (above ? last > own && (found < 0 || last < best) : last < own && last > best)
            found = host;
    }
    return found;
}

static int rank_in_last_run(const mst_places *places, int host, int rail)
{
    int first;

    run_of(places, last_on(places, host), &first);
    return first + rail;
}

/* How many hosts come before this one when results go round. */
static int turn_of(const mst_places *places)
{
    int turn = 0;

    for (int host = 0; host < places->hosts; host++)
        turn += last_on(places, host) > last_on(places, places->own_host);
    return turn;
}

/* ---- what it costs ---- */

static void count_runs(const mst_places *places, mst_chain_costs *costs)
{
    costs->runs = 0;
    costs->rails = places->size;
    for (int first = 0, end; first < places->size; first = end) {
        end = end_of_run(places, first);
        costs->runs++;
        costs->rails = end - first < costs->rails ? end - first : costs->rails;
    }
}

static int runs_on(const mst_places *places, int host)
{
    int runs = 0;

    for (int first = 0; first < places->size; first = end_of_run(places, first))
        runs += places->host[first] == host;
    return runs;
}

/* Both ways of a host's link, in parts of `size` in a vector. */
static void weigh_host(const mst_places *places, int host, mst_chain_costs *costs)
{
    size_t size = (size_t)places->size, here = (size_t)mst_places_on(places, host);
    size_t hosts = (size_t)places->hosts, runs = (size_t)runs_on(places, host);
    bool has_first = places->host[0] == host, has_last = places->host[size - 1] == host, is_end = true;

    for (int other = 0; other < places->hosts; other++)
        is_end = is_end && last_on(places, other) >= last_on(places, host);
    size_t sent = runs - has_last + !is_end, taken = runs - has_first + !has_last;
    costs->chain = greatest(costs->chain, greatest(sent, taken) * size);
    sent = here * (size - here) + here * (hosts - 1);
    taken = (here + 1) * (size - here);
    costs->slices = greatest(costs->slices, greatest(sent, taken));
}

void mst_chain_weigh(const mst_places *places, size_t bytes, mst_chain_costs *costs)
{
    *costs = (mst_chain_costs){ 0 };
    count_runs(places, costs);
    for (int host = 0; host < places->hosts; host++)
        weigh_host(places, host, costs);
    size_t hops = (size_t)(costs->runs + places->hosts - 2), rails = (size_t)costs->rails;
    size_t rail = bytes / rails / (CHUNKS_PER_HOP * (hops ? hops : 1)) / MST_NUMBER_BYTES_MAX;
    rail = least(greatest(rail * MST_NUMBER_BYTES_MAX, RAIL_BYTES_MIN), RAIL_BYTES_MAX);
    costs->chunk_bytes = rail * rails;
    costs->chunks = (bytes + costs->chunk_bytes - 1) / costs->chunk_bytes;
}

/* Partial results have the type of the elements, so nothing may be rounded in between. */
static bool has_partials(const mst_request *request)
{
    if (request->made)
        return request->made->fn != NULL;
    return !mst_dtype_widens(request->dtype) || request->op == MUSTER_MAX || request->op == MUSTER_MIN;
}

bool mst_chain_pays(const mst_run *run)
{
    const mst_request *request = &run->request;
    mst_chain_costs costs;

    if (mst_shapes[request->collective].rooted || !has_partials(request))
        return false;
    mst_chain_weigh(&run->group->places, request->count * request->element_bytes, &costs);
    return costs.chain * (costs.chunks + (size_t)(costs.runs + run->group->places.hosts - 2)) <
           costs.slices * costs.chunks;
}

/* ---- steps ---- */

static bool is_chunk(const chain *chain, size_t step, int turns, size_t *chunk)
{
    *chunk = step - (size_t)turns;
    return step >= (size_t)turns && *chunk < chain->chunks;
}

static size_t elements_of(const mst_run *run, const chain *chain, size_t chunk)
{
    return least(chain->count, run->request.count - chunk * chain->count);
}

/* A rail's slice of a chunk: where in the vector, and how many bytes. */
static size_t slice_of(const mst_run *run, const chain *chain, size_t chunk, int rail, size_t *bytes)
{
    size_t element = run->request.element_bytes, rails = (size_t)chain->rails, at = (size_t)rail;
    size_t count = elements_of(run, chain, chunk), share = count / rails, more = count % rails;

    *bytes = (share + (at < more)) * element;
    return (chunk * chain->count + share * at + least(at, more)) * element;
}

/* The inputs of a run come to the ranks that reduce them. All ranks of the host take part in each. */
static muster_status collect(mst_run *run, chain *chain, bool has_chunk, size_t chunk)
{
    mst_ranges in, out;
    size_t own = 0;

    if (!mst_ranges_make(run, (char *)(uintptr_t)run->request.in, &in) ||
        !mst_ranges_make(run, chain->row, &out))
        return refuse_memory();
    for (int rail = 0; rail < chain->rails && has_chunk; rail++)
        in.at[chain->first + rail] = slice_of(run, chain, chunk, rail, &in.bytes[chain->first + rail]);
    if (chain->own_rail >= 0 && has_chunk)
        slice_of(run, chain, chunk, chain->own_rail, &own);
    for (int i = 0; i < chain->length && has_chunk; i++) {
        out.at[chain->first + i] = (size_t)i * chain->stride;
        out.bytes[chain->first + i] = own;
    }
    in.bytes[run->group->base.rank] = out.bytes[run->group->base.rank] = 0;
    return mst_run_exchange_here(run, &out, &in);
}

static muster_status move_partials(mst_run *run, chain *chain)
{
    size_t chunk, bytes;
    muster_status status = MUSTER_OK;

    if (chain->before >= 0 && is_chunk(chain, chain->step, chain->own_run, &chunk)) {
        slice_of(run, chain, chunk, chain->own_rail, &bytes);
        status =
            mst_run_receive(run, chain->before, chain->row + (size_t)chain->length * chain->stride, bytes);
    }
    if (chain->after >= 0 && status == MUSTER_OK &&
        is_chunk(chain, chain->step, chain->own_run + 1, &chunk)) {
        slice_of(run, chain, chunk, chain->own_rail, &bytes);
        status = mst_run_send(run, chain->after, chain->partial, bytes);
    }
    return status;
}

/* To the next host, and to the neighbours. */
static muster_status pass_on(mst_run *run, chain *chain, size_t chunk)
{
    mst_ranges ranges;
    size_t bytes, at;

    if (!mst_ranges_make(run, run->request.out, &ranges))
        return refuse_memory();
    for (int rail = 0; rail < chain->rails; rail++) {
        int holder = chain->holders[rail];

        ranges.at[holder] = slice_of(run, chain, chunk, rail, &ranges.bytes[holder]);
    }
    muster_status status = mst_run_gather_here(run, &ranges, NULL);
    if (chain->to < 0 || status != MUSTER_OK)
        return status;
    at = slice_of(run, chain, chunk, chain->own_rail, &bytes);
    return mst_run_send(run, chain->to, (char *)run->request.out + at, bytes);
}

static muster_status move_results(mst_run *run, chain *chain)
{
    int turns = chain->runs - 1 + chain->turn;
    size_t chunk, bytes;
    muster_status status = MUSTER_OK;

    if (chain->from >= 0 && is_chunk(chain, chain->step, turns, &chunk)) {
        size_t at = slice_of(run, chain, chunk, chain->own_rail, &bytes);

        status = mst_run_receive(run, chain->from, (char *)run->request.out + at, bytes);
    }
    if (status == MUSTER_OK && is_chunk(chain, chain->step, turns + 1, &chunk))
        status = pass_on(run, chain, chunk);
    return status;
}

static muster_status reduce_step(mst_run *run, chain *chain)
{
    const void **sources = mst_run_memory(run, ((size_t)chain->length + 1) * sizeof *sources);
    size_t chunk, bytes;
    int count = 0;

    if (!sources)
        return refuse_memory();
    if (chain->own_rail < 0 || !is_chunk(chain, chain->step, chain->own_run, &chunk))
        return MUSTER_OK;
    size_t at = slice_of(run, chain, chunk, chain->own_rail, &bytes);
    if (chain->before >= 0)
        sources[count++] = chain->row + (size_t)chain->length * chain->stride;
    for (int i = 0; i < chain->length; i++)
        sources[count++] = chain->first + i == run->group->base.rank ? (const char *)run->request.in + at
                                                                     : chain->row + (size_t)i * chain->stride;
    return mst_run_reduce_part(run, chain->after < 0 ? (char *)run->request.out + at : chain->partial,
                               sources, count, bytes / run->request.element_bytes, chain->after < 0);
}

static muster_status plan_step(mst_run *run)
{
    chain *chain = run->plan;
    size_t chunk, last = chain->chunks + (size_t)(chain->runs + run->group->places.hosts - 2);
    bool has_chunk = is_chunk(chain, chain->step, chain->own_run, &chunk);
    muster_status status = MUSTER_OK;

    mst_run_forget(run);
    if (chain->step >= (size_t)chain->first_here && chain->step < (size_t)chain->last_here + chain->chunks)
        status = collect(run, chain, has_chunk, chunk);
    if (status == MUSTER_OK)
        status = move_partials(run, chain);
    if (status == MUSTER_OK)
        status = move_results(run, chain);
    if (status == MUSTER_OK)
        status = mst_run_fence(run);
    if (status == MUSTER_OK)
        status = reduce_step(run, chain);
    return status == MUSTER_OK && chain->step++ < last ? mst_run_call(run, plan_step) : status;
}

/* ---- beginning ---- */

static void find_partners(const mst_run *run, chain *chain)
{
    const mst_places *places = &run->group->places;
    int rank = run->group->base.rank, first;

    chain->own_run = run_of(places, rank, &chain->first);
    chain->length = end_of_run(places, chain->first) - chain->first;
    chain->own_rail = rank - chain->first < chain->rails ? rank - chain->first : -1;
    chain->first_here = run_of(places, mst_places_neighbour(places, 0), &first);
    chain->last_here = run_of(places, last_on(places, places->own_host), &first);
    chain->turn = turn_of(places);
    chain->holds = chain->own_run == chain->last_here && chain->own_rail >= 0;
    chain->before = chain->after = chain->from = chain->to = -1;
    for (int rail = 0; rail < chain->rails; rail++)
        chain->holders[rail] = first + rail;
    if (chain->own_rail < 0)
        return;
    if (chain->first > 0) {
        run_of(places, chain->first - 1, &first);
        chain->before = first + chain->own_rail;
    }
    if (chain->own_run < chain->runs - 1)
        chain->after = chain->first + chain->length + chain->own_rail;
    if (chain->holds && next_host(places, true) >= 0)
        chain->from = rank_in_last_run(places, next_host(places, true), chain->own_rail);
    if (chain->holds && next_host(places, false) >= 0)
        chain->to = rank_in_last_run(places, next_host(places, false), chain->own_rail);
}

muster_status mst_plan_chain(mst_run *run)
{
    size_t element = run->request.element_bytes;
    chain *chain = mst_run_keep(run, sizeof *chain);
    mst_chain_costs costs;

    if (!chain)
        return refuse_memory();
    mst_chain_weigh(&run->group->places, run->request.count * element, &costs);
    chain->runs = costs.runs;
    chain->rails = costs.rails;
    chain->count = greatest(costs.chunk_bytes / element, 1);
    chain->chunks = (run->request.count + chain->count - 1) / chain->count;
    chain->stride = (chain->count / (size_t)chain->rails + 1) * element;
    chain->holders = mst_run_keep(run, (size_t)chain->rails * sizeof *chain->holders);
    if (!chain->holders)
        return refuse_memory();
    find_partners(run, chain);
    if (chain->own_rail >= 0) {
        chain->row = mst_run_keep(run, ((size_t)chain->length + 1) * chain->stride);
        chain->partial = mst_run_keep(run, chain->stride);
        if (!chain->row || !chain->partial)
            return refuse_memory();
    }
    run->plan = chain;
    return plan_step(run);
}
