/* Making, finding and ending of shared.h. */
#include "tests/backend/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool make_mailboxes(const shared_group *shared)
{
    for (int rank = 0; rank < shared->size; rank++) {
        mailbox *made = &shared->mailboxes[rank];

        made->weights = calloc((size_t)shared->size, sizeof *made->weights);
        if (!made->weights || !mst_matching_init(&made->matching, shared->size))
            return false;
    }
    return true;
}

/* With what nobody has received. */
static void end_mailbox(mailbox *mailbox, int size)
{
    for (int sender = 0; mailbox->matching.by_source && sender < size; sender++)
        for (mst_match_node *next, *at = mailbox->matching.by_source[sender].first; at; at = next) {
            next = at->list_next;
            if (!((envelope *)at)->lent)
                free(at);
        }
    mst_matching_destroy(&mailbox->matching);
    free(mailbox->weights);
}

shared_group *shared_create(world *world, int size)
{
    size_t members = (size_t)size;
    shared_group *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->world = world;
    made->size = made->handles = size;
    made->seats = calloc(members, sizeof *made->seats);
    made->left = calloc(members, sizeof *made->left);
    made->waits = calloc(members, sizeof *made->waits);
    made->mailboxes = calloc(members, sizeof *made->mailboxes);
    if (made->seats && made->left && made->waits && made->mailboxes && make_mailboxes(made))
        return made;
    shared_destroy(made);
    return NULL;
}

bool shared_add_blocks(shared_group *shared, const posting *postings)
{
    enum { PAGE_BYTES = 4096 };
    size_t members = (size_t)shared->size;

    shared->blocks = calloc(members, sizeof *shared->blocks);
    for (size_t i = 0; shared->blocks && i < members; i++) {
        block *block = &shared->blocks[i];
        size_t bytes = postings[i].bytes, pages = bytes / PAGE_BYTES + 1;

        block->bytes = bytes;
        block->raised = calloc(members, sizeof *block->raised);
        block->memory = bytes > SIZE_MAX / 2 ? NULL : aligned_alloc(PAGE_BYTES, pages * PAGE_BYTES);
        if (!block->raised || !block->memory)
            return false;
        memset(block->memory, 0, pages * PAGE_BYTES);
    }
    return shared->blocks != NULL;
}

bool shared_add_entries(shared_group *shared, size_t size, size_t bytes)
{
    entries *made = size > 1 << 20 ? NULL : calloc(1, sizeof *made + size * sizeof made->places[0]);

    shared->entries = made;
    if (!made)
        return false;
    made->size = size;
    made->released = calloc((size_t)shared->size, sizeof *made->released);
    for (size_t i = 0; made->released && i < size; i++) {
        made->places[i].data = bytes > SIZE_MAX / 2 ? NULL : malloc(bytes + 1);
        if (!made->places[i].data)
            return false;
    }
    return made->released != NULL;
}

static void destroy_entries(entries *entries)
{
    for (size_t i = 0; entries && i < entries->size; i++)
        free(entries->places[i].data);
    if (entries)
        free(entries->released);
    free(entries);
}

static void destroy_blocks(shared_group *shared)
{
    for (int i = 0; shared->blocks && i < shared->size; i++) {
        free(shared->blocks[i].memory);
        free(shared->blocks[i].raised);
    }
    free(shared->blocks);
}

static void rendezvous_destroy(rendezvous *rendezvous, int size)
{
    for (int rank = 0; rank < size; rank++)
        free(rendezvous->postings[rank].in);
    free(rendezvous);
}

void shared_destroy(shared_group *shared)
{
    for (int kind = 0; kind < RENDEZVOUS_KINDS; kind++)
        for (rendezvous *next, *at = shared->open[kind]; at; at = next) {
            next = at->next;
            rendezvous_destroy(at, shared->size);
        }
    for (int rank = 0; shared->mailboxes && rank < shared->size; rank++)
        end_mailbox(&shared->mailboxes[rank], shared->size);
    destroy_blocks(shared);
    destroy_entries(shared->entries);
    free(shared->mailboxes);
    free(shared->waits);
    free(shared->left);
    free(shared->seats);
    free(shared);
}

world *world_create(const char *name, int size)
{
    world *made = calloc(1, sizeof *made);
    pthread_condattr_t monotonic;

    if (!made)
        return NULL;
    made->ended = calloc((size_t)size, sizeof *made->ended);
    made->whole = shared_create(made, size);
    if (!made->ended || !made->whole) {
        free(made->ended);
        free(made);
        return NULL;
    }
    for (int rank = 0; rank < size; rank++)
        made->whole->seats[rank] = rank;
    made->whole->handles = 0; /* each rank that attaches is one more */
    snprintf(made->name, sizeof made->name, "%s", name);
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return made;
}

void world_destroy(world *world)
{
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
    free(world->ended);
    free(world);
}

rendezvous *shared_open(shared_group *shared, rendezvous_kind kind, uint64_t number, int expected)
{
    rendezvous *at = calloc(1, sizeof *at + (size_t)shared->size * sizeof *at->postings);

    if (at) {
        at->number = number;
        at->expected = expected;
        at->next = shared->open[kind];
        shared->open[kind] = at;
    }
    return at;
}

rendezvous *shared_rendezvous(shared_group *shared, rendezvous_kind kind, uint64_t number)
{
    rendezvous *at = shared->open[kind];

    while (at && at->number != number)
        at = at->next;
    return at ? at : shared_open(shared, kind, number, shared->size);
}

void shared_part(shared_group *shared, rendezvous_kind kind, rendezvous *over)
{
    rendezvous **at = &shared->open[kind];

    if (++over->done < over->expected)
        return;
    while (*at != over)
        at = &(*at)->next;
    *at = over->next;
    rendezvous_destroy(over, shared->size);
}

bool mailbox_has_room(const mailbox *mailbox, int sender, size_t bytes)
{
    return bytes < MAILBOX_WEIGHT_MAX && mailbox->weights[sender] + bytes + 1 <= MAILBOX_WEIGHT_MAX;
}

void mailbox_weigh(mailbox *mailbox, const envelope *envelope, bool in)
{
    size_t weight = envelope->bytes + 1;

    mailbox->weights[envelope->node.source] += in ? weight : -weight;
}

envelope *mailbox_take(mailbox *mailbox, mst_match_node *found)
{
    envelope *taken = (envelope *)found;

    mst_matching_take(&mailbox->matching, found);
    if (!taken->lent)
        mailbox_weigh(mailbox, taken, false);
    return taken;
}
