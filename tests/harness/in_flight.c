/* The round of in_flight.h. */
#include "tests/harness/in_flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"

enum { STREAMS = 2, LARGEST = 150000, REQUESTS_MAX = 32, BUFFERS_MAX = 40, ELEMENTS = 3000 };

/* What each stream has: two messages of one tag, one that is received from any source, one that is probed
 * for, and two of other tags, for receives of any tag. */
enum { PLAIN, AGAIN, FROM_ANY, PROBED, LEFT, LEFT_TOO, EACH };

typedef struct receive {
    unsigned char *buffer;
    muster_message came;
    int source, tag; /* as asked for */
} receive;

typedef struct flight {
    muster_group *group;
    int rank, size;
    uint64_t seed, local;
    int shifts[STREAMS]; /* a stream goes to the rank that is so much higher */
    muster_request requests[REQUESTS_MAX];
    size_t count;
    void *buffers[BUFFERS_MAX];
    bool in_arena[BUFFERS_MAX];
    int buffer_count;
    receive receives[STREAMS * EACH];
    int receive_count;
    int64_t *in, *sums, *all;
    muster_status status; /* of the first call that failed */
    char sentence[300];
    const char *wrong;
} flight;

/* Whether all has gone well until now; keeps the first error. */
static bool went_well(flight *flight, muster_status status)
{
    if (status == MUSTER_OK || flight->status != MUSTER_OK)
        return flight->status == MUSTER_OK;
    flight->status = status;
    snprintf(flight->sentence, sizeof flight->sentence, "%s", muster_error_detail());
    return false;
}

static bool expect(flight *flight, bool right, const char *what)
{
    if (!right && !flight->wrong)
        flight->wrong = what;
    return right;
}

/* ---- what is sent ---- */

/* `which` of EACH: one that nobody sends. Tags of one round differ from those of the next, which a faster
 * rank has begun. */
static int tag_of(const flight *flight, int stream, int which)
{
    int base = (int)(flight->seed % 1000) * 32;

    if (which == FROM_ANY || which == PROBED) /* of all streams */
        return base + which;
    return base + 8 * (stream + 1) + (which == AGAIN ? PLAIN : which);
}

/* The same of all senders, so that any of them fits a receive of any source. */
static size_t bytes_of(const flight *flight, int stream, int which)
{
    static const size_t sizes[] = { 0, 8, 40, 500, 9000, 33000, 70000, LARGEST };
    uint64_t state = flight->seed * 64 + (uint64_t)which * 4 + (uint64_t)(which == FROM_ANY ? 0 : stream);

    return sizes[random_next(&state) % 8];
}

static unsigned char first_byte(int source, int tag)
{
    return (unsigned char)(1 + source * 31 + tag * 7);
}

static void fill(unsigned char *to, size_t bytes, int source, int tag, int which)
{
    memset(to, first_byte(source, tag), bytes);
    if (bytes)
        to[bytes - 1] = (unsigned char)(which == AGAIN);
}

static void *get_buffer(flight *flight, size_t bytes)
{
    void *made = NULL;
    int at = flight->buffer_count;

    flight->in_arena[at] = random_next(&flight->local) % 3 == 0;
    if (!flight->in_arena[at])
        made = calloc(1, bytes + 1);
    else if (!went_well(flight, muster_alloc(flight->group, bytes + 1, &made)))
        made = NULL;
    if (!made)
        went_well(flight, MUSTER_ERR_NO_MEMORY);
    flight->buffers[at] = made;
    flight->buffer_count += made != NULL;
    return made;
}

static void start_send(flight *flight, int stream, int which)
{
    int to = (flight->rank + flight->shifts[stream]) % flight->size, tag = tag_of(flight, stream, which);
    size_t bytes = bytes_of(flight, stream, which);
    unsigned char *buffer = flight->status == MUSTER_OK ? get_buffer(flight, bytes) : NULL;

    if (!buffer)
        return;
    fill(buffer, bytes, flight->rank, tag, which);
    flight->count += went_well(flight, muster_send_start(buffer, bytes, MUSTER_UINT8, to, tag, flight->group,
                                                         &flight->requests[flight->count]));
}

/* ---- what is received ---- */

static void start_receive(flight *flight, int source, int tag)
{
    receive *receive = &flight->receives[flight->receive_count];
    unsigned char *buffer = flight->status == MUSTER_OK ? get_buffer(flight, LARGEST) : NULL;

    if (!buffer)
        return;
    *receive = (struct receive){ buffer, MUSTER_MESSAGE_INIT, source, tag };
    bool started =
        went_well(flight, muster_recv_start(buffer, LARGEST, MUSTER_UINT8, source, tag, flight->group,
                                            &receive->came, &flight->requests[flight->count]));
    flight->count += started;
    flight->receive_count += started;
}

static int source_of(const flight *flight, int stream)
{
    return (flight->rank + flight->size - flight->shifts[stream]) % flight->size;
}

/* Which of the messages of its source a tag is of; -1: of none. */
static int which_of(const flight *flight, int source, int tag, size_t bytes)
{
    for (int stream = 0; stream < STREAMS; stream++)
        for (int which = 0; which < EACH; which++)
            if (source == source_of(flight, stream) && tag == tag_of(flight, stream, which) &&
                bytes == bytes_of(flight, stream, which))
                return which;
    return -1;
}

static void check_message(flight *flight, const unsigned char *at, const muster_message *came)
{
    size_t bytes = came->count;

    if (!expect(flight, which_of(flight, came->source, came->tag, bytes) >= 0, "a message that nobody sent"))
        return;
    for (size_t i = 0; i + 1 < bytes; i += 97)
        if (!expect(flight, at[i] == first_byte(came->source, came->tag), "bytes of another message"))
            return;
    expect(flight, bytes < 2 || at[bytes - 2] == first_byte(came->source, came->tag), "the end is missing");
}

/* The two messages of one tag come in the order sent, to the receives in the order made. */
static void check_order(flight *flight, int stream)
{
    int tag = tag_of(flight, stream, PLAIN), found = 0;

    for (int i = 0; i < flight->receive_count; i++) {
        const receive *receive = &flight->receives[i];
        size_t bytes = receive->came.count;

        if (receive->tag != tag)
            continue;
        if (bytes)
            expect(flight, receive->buffer[bytes - 1] == (found > 0), "one message has overtaken another");
        found++;
    }
}

static void check_received(flight *flight)
{
    for (int i = 0; i < flight->receive_count && !flight->wrong; i++) {
        const receive *receive = &flight->receives[i];

        expect(flight, receive->source == MUSTER_ANY_SOURCE || receive->came.source == receive->source,
               "of another source");
        expect(flight, receive->tag == MUSTER_ANY_TAG || receive->came.tag == receive->tag, "of another tag");
        check_message(flight, receive->buffer, &receive->came);
    }
    for (int stream = 0; stream < STREAMS && !flight->wrong; stream++)
        check_order(flight, stream);
}

/* ---- the round ---- */

static void start_collectives(flight *flight)
{
    size_t size = (size_t)flight->size, count = 1 + flight->seed % ELEMENTS;

    flight->in = get_buffer(flight, ELEMENTS * sizeof *flight->in);
    flight->sums = get_buffer(flight, ELEMENTS * sizeof *flight->sums);
    flight->all = get_buffer(flight, size * ELEMENTS * sizeof *flight->all);
    if (flight->status != MUSTER_OK)
        return;
    for (size_t i = 0; i < ELEMENTS; i++)
        flight->in[i] = flight->rank + (int64_t)i;
    muster_request *next = &flight->requests[flight->count];
    bool started = went_well(flight, muster_all_reduce_start(flight->in, flight->sums, count, MUSTER_INT64,
                                                             MUSTER_SUM, flight->group, next));
    flight->count += started;
    if (started) {
        started = went_well(flight, muster_all_gather_start(flight->in, flight->all, count, MUSTER_INT64,
                                                            flight->group, next + 1));
        flight->count += started;
    }
    if (started)
        flight->count += went_well(flight, muster_barrier_start(flight->group, next + 2));
}

static void check_collectives(flight *flight)
{
    int64_t size = flight->size, ranks = size * (size - 1) / 2;
    size_t count = 1 + flight->seed % ELEMENTS, last = count - 1;

    expect(flight, flight->sums[last] == ranks + size * (int64_t)last, "a sum");
    for (size_t r = 0; r < (size_t)size; r++)
        expect(flight, flight->all[r * count + last] == (int64_t)(r + last), "what was gathered");
}

/* The probed messages: what a probe has shown is what a receive of its source and tag gets. */
static void receive_probed(flight *flight, unsigned char *buffer)
{
    muster_message seen = MUSTER_MESSAGE_INIT, came = MUSTER_MESSAGE_INIT;
    bool any = random_next(&flight->local) % 2, found;
    int tag = tag_of(flight, 0, PROBED);

    for (int stream = 0; stream < STREAMS; stream++) {
        int source = any ? MUSTER_ANY_SOURCE : source_of(flight, stream);

        if (!went_well(flight, muster_iprobe(source, MUSTER_ANY_TAG, flight->group, &found, &seen)) ||
            !went_well(flight, muster_probe(source, tag, flight->group, &seen)) ||
            !went_well(flight, muster_recv(buffer, LARGEST, MUSTER_UINT8, seen.source, seen.tag,
                                           flight->group, &came)))
            return;
        expect(flight, came.source == seen.source && came.tag == seen.tag && came.count == seen.count,
               "not what the probe has shown");
        check_message(flight, buffer, &came);
    }
}

static void start_all(flight *flight, muster_request *nobody)
{
    static const int shuffled[][EACH] = { { PLAIN, AGAIN, FROM_ANY, PROBED, LEFT, LEFT_TOO },
                                          { LEFT, PROBED, PLAIN, LEFT_TOO, FROM_ANY, AGAIN } };
    const int *order = shuffled[random_next(&flight->local) % 2];
    bool first = random_next(&flight->local) % 2; /* the sends */

    for (int pass = 0; pass < 2; pass++)
        for (int stream = 0; stream < STREAMS; stream++) {
            for (int i = 0; i < EACH && (pass == 0) == first; i++)
                start_send(flight, stream, order[i]);
            if ((pass == 0) == first)
                continue;
            start_receive(flight, source_of(flight, stream), tag_of(flight, stream, PLAIN));
            start_receive(flight, MUSTER_ANY_SOURCE, tag_of(flight, stream, FROM_ANY));
            start_receive(flight, source_of(flight, stream), tag_of(flight, stream, PLAIN));
        }
    if (flight->status == MUSTER_OK)
        start_collectives(flight);
    unsigned char *buffer = flight->status == MUSTER_OK ? get_buffer(flight, 1) : NULL;
    if (buffer)
        went_well(flight, muster_recv_start(buffer, 1, MUSTER_UINT8, MUSTER_ANY_SOURCE,
                                            tag_of(flight, 0, EACH), flight->group, NULL, nobody));
}

/* Nobody sends what it waits for, so it is taken back, or ends with the group. */
static void take_back(flight *flight, muster_request *nobody)
{
    bool canceled = false;

    if (nobody->group && went_well(flight, muster_cancel(nobody, &canceled)))
        expect(flight, canceled && !nobody->group, "what nobody has sent for cannot be canceled");
    if (nobody->group) {
        flight->requests[flight->count++] = *nobody;
        *nobody = (muster_request)MUSTER_REQUEST_INIT;
    }
}

static void complete_some(flight *flight)
{
    size_t at = random_next(&flight->local) % flight->count;
    bool done = false;

    switch (random_next(&flight->local) % 5) {
    case 0:
        if (went_well(flight, muster_wait_any(flight->requests, flight->count, 0, &at)))
            expect(flight, at < flight->count && !flight->requests[at].group, "no request is over");
        break;
    case 1:
        if (flight->requests[at].group)
            went_well(flight, muster_wait(&flight->requests[at], 0));
        break;
    case 2:
        went_well(flight, muster_wait_all(flight->requests, flight->count / 2, 0));
        break;
    default:
        while (flight->requests[at].group && !done &&
               went_well(flight, muster_test(&flight->requests[at], &done)))
            continue;
    }
}

static bool is_pending(const flight *flight)
{
    size_t i = 0;

    while (i < flight->count && !flight->requests[i].group)
        i++;
    return i < flight->count;
}

static void run(flight *flight, muster_request *nobody)
{
    bool everybody = flight->seed % 3 == 0, from_all = flight->seed % 2;
    int64_t one = 1, sum = 0;

    start_all(flight, nobody);
    unsigned char *buffer = flight->status == MUSTER_OK ? get_buffer(flight, LARGEST) : NULL;
    if (buffer)
        receive_probed(flight, buffer);
    if (flight->status == MUSTER_OK && everybody &&
        went_well(flight, muster_all_sum(&one, &sum, 1, MUSTER_INT64, flight->group)))
        expect(flight, sum == flight->size, "a sum meanwhile");
    for (int i = 0; i < 2 * STREAMS; i++)
        start_receive(flight, from_all ? MUSTER_ANY_SOURCE : source_of(flight, i % STREAMS), MUSTER_ANY_TAG);
    if (flight->status == MUSTER_OK)
        take_back(flight, nobody);
    while (flight->status == MUSTER_OK && is_pending(flight))
        complete_some(flight);
    if (flight->status == MUSTER_OK && from_all) /* else they would get the next round's */
        went_well(flight, muster_barrier(flight->group));
}

/* After an error all that was started ends with it, and the group goes on telling it. */
static void end_all(flight *flight, muster_request *nobody)
{
    if (flight->status == MUSTER_OK)
        return;
    take_back(flight, nobody);
    muster_wait_all(flight->requests, flight->count, 0);
    expect(flight, !is_pending(flight), "a request of a broken group is still pending");
    expect(flight, muster_group_status(flight->group) == flight->status, "the group has another status");
    expect(flight, strcmp(muster_error_detail(), flight->sentence) == 0, "the group tells another story");
}

muster_status use_requests(muster_group *group, uint64_t seed)
{
    flight *flight = calloc(1, sizeof *flight);
    muster_request nobody = MUSTER_REQUEST_INIT;
    uint64_t state = seed;

    if (!flight)
        return MUSTER_ERR_NO_MEMORY;
    flight->group = group;
    flight->rank = muster_group_rank(group);
    flight->size = muster_group_size(group);
    flight->seed = seed;
    flight->local = seed * 31 + (uint64_t)flight->rank;
    for (int stream = 0; stream < STREAMS; stream++)
        flight->shifts[stream] = (int)(random_next(&state) % (uint64_t)flight->size);
    run(flight, &nobody);
    if (flight->status == MUSTER_OK) {
        check_received(flight);
        check_collectives(flight);
    }
    end_all(flight, &nobody);
    for (int i = 0; i < flight->buffer_count; i++)
        if (flight->in_arena[i])
            muster_free(group, flight->buffers[i]);
        else
            free(flight->buffers[i]);
    muster_status status = flight->wrong ? MUSTER_ERR_BAD_ARENA : flight->status;
    if (flight->wrong)
        fprintf(stderr, "rank %d of %d, requests of seed %llu: %s (%s)\n", flight->rank, flight->size,
                (unsigned long long)seed, flight->wrong, flight->status ? flight->sentence : "no error");
    if (status != MUSTER_OK)
        muster_group_status(group); /* which is the last error then */
    free(flight);
    return status;
}
