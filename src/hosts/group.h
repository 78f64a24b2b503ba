/*
 * A group over several hosts, as its rank holds it: the group of its members on this host, which shared
 * memory carries, and a link to all members. A group whose members are all on this host has no link: what it
 * is asked for, its local group does.
 */
#ifndef MST_HOSTS_GROUP_H
#define MST_HOSTS_GROUP_H

#include <pthread.h>

#include "shm/base/deadline.h"
#include "src/backend.h"
#include "src/hosts/link.h"
#include "src/hosts/places.h"
#include "src/hosts/told.h"
#include "src/kernels/reduce.h"

struct mst_run;

/* What the groups of a world share. */
typedef struct mst_hosts_world {
    pthread_mutex_t lock;
    struct mst_hosts_group *groups; /* that have a link */
    int users, size;
    bool shown;          /* observers have seen the world's number */
    muster_group *whole; /* that the rank has attached to, on this host */
    const mst_kernels *kernels;
    bool (*look)(void *group);                             /* in waits (broken.h) */
    void (*advance_others)(struct mst_hosts_group *group); /* pending.h */
    void (*show_group)(struct mst_hosts_group *group);     /* that has been made (showing.h) */
    void (*call_thread)(struct mst_hosts_world *world);    /* rest.h */
    bool has_thread;         /* a progress thread looks after the groups (progress.h) */
    _Atomic uint32_t called; /* 1: since its latest turn it was told of something new */
    _Atomic uint32_t idle;   /* 1: unless it is called it may take no other turn */
    int64_t nap_ns;          /* the thread's, until its next turn */
} mst_hosts_world;

/* A wait of a thread in a call of a class. */
typedef struct mst_hosts_watch {
    _Atomic uint64_t thread; /* which (broken.c); 0: there is none. Only that one reads the rest */
    mst_deadline deadline;
    uint64_t of;      /* what the time is of; 0: nothing yet */
    int64_t limit_ns; /* as the user set it; 0: none */
    char doing[96];
    const muster_request *requests; /* that it waits for, */
    const int *peers;               /* and the rank at the other end of each; -1: it is of this host */
    size_t count;
} mst_hosts_watch;

/* Of the thread that makes groups, which must have memory to tell the others that it has none. */
typedef struct mst_hosts_room {
    mst_told *told;            /* by member, and what this one sends */
    int *ranks;                /* likewise, */
    int *peers;                /* likewise */
    muster_request *transfers; /* and one more */
} mst_hosts_room;

typedef struct mst_hosts_group {
    muster_group base;
    mst_hosts_world *world;
    struct mst_hosts_group *next; /* in the world's list */
    muster_group *local;
    mst_link *link; /* NULL: all members are on this host */
    mst_places places;
    int *seats;          /* the rank in the world, by rank */
    mst_hosts_room room; /* if there is a link */
    mst_hosts_watch watches[MUSTER_CALL_CLASS_COUNT];
    pthread_mutex_t showing; /* of the next three (showing.h), by class */
    uint64_t calls[MUSTER_CALL_CLASS_COUNT];
    bool shows[MUSTER_CALL_CLASS_COUNT];
    uint64_t subsets;             /* which only some members call, and so are not among the calls */
    pthread_mutex_t lock;         /* of what follows */
    struct mst_run *first, *last; /* collectives that were entered and not completed, in order */
    struct mst_run *active;       /* the first that is not over */
    struct mst_run **table;       /* by number, modulo table_size, a power of 2 */
    uint64_t table_size;
    bool listed;                /* in the current wait (await.c) */
    bool attended;              /* the thread in the class of collectives advances them */
    uint64_t operation;         /* collectives entered so far */
    uint64_t shown;             /* the one that observers see the rank in; 0: none */
    uint64_t under_way;         /* those that were started and not completed */
    _Atomic uint32_t is_broken; /* 1: this rank knows that it is */
} mst_hosts_group;

static inline mst_hosts_group *mst_hosts_of(muster_group *group)
{
    return (mst_hosts_group *)group;
}

static inline const mst_hosts_group *mst_hosts_of_const(const muster_group *group)
{
    return (const mst_hosts_group *)group;
}

/* A group of these members of the world, with its part on this host and its link, which it owns from now on;
 * machines: by rank. `like`: whose settings it takes over. NULL: no memory. */
mst_hosts_group *mst_hosts_create(mst_hosts_world *world, muster_group *local, mst_link *link,
                                  const int *seats, const int *machine, const muster_group *like);

/* For the backend's table. */
void mst_hosts_take_timeout(muster_group *group);
void mst_hosts_close(muster_group *group);
int mst_hosts_translate(const muster_group *group, int rank, const muster_group *other);

/* Of the group that carries messages, or, without a link, everything. */
static inline muster_group *mst_hosts_carrier(const mst_hosts_group *group)
{
    return group->link ? group->link->mail : group->local;
}

#endif
