/* Numbers hosts and places, for places.h. */
#include "src/hosts/places.h"

#include <stdlib.h>

/* The number of a machine, in the order of first members. */
static int find_host(const int *machine, const int *host, int rank)
{
    int last = -1;

    for (int other = 0; other < rank; other++) {
        if (machine[other] == machine[rank])
            return host[other];
        if (host[other] > last)
            last = host[other];
    }
    return last + 1;
}

bool mst_places_make(mst_places *places, const int *machine, int size, int rank)
{
    int *all = calloc(4 * (size_t)size + 1, sizeof *all);

    if (!all)
        return false;
    *places = (mst_places){
        .size = size, .host = all, .place = all + size, .member = all + 2 * size, .begin = all + 3 * size
    };
    for (int r = 0; r < size; r++) {
        places->host[r] = find_host(machine, places->host, r);
        places->place[r] = places->begin[places->host[r] + 1]++;
        if (places->host[r] >= places->hosts)
            places->hosts = places->host[r] + 1;
    }
    for (int host = 0; host < places->hosts; host++)
        places->begin[host + 1] += places->begin[host];
    for (int r = 0; r < size; r++)
        places->member[places->begin[places->host[r]] + places->place[r]] = r;
    places->own_host = places->host[rank];
    places->own = places->place[rank];
    return true;
}

void mst_places_free(mst_places *places)
{
    free(places->host);
}
