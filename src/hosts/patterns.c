/* Appends the actions of patterns.h. */
#include "src/hosts/patterns.h"

/* From here to one rank of the other host, and from some of its ranks to here. */
static muster_status trade(mst_run *run, const mst_ranges *ranges, int host)
{
    const mst_places *places = &run->group->places;
    int there = mst_places_on(places, host), own = run->group->base.rank;
    char *base = ranges->base;

    muster_status status = mst_run_send(run, mst_places_member(places, host, places->own % there),
                                        base + ranges->at[own], ranges->bytes[own]);
    for (int place = places->own; place < there && status == MUSTER_OK; place += mst_places_here(places)) {
        int rank = mst_places_member(places, host, place);

        status = mst_run_receive(run, rank, base + ranges->at[rank], ranges->bytes[rank]);
    }
    return status;
}

/* What came from the other host, from whoever has got it to its neighbours. */
static muster_status pass_on(mst_run *run, const mst_ranges *ranges, int host)
{
    const mst_places *places = &run->group->places;
    int here = mst_places_here(places), there = mst_places_on(places, host);
    int *owners = mst_run_memory(run, (size_t)here * sizeof *owners);
    muster_status status = MUSTER_OK;

    if (!owners)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a list of ranks");
    for (int from = 0; from < there && status == MUSTER_OK; from += here) {
        for (int place = 0; place < here; place++)
            owners[place] = from + place < there ? mst_places_member(places, host, from + place) : -1;
        status = mst_run_gather_here(run, ranges, owners);
    }
    return status;
}

static muster_status with_each_host(mst_run *run, const mst_ranges *ranges,
                                    muster_status (*action)(mst_run *, const mst_ranges *, int host))
{
    const mst_places *places = &run->group->places;
    muster_status status = MUSTER_OK;

    for (int i = 1; i < places->hosts && status == MUSTER_OK; i++)
        status = action(run, ranges, (places->own_host + i) % places->hosts);
    return status;
}

/* All ranks of a host start the same in the same order. */
static muster_status pass_on_all(mst_run *run, const mst_ranges *ranges)
{
    return mst_places_here(&run->group->places) == 1 ? MUSTER_OK : with_each_host(run, ranges, pass_on);
}

muster_status mst_pattern_gather(mst_run *run, const mst_ranges *ranges)
{
    muster_status status = mst_run_gather_here(run, ranges, NULL);

    if (status == MUSTER_OK)
        status = with_each_host(run, ranges, trade);
    if (status == MUSTER_OK)
        status = mst_run_fence(run);
    if (status == MUSTER_OK)
        status = pass_on_all(run, ranges);
    return status == MUSTER_OK ? mst_run_fence(run) : status;
}

muster_status mst_pattern_exchange(mst_run *run, const mst_ranges *out, const mst_ranges *in)
{
    const mst_places *places = &run->group->places;
    int size = places->size, own = run->group->base.rank;

    muster_status status = mst_run_exchange_here(run, out, in);
    for (int i = 1; i < size && status == MUSTER_OK; i++) {
        int from = (own + size - i) % size, to = (own + i) % size;

        if (places->host[from] != places->own_host)
            status = mst_run_receive(run, from, (char *)out->base + out->at[from], out->bytes[from]);
        if (status == MUSTER_OK && places->host[to] != places->own_host)
            status = mst_run_send(run, to, (char *)in->base + in->at[to], in->bytes[to]);
    }
    return status == MUSTER_OK ? mst_run_fence(run) : status;
}

muster_status mst_pattern_broadcast(mst_run *run, int root, void *data, size_t bytes)
{
    const mst_places *places = &run->group->places;
    bool here = places->host[root] == places->own_host;
    muster_status status = MUSTER_OK;

    for (int host = 0; host < places->hosts && run->group->base.rank == root && status == MUSTER_OK; host++)
        if (host != places->own_host)
            status = mst_run_send(run, mst_places_member(places, host, 0), data, bytes);
    if (!here && places->own == 0 && status == MUSTER_OK)
        status = mst_run_receive(run, root, data, bytes);
    if (!here && status == MUSTER_OK)
        status = mst_run_fence(run);
    if (status == MUSTER_OK)
        status = mst_run_broadcast_here(run, here ? places->place[root] : 0, data, bytes);
    return status == MUSTER_OK ? mst_run_fence(run) : status;
}
