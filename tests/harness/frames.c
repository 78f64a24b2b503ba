/* Frames of frames.h: an inbox for each rank of a world, by the world's name. */
#include "tests/harness/frames.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/carried.h"
#include "src/hosts/hosts.h"
#include "src/wire/group.h"

#define YIELDS_MAX 16 /* of a rank: on a busy machine each takes a turn of all that runs there */

typedef struct letter {
    struct letter *next;
    int from;
    size_t count;
    char bytes[];
} letter;

typedef struct inbox {
    letter *first, *last;
    mst_wire *wire;
} inbox;

typedef struct hub {
    struct hub *next;
    char name[64];
    int users;
    inbox inboxes[];
} hub;

typedef struct thread_frames {
    mst_frames base;
    hub *hub;
    letter *latest;
    unsigned looks, yields;
} thread_frames;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hub *hubs;
static _Thread_local thread_frames *own;
static _Thread_local mst_wire *wire;

static bool is_allowed(mst_frames *frames)
{
    (void)frames;
    return true;
}

static bool send(mst_frames *frames, int to, const void *bytes, size_t count, int *slot, char *why)
{
    thread_frames *self = (thread_frames *)frames;
    letter *sent = malloc(sizeof *sent + count);
    inbox *inbox = &self->hub->inboxes[to];

    *slot = 0;
    if (!sent) {
        snprintf(why, MST_FRAMES_WHY_BYTES, "no memory");
        return false;
    }
    *sent = (letter){ .from = frames->rank, .count = count };
    memcpy(sent->bytes, bytes, count);
    pthread_mutex_lock(&lock);
    *(inbox->last ? &inbox->last->next : &inbox->first) = sent;
    inbox->last = sent;
    pthread_mutex_unlock(&lock);
    if (((const mst_wire_head *)bytes)->kind == MST_WIRE_BROKEN && self->yields++ < YIELDS_MAX)
        sched_yield(); /* who is told first acts on it before the last has been told */
    return true;
}

/* Not always at once. */
static bool is_sent(mst_frames *frames, int slot, bool *sent, char *why)
{
    (void)slot, (void)why;
    *sent = ++((thread_frames *)frames)->looks % 3 != 0;
    return true;
}

static bool take(mst_frames *frames, int *from, const void **bytes, size_t *count, char *why)
{
    thread_frames *self = (thread_frames *)frames;
    inbox *inbox = &self->hub->inboxes[frames->rank];

    (void)why;
    free(self->latest);
    pthread_mutex_lock(&lock);
    letter *came = self->latest = inbox->first;
    if (came) {
        inbox->first = came->next;
        inbox->last = inbox->first ? inbox->last : NULL;
    }
    pthread_mutex_unlock(&lock);
    *bytes = came ? came->bytes : NULL;
    *from = came ? came->from : -1;
    *count = came ? came->count : 0;
    return true;
}

static const mst_frames_methods methods = {
    is_allowed, send, is_sent, take, "this thread may not move frames", "this rank has left the job"
};

static thread_frames *open_frames(const muster_config *config)
{
    thread_frames *frames = calloc(1, sizeof *frames);

    if (!frames)
        abort();
    frames->base = (mst_frames){ &methods, config->rank, config->size, NULL };
    pthread_mutex_lock(&lock);
    hub *at = hubs;
    while (at && strcmp(at->name, config->arena) != 0)
        at = at->next;
    if (!at) {
        at = calloc(1, sizeof *at + (size_t)config->size * sizeof at->inboxes[0]);
        if (!at)
            abort();
        snprintf(at->name, sizeof at->name, "%s", config->arena);
        at->next = hubs;
        hubs = at;
    }
    at->users++;
    frames->hub = at;
    pthread_mutex_unlock(&lock);
    return frames;
}

static void close_frames(thread_frames *frames)
{
    pthread_mutex_lock(&lock);
    hub *hub = frames->hub, **at = &hubs;
    bool last = --hub->users == 0;
    for (; last && *at != hub; at = &(*at)->next)
        ;
    if (last)
        *at = hub->next;
    pthread_mutex_unlock(&lock);
    for (int rank = 0; last && rank < frames->base.size; rank++)
        for (letter *left = hub->inboxes[rank].first, *next; left; left = next) {
            next = left->next;
            free(left);
        }
    if (last)
        free(hub);
    free(frames->latest);
    free(frames);
}

void frames_end(void)
{
    if (!own)
        return;
    mst_wire_leave(wire);
    while (!mst_wire_is_quiet(wire))
        sched_yield();
    mst_wire_destroy(wire);
    close_frames(own);
    own = NULL;
}

bool frames_is_waiting(const muster_group *carrier, int rank)
{
    int seat = mst_wire_of_const(carrier)->seats[rank];

    pthread_mutex_lock(&lock);
    mst_wire *theirs = own->hub->inboxes[seat].wire;
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&theirs->lock);
    const mst_wire_group *group = mst_wire_group_find(theirs, carrier->number);
    bool waits = group && group->waits > 0;
    pthread_mutex_unlock(&theirs->lock);
    return waits;
}

static muster_status attach_whole(const muster_config *config, void *arg, muster_group **whole)
{
    (void)arg;
    return mst_backend_onehost.attach(config, whole);
}

static muster_status make_link(const muster_group *like, void *arg, mst_link **link)
{
    muster_group *bytes;

    muster_status status = mst_wire_whole(arg, like, &bytes);
    return status == MUSTER_OK ? mst_carried_link(bytes, true, true, link) : status;
}

static muster_status attach(const muster_config *config, muster_group **world)
{
    own = open_frames(config);
    wire = mst_wire_create(&own->base);
    if (!wire)
        abort();
    pthread_mutex_lock(&lock);
    own->hub->inboxes[config->rank].wire = wire;
    pthread_mutex_unlock(&lock);
    return mst_hosts_attach_by(
        config,
        &(mst_hosts_way){
            .attach_whole = attach_whole, .make_link = make_link, .has_all = true, .arg = wire },
        world);
}

const mst_backend backend_over_frames = { .name = "wire", .ranks_max = 1024, .attach = attach };
