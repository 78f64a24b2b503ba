/*
 * Which member of a group is on which host. Hosts are numbered in the order of their first members; the
 * members on a host are its *places*, in the order of their ranks. Any assignment is right.
 */
#ifndef MST_HOSTS_PLACES_H
#define MST_HOSTS_PLACES_H

#include <stdbool.h>

typedef struct mst_places {
    int size;     /* ranks */
    int hosts;    /* of them */
    int own_host; /* this rank's */
    int own;      /* its place there */
    int *host;    /* by rank */
    int *place;   /* by rank */
    int *begin;   /* by host: where its members begin; one more: `size` */
    int *member;  /* ranks, by host and place */
} mst_places;

/* `machine` names each rank's host by any number. False: no memory. */
bool mst_places_make(mst_places *places, const int *machine, int size, int rank);
void mst_places_free(mst_places *places);

static inline int mst_places_on(const mst_places *places, int host)
{
    return places->begin[host + 1] - places->begin[host];
}

static inline int mst_places_member(const mst_places *places, int host, int place)
{
    return places->member[places->begin[host] + place];
}

/* How many members are on this rank's host, and the one at a place there. */
static inline int mst_places_here(const mst_places *places)
{
    return mst_places_on(places, places->own_host);
}

static inline int mst_places_neighbour(const mst_places *places, int place)
{
    return mst_places_member(places, places->own_host, place);
}

#endif
