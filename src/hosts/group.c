/* Creates and closes groups over several hosts, for group.h. */
#include "src/hosts/group.h"

#include <stdlib.h>
#include <string.h>

static void let_go_of(mst_hosts_world *world)
{
    pthread_mutex_lock(&world->lock);
    bool last = --world->users == 0;
    pthread_mutex_unlock(&world->lock);
    if (!last)
        return;
    muster_group_free(world->whole);
    pthread_mutex_destroy(&world->lock);
    free(world);
}

static void enlist(mst_hosts_group *group)
{
    mst_hosts_world *world = group->world;

    pthread_mutex_lock(&world->lock);
    world->users++;
    if (group->link) {
        group->next = world->groups;
        world->groups = group;
    }
    pthread_mutex_unlock(&world->lock);
}

static void strike_out(mst_hosts_group *group)
{
    mst_hosts_world *world = group->world;

    pthread_mutex_lock(&world->lock);
    for (mst_hosts_group **at = &world->groups; *at; at = &(*at)->next)
        if (*at == group) {
            *at = group->next;
            break;
        }
    pthread_mutex_unlock(&world->lock);
}

static void set_base(mst_hosts_group *group, const muster_group *like)
{
    const muster_group *carrier = mst_hosts_carrier(group);

    group->base = (muster_group){ .backend = &mst_backend_hosts,
                                  .rank = carrier->rank,
                                  .size = carrier->size,
                                  .here = like->here,
                                  .log = like->log,
                                  .timeout_ns = like->timeout_ns,
                                  .interrupt = like->interrupt,
                                  .interrupt_arg = like->interrupt_arg,
                                  .threads_multiple = like->threads_multiple,
                                  .number = group->link ? group->link->number : carrier->number };
}

/* The interrupt function of a local group that does everything: the program's, which it may change later. */
static bool ask_program(void *of)
{
    const muster_group *group = of;
    muster_interrupt_fn interrupt = group->interrupt;

    return interrupt && interrupt(group->interrupt_arg);
}

/* What the program sets later, they ask for, or are told (mst_hosts_take_timeout): several threads are in
 * calls of them. */
static void set_up_carriers(mst_hosts_group *group)
{
    muster_group *carrier = mst_hosts_carrier(group);
    mst_link *link = group->link;

    carrier->timeout_ns = group->base.timeout_ns;
    carrier->threads_multiple = group->base.threads_multiple;
    carrier->interrupt = link ? group->world->look : ask_program;
    carrier->interrupt_arg = group;
    group->local->is_part = true;
    if (!link)
        return;
    link->watch = group->world->look;
    link->watched = group;
    group->local->carries = group->local->hidden = true;
    group->local->interrupt = group->world->look;
    group->local->interrupt_arg = group;
}

/* False: no memory. */
static bool reserve(mst_hosts_group *group, const int *machine)
{
    size_t size = (size_t)group->base.size;
    mst_hosts_room *room = &group->room;

    group->seats = malloc(size * sizeof *group->seats);
    if (group->link) {
        room->told = calloc(size + 1, sizeof *room->told);
        room->ranks = calloc(2 * size, sizeof *room->ranks);
        room->transfers = calloc(size + 1, sizeof *room->transfers);
        if (!room->told || !room->ranks || !room->transfers)
            return false;
        room->peers = room->ranks + size;
    }
    return group->seats && mst_places_make(&group->places, machine, group->base.size, group->base.rank);
}

static void release(mst_hosts_group *group)
{
    free(group->room.told);
    free(group->room.ranks);
    free(group->room.transfers);
    free(group->seats);
    free(group->table);
    free(group);
}

mst_hosts_group *mst_hosts_create(mst_hosts_world *world, muster_group *local, mst_link *link,
                                  const int *seats, const int *machine, const muster_group *like)
{
    mst_hosts_group *group = calloc(1, sizeof *group);

    if (!group)
        return NULL;
    group->world = world;
    group->local = local;
    group->link = link;
    set_base(group, like);
    if (!reserve(group, machine)) {
        release(group);
        return NULL;
    }
    memcpy(group->seats, seats, (size_t)group->base.size * sizeof *seats);
    pthread_mutex_init(&group->lock, NULL);
    pthread_mutex_init(&group->showing, NULL);
    set_up_carriers(group);
    world->show_group(group);
    enlist(group);
    return group;
}

void mst_hosts_take_timeout(muster_group *of)
{
    mst_hosts_carrier(mst_hosts_of(of))->timeout_ns = of->timeout_ns;
}

void mst_hosts_close(muster_group *of)
{
    mst_hosts_group *group = mst_hosts_of(of);
    mst_hosts_world *world = group->world;

    strike_out(group);
    muster_group_free(group->local);
    if (group->link)
        group->link->methods->close(group->link);
    world->call_thread(world); /* of what the link has told at its end */
    mst_places_free(&group->places);
    pthread_mutex_destroy(&group->lock);
    pthread_mutex_destroy(&group->showing);
    release(group);
    let_go_of(world);
}

int mst_hosts_translate(const muster_group *of, int rank, const muster_group *other)
{
    const mst_hosts_group *here = mst_hosts_of_const(of), *there = mst_hosts_of_const(other);

    for (int at = 0; here->world == there->world && at < other->size; at++)
        if (there->seats[at] == here->seats[rank])
            return at;
    return -1;
}
