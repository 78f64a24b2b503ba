/* The communicators of comms.h. */
#include "bindings/mpi/comms.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bindings/mpi/fail.h"

/*
 * A dropped group is freed when nothing can be queued on it any more. Streams run in order: a thread that has
 * operated on a group that was made after the drop has nothing left that was queued before. So it is freed
 * when all threads that have ever operated have done so, and DROPPED_MIN more groups have been dropped, for
 * streams that have not begun yet. A thread that has not, and is in no operation, has most likely nothing
 * queued; it counts until DROPPED_IDLE more have been dropped. One that is in an operation may have a long
 * queue, and counts until DROPPED_MAX more have. The handle stays, some 170 bytes, so that a later use is
 * an error.
 */
#define DROPPED_MIN 16
#define DROPPED_IDLE 64
#define DROPPED_MAX 1024
#define DROPPED "the group was dropped long ago"

struct communicator {
    muster_group *group;       /* NULL: freed */
    uint64_t made;             /* which one it is, of all that were made; 0: the world */
    uint64_t dropped;          /* how many had been made when it was dropped */
    struct communicator *next; /* of `handles` */
    struct communicator *next_dropped;
    bool is_dropped;
    pthread_mutex_t turns[TURN_COUNT];
    streams streams;
};

/* A thread that operates. */
typedef struct user {
    uint64_t newest; /* of the groups on which it has */
    bool operates;   /* now */
    struct user *next;
} user;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static communicator world = { .turns = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                         PTHREAD_MUTEX_INITIALIZER } };
static uint64_t made_count;
static communicator *first_dropped, *last_dropped;
static communicator *handles; /* all that were made: in reach, for detectors of leaks */
static int dropped_count;
static user *users;
static pthread_key_t own_user;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- threads that operate ---- */

static void forget_user(void *ended)
{
    pthread_mutex_lock(&lock);
    user **at = &users;
    while (*at != ended)
        at = &(*at)->next;
    *at = (*at)->next;
    pthread_mutex_unlock(&lock);
    free(ended);
}

static void make_key(void)
{
    pthread_key_create(&own_user, forget_user);
}

/* The lock is held. Without memory for it the thread is as one that has not begun. */
static void note_operation(const communicator *used)
{
    user *own = pthread_getspecific(own_user);

    if (!own && (own = calloc(1, sizeof *own))) {
        own->next = users;
        users = own;
        pthread_setspecific(own_user, own);
    }
    if (own && own->newest < used->made)
        own->newest = used->made;
    if (own)
        own->operates = true;
}

/* ---- handles ---- */

static communicator *find(MPI_Comm comm)
{
    return comm == &ompi_mpi_comm_world ? &world : comm;
}

static muster_group *use(MPI_Comm comm, bool operates, const char **why)
{
    communicator *found = find(comm);

    *why = "there is no group: its color was below 0";
    if (!found)
        return NULL;
    pthread_once(&once, make_key);
    pthread_mutex_lock(&lock);
    muster_group *group = found->group;
    if (operates && group)
        note_operation(found);
    pthread_mutex_unlock(&lock);
    *why = found == &world ? "the group has not been made, or that has failed" : DROPPED;
    return group;
}

muster_group *group_of(const char *function, MPI_Comm comm)
{
    const char *why;
    muster_group *group = use(comm, false, &why);

    if (!group)
        mpi_fail(function, why);
    return group;
}

muster_group *begin_turn(MPI_Comm comm, turn turn, const char **why)
{
    if (!use(comm, true, why))
        return NULL;
    pthread_mutex_lock(&find(comm)->turns[turn]); /* whoever has it is in a call of muster's, which ends */
    pthread_mutex_lock(&lock);
    muster_group *group = find(comm)->group;
    pthread_mutex_unlock(&lock);
    if (!group) {
        end_turn(comm, turn);
        *why = DROPPED;
    }
    return group;
}

void end_turn(MPI_Comm comm, turn turn)
{
    user *own = pthread_getspecific(own_user);

    pthread_mutex_unlock(&find(comm)->turns[turn]);
    pthread_mutex_lock(&lock);
    if (own)
        own->operates = false;
    pthread_mutex_unlock(&lock);
}

streams *streams_of(MPI_Comm comm)
{
    return &find(comm)->streams;
}

void comms_set_world(muster_group *group)
{
    pthread_mutex_lock(&lock);
    world.group = group;
    pthread_mutex_unlock(&lock);
}

MPI_Comm comms_make(muster_group *group)
{
    communicator *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->group = group;
    for (int i = 0; i < TURN_COUNT; i++)
        pthread_mutex_init(&made->turns[i], NULL);
    pthread_mutex_lock(&lock);
    made->made = ++made_count;
    made->next = handles;
    handles = made;
    pthread_mutex_unlock(&lock);
    return made;
}

/* ---- dropped ones; the lock is held ---- */

static bool may_be_queued(const communicator *dropped)
{
    for (const user *thread = users; thread; thread = thread->next)
        if (thread->newest <= dropped->dropped && (thread->operates || dropped_count <= DROPPED_IDLE))
            return true;
    return false;
}

/* Not while a thread has a turn: it may have the group from begin_turn, and not have entered it yet. */
static bool free_if_unused(communicator *dropped)
{
    int held = 0;

    while (held < TURN_COUNT && pthread_mutex_trylock(&dropped->turns[held]) == 0)
        held++;
    bool freed = held == TURN_COUNT && muster_group_free(dropped->group) == MUSTER_OK;
    if (freed) {
        dropped->group = NULL;
        free(dropped->streams.begun);
        dropped->streams = (streams){ 0 };
    }
    while (held > 0)
        pthread_mutex_unlock(&dropped->turns[--held]);
    return freed;
}

/* One that is in use holds up none of those that were dropped after it: it is tried again next time. */
static void free_dropped(void)
{
    communicator **at = &first_dropped, *before = NULL;

    while (*at && (dropped_count > DROPPED_MAX || (dropped_count > DROPPED_MIN && !may_be_queued(*at)))) {
        communicator *dropped = *at;
        if (!free_if_unused(dropped)) {
            before = dropped;
            at = &dropped->next_dropped;
            continue;
        }
        *at = dropped->next_dropped;
        if (last_dropped == dropped)
            last_dropped = before;
        dropped_count--;
    }
}

void comms_drop(MPI_Comm comm)
{
    communicator *dropped = comm;

    pthread_mutex_lock(&lock);
    if (!dropped->is_dropped) {
        dropped->is_dropped = true;
        dropped->dropped = made_count;
        *(last_dropped ? &last_dropped->next_dropped : &first_dropped) = dropped;
        last_dropped = dropped;
        dropped_count++;
        free_dropped();
    }
    pthread_mutex_unlock(&lock);
}
