/* Makes and frees the state of transfer.h, and its lists. */
#include "src/onehost/group/transfer.h"

#include <stdlib.h>

static bool members_init(mst_members *members, int size)
{
    members->list = calloc((size_t)size, sizeof *members->list);
    members->places = calloc((size_t)size, sizeof *members->places);
    return members->list && members->places;
}

bool mst_traffic_init(mst_traffic *traffic, int size)
{
    mst_outgoing *outgoing = &traffic->outgoing;
    mst_incoming *incoming = &traffic->incoming;

    *traffic = (mst_traffic){ 0 };
    outgoing->destinations = calloc((size_t)size, sizeof *outgoing->destinations);
    incoming->sources = calloc((size_t)size, sizeof *incoming->sources);
    return outgoing->destinations && incoming->sources && members_init(&outgoing->busy, size) &&
           members_init(&incoming->wanted, size) && mst_table_init(&outgoing->told) &&
           mst_table_init(&incoming->receiving) && mst_matching_init(&incoming->matching, size);
}

void mst_traffic_destroy(mst_traffic *traffic)
{
    mst_incoming *incoming = &traffic->incoming;

    for (mst_unexpected *next, *at = incoming->made; at; at = next) {
        next = at->made_next;
        free(at);
    }
    mst_matching_destroy(&incoming->matching);
    mst_table_destroy(&incoming->receiving);
    mst_table_destroy(&traffic->outgoing.told);
    free(incoming->wanted.list);
    free(incoming->wanted.places);
    free(traffic->outgoing.busy.list);
    free(traffic->outgoing.busy.places);
    free(incoming->sources);
    free(traffic->outgoing.destinations);
}

void mst_members_add(mst_members *members, int member)
{
    if (members->places[member])
        return;
    members->list[members->count++] = member;
    members->places[member] = members->count;
}

void mst_members_remove(mst_members *members, int member)
{
    int place = members->places[member], last = members->list[members->count - 1];

    members->list[place - 1] = last;
    members->places[last] = place;
    members->places[member] = 0;
    members->count--;
}

void mst_transfers_append(mst_transfers *list, mst_transfer *transfer)
{
    transfer->next = NULL;
    if (list->last)
        list->last->next = transfer;
    else
        list->first = transfer;
    list->last = transfer;
}

void mst_transfers_remove_first(mst_transfers *list)
{
    list->first = list->first->next;
    if (!list->first)
        list->last = NULL;
}

/* ---- what is wanted ---- */

void mst_incoming_want(mst_incoming *incoming, int source)
{
    incoming->pending++;
    if (source == MUSTER_ANY_SOURCE)
        incoming->any_source++;
    else if (incoming->sources[source].wanted++ == 0)
        mst_members_add(&incoming->wanted, source);
}

void mst_incoming_unwant(mst_incoming *incoming, int source)
{
    incoming->pending--;
    if (source == MUSTER_ANY_SOURCE)
        incoming->any_source--;
    else if (--incoming->sources[source].wanted == 0)
        mst_members_remove(&incoming->wanted, source);
}
