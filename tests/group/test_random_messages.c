/*
 * Random programs of messages against the serial reference: tags, wildcards, any source, sizes from nothing
 * to what does not travel by itself, private and arena buffers, blocking or started, completed in any order,
 * barriers in between, with and without random delays (MUSTER_CHAOS).
 *
 * All ranks draw the same rounds from one seed: who sends what to whom. In an ordinary round each receive
 * names its source, perhaps with any tag: then the matching is determined, whatever the timing, and the
 * reference computes it from the order of sending and of posting. In a round of any source, each message must
 * be received once, and those of one source and tag in order. The bytes of a message are drawn from its
 * number. A failure prints its seed; TEST_SEED repeats it, TEST_PROGRAMS sets how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 6, MESSAGES_MAX = 60, ROUNDS = 6, TAGS = 4 };

typedef struct message {
    int src, dst, tag;
    size_t bytes;
    uint64_t seed;
    bool taken; /* by the reference, or seen */
} message;

typedef struct round_plan {
    message messages[MESSAGES_MAX];
    int count;
    bool any_source, barrier;
} round_plan;

/* A receive: what it names, and which message it must get; NULL: whichever comes. */
typedef struct receive {
    int src, tag;
    message *due;
    unsigned char *buffer;
    bool arena;
    muster_message came;
} receive;

typedef struct player {
    muster_group *world;
    int rank, size;
    uint64_t local;
    round_plan *plan;
    receive receives[MESSAGES_MAX];
    unsigned char *sent[MESSAGES_MAX];
    bool sent_arena[MESSAGES_MAX];
    muster_request requests[2 * MESSAGES_MAX];
    int receive_count, request_count;
} player;

static void draw_round(round_plan *plan, uint64_t *state, int size)
{
    static const size_t sizes[] = { 0,   1,    8,    40,    41,    200,   232,   233,
                                    500, 4096, 9000, 33000, 65536, 70000, 250000 };

    *plan = (round_plan){ .count = 1 + (int)(random_next(state) % MESSAGES_MAX),
                          .any_source = random_next(state) % 3 == 0,
                          .barrier = random_next(state) % 2 };
    for (int i = 0; i < plan->count; i++)
        plan->messages[i] = (message){
            .src = (int)(random_next(state) % (uint64_t)size),
            .dst = (int)(random_next(state) % (uint64_t)size),
            .tag = (int)(random_next(state) % TAGS),
            .bytes = sizes[random_next(state) % (random_next(state) % 4 ? 11 : 15)],
            .seed = random_next(state),
        };
}

static void fill(const message *message, unsigned char *to)
{
    uint64_t state = message->seed;

    for (size_t i = 0; i < message->bytes; i += 101)
        to[i] = (unsigned char)random_next(&state);
    if (message->bytes)
        to[message->bytes - 1] = (unsigned char)message->seed;
}

static bool is_it(const message *message, const unsigned char *at)
{
    uint64_t state = message->seed;
    bool same = true;

    for (size_t i = 0; i < message->bytes && same; i += 101) {
        unsigned char expected = (unsigned char)random_next(&state);

        same = at[i] == expected || i == message->bytes - 1;
    }
    return same && (!message->bytes || at[message->bytes - 1] == (unsigned char)message->seed);
}

static unsigned char *make_buffer(player *player, size_t bytes, bool *arena)
{
    unsigned char *made = NULL;

    *arena = random_next(&player->local) % 3 == 0;
    if (!*arena)
        return malloc(bytes + 1);
    return muster_alloc(player->world, bytes + 1, (void **)&made) == MUSTER_OK ? made : NULL;
}

static void free_buffer(player *player, unsigned char *buffer, bool arena)
{
    if (arena)
        muster_free(player->world, buffer);
    else
        free(buffer);
}

/* ---- what is due ---- */

/* The receives of this rank, one for each message to it, in a random order of posting. */
static void draw_receives(player *player)
{
    round_plan *plan = player->plan;

    player->receive_count = 0;
    for (int i = 0; i < plan->count; i++) {
        const message *message = &plan->messages[i];

        if (message->dst != player->rank)
            continue;
        int at = (int)(random_next(&player->local) % (uint64_t)(player->receive_count + 1));
        player->receives[player->receive_count++] = player->receives[at];
        player->receives[at] = (receive){ .src = message->src, .tag = message->tag };
    }
}

/* Determines what each of them gets. Those of any tag come last, else they might leave nothing for another.
 */
static void find_due(player *player)
{
    round_plan *plan = player->plan;

    for (int r = 0; r < player->receive_count; r++) {
        receive *receive = &player->receives[r];

        if (plan->any_source) {
            receive->src = MUSTER_ANY_SOURCE;
            receive->tag = MUSTER_ANY_TAG;
        } else if (r > player->receive_count / 2) {
            receive->tag = MUSTER_ANY_TAG;
        }
        for (int i = 0; i < plan->count && !receive->due && !plan->any_source; i++) {
            message *message = &plan->messages[i];

            if (message->taken || message->dst != player->rank || message->src != receive->src ||
                (receive->tag != MUSTER_ANY_TAG && receive->tag != message->tag))
                continue;
            message->taken = true;
            receive->due = message;
        }
    }
}

/* ---- doing it ---- */

static int post(player *player, receive *receive, bool starts)
{
    size_t room = 250000;

    receive->came = (muster_message)MUSTER_MESSAGE_INIT;
    receive->buffer = make_buffer(player, room, &receive->arena);
    RANK_CHECK(player->world, receive->buffer);
    if (starts)
        RANK_OK(player->world,
                muster_recv_start(receive->buffer, room, MUSTER_UINT8, receive->src, receive->tag,
                                  player->world, &receive->came, &player->requests[player->request_count++]));
    else
        RANK_OK(player->world, muster_recv(receive->buffer, room, MUSTER_UINT8, receive->src, receive->tag,
                                           player->world, &receive->came));
    return 0;
}

static int send(player *player, int i)
{
    const message *message = &player->plan->messages[i];
    unsigned char *buffer = player->sent[i] = make_buffer(player, message->bytes, &player->sent_arena[i]);

    RANK_CHECK(player->world, buffer);
    fill(message, buffer);
    RANK_OK(player->world, muster_send_start(buffer, message->bytes, MUSTER_UINT8, message->dst, message->tag,
                                             player->world, &player->requests[player->request_count++]));
    return 0;
}

/* Completes what was started, in a random way. */
static int complete(player *player)
{
    size_t count = (size_t)player->request_count, index = 0;
    bool done;

    for (;;) {
        switch (random_next(&player->local) % 4) {
        case 0:
            RANK_OK(player->world, muster_wait_all(player->requests, count, 0));
            return 0;
        case 1:
            RANK_OK(player->world, muster_wait_any(player->requests, count, 0, &index));
            if (index == count)
                return 0;
            break;
        default:
            index = count ? random_next(&player->local) % count : 0;
            if (count && player->requests[index].group && random_next(&player->local) % 2)
                RANK_OK(player->world, muster_wait(&player->requests[index], 0));
            else if (count && player->requests[index].group)
                RANK_OK(player->world, muster_test(&player->requests[index], &done));
        }
    }
}

static message *find_seen(player *player, const receive *receive)
{
    round_plan *plan = player->plan;

    for (int i = 0; i < plan->count; i++) {
        message *message = &plan->messages[i];

        if (!message->taken && message->dst == player->rank && message->src == receive->came.source &&
            message->tag == receive->came.tag)
            return message;
    }
    return NULL;
}

static int check(player *player)
{
    for (int r = 0; r < player->receive_count; r++) {
        receive *receive = &player->receives[r];
        message *due = receive->due;

        if (player->plan->any_source) { /* the first of its source and tag that was not seen yet */
            due = find_seen(player, receive);
            RANK_CHECK(player->world, due);
            due->taken = true;
        }
        RANK_CHECK(player->world, receive->came.source == due->src && receive->came.tag == due->tag);
        RANK_CHECK(player->world, receive->came.count == due->bytes && is_it(due, receive->buffer));
        free_buffer(player, receive->buffer, receive->arena);
    }
    for (int i = 0; i < player->plan->count; i++)
        if (player->plan->messages[i].src == player->rank)
            free_buffer(player, player->sent[i], player->sent_arena[i]);
    return 0;
}

/* Starts all sends, and receives in between; the last receives may block, since all sends are under way. */
static int play(player *player)
{
    round_plan *plan = player->plan;
    int posted = 0;
    bool blocks = random_next(&player->local) % 2;

    player->request_count = 0;
    draw_receives(player);
    find_due(player);
    for (int i = 0; i < plan->count; i++) {
        if (posted < player->receive_count && random_next(&player->local) % 3 == 0 &&
            post(player, &player->receives[posted++], true))
            return 1;
        if (plan->messages[i].src == player->rank && send(player, i))
            return 1;
    }
    if (plan->barrier)
        RANK_OK(player->world, muster_barrier(player->world));
    while (posted < player->receive_count)
        if (post(player, &player->receives[posted++], !blocks))
            return 1;
    if (complete(player) || check(player))
        return 1;
    RANK_OK(player->world,
            muster_barrier(player->world)); /* else a receive of any source gets the next round's */
    return 0;
}

typedef struct program {
    uint64_t seed;
    int programs;
} program;

static int run_programs(muster_group *world, void *arg)
{
    const program *program = arg;
    player *player = calloc(1, sizeof *player);
    round_plan *plan = malloc(sizeof *plan);

    RANK_CHECK(world, player && plan);
    for (int p = 0; p < program->programs; p++) {
        uint64_t state = program->seed + (uint64_t)p * 7919;

        *player = (struct player){
            .world = world, .rank = muster_group_rank(world), .size = muster_group_size(world), .plan = plan
        };
        player->local = state * 31 + (uint64_t)player->rank;
        for (int round = 0; round < ROUNDS; round++) {
            draw_round(plan, &state, player->size);
            if (play(player)) {
                fprintf(stderr, "round %d of program %d of seed %llu failed\n", round, p,
                        (unsigned long long)program->seed);
                return 1;
            }
        }
    }
    free(plan);
    free(player);
    return 0;
}

static int from_environment(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text ? atoi(text) : otherwise;
}

static void run_all(int programs)
{
    program program = { (uint64_t)from_environment("TEST_SEED", 1),
                        from_environment("TEST_PROGRAMS", programs) };

    for (int size = 1; size <= RANKS_MAX; size += 1 + (size > 2)) {
        run_ranks(size, RANKS_AS_PROCESSES, run_programs, &program);
        run_ranks(size, RANKS_AS_THREADS, run_programs, &program);
        program.seed += 1000;
    }
}

START_TEST(test_random_rounds)
{
    run_all(10);
}
END_TEST

START_TEST(test_random_rounds_with_delays)
{
    setenv("MUSTER_CHAOS", "7", 1);
    run_all(3);
    unsetenv("MUSTER_CHAOS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random_messages");
    TCase *tests = tcase_create("random_messages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_random_rounds);
    tcase_add_test(tests, test_random_rounds_with_delays);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
