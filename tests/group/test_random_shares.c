/*
 * Random programs of shares, signals and queues against a plain reference: puts and stores into blocks of any
 * size, signals that are waited for at once, in parts or rounds later, sealing, reductions of a block; queues
 * of any writer, size and lag. Also run by the backend of threads.
 *
 * All ranks draw the same program from one seed, so that each knows what every block has, who has raised
 * what, and how far each reader has come. A failure prints its seed; TEST_SEED repeats it, TEST_PROGRAMS sets
 * how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { RANKS_MAX = 6, ACTIONS_MAX = 20, STEPS = 12, NO_TIME = -1 };

/* A share, and what is in it. */
typedef struct known_share {
    muster_share *share;
    size_t sizes[RANKS_MAX];
    unsigned char *expected[RANKS_MAX];
    uint64_t raised[RANKS_MAX][MUSTER_SIGNALS]; /* at this rank, and not waited for */
    bool sealed;
} known_share;

typedef struct known_queue {
    muster_queue *queue;
    int writer;
    size_t entries, entry_bytes;
    uint64_t pushed, read[RANKS_MAX];
} known_queue;

typedef struct player {
    muster_group *group;
    int rank, size;
    uint64_t state, local; /* alike on all ranks; of this rank alone */
    known_share share;
    known_queue queue;
} player;

/* A put, or a plain store, by one rank into the block of another, in the part that is its own there. */
typedef struct action {
    int from, to, signal; /* -1: a store */
    size_t at, bytes;
    unsigned char value;
} action;

static uint64_t draw(player *player, uint64_t below)
{
    return random_next(&player->state) % below;
}

/* ---- shares ---- */

static int open_share(player *player)
{
    static const size_t sizes[] = { 0, 1, 5, 64, 1000, 4096, 10000, 70000 };
    known_share *known = &player->share;

    *known = (known_share){ .share = NULL };
    for (int rank = 0; rank < player->size; rank++) {
        known->sizes[rank] = sizes[draw(player, 8)];
        known->expected[rank] = calloc(1, known->sizes[rank] + 1);
    }
    RANK_OK(player->group, muster_share_create(player->group, known->sizes[player->rank], &known->share));
    for (int rank = 0; rank < player->size; rank++) {
        void *at = &at;
        size_t bytes = 1;

        RANK_OK(player->group, muster_share_at(known->share, rank, &at, &bytes));
        RANK_CHECK(player->group, bytes == known->sizes[rank] && (at != NULL) == (bytes > 0));
    }
    return 0;
}

static int close_share(player *player)
{
    RANK_OK(player->group, muster_share_free(player->share.share));
    for (int rank = 0; rank < player->size; rank++)
        free(player->share.expected[rank]);
    player->share.share = NULL;
    return 0;
}

static action draw_action(player *player)
{
    size_t n = (size_t)player->size;
    action action = { .from = (int)draw(player, n),
                      .to = (int)draw(player, n),
                      .signal = draw(player, 4) ? (int)draw(player, MUSTER_SIGNALS) : -1,
                      .value = (unsigned char)draw(player, 256) };
    size_t part = player->share.sizes[action.to] / n;

    action.bytes = draw(player, 3) ? draw(player, part + 1) : 0;
    action.at = (size_t)action.from * part + draw(player, part - action.bytes + 1);
    return action;
}

static int act(player *player, const action *action)
{
    unsigned char bytes[70000];
    void *at;

    memset(bytes, action->value, action->bytes);
    if (action->signal >= 0) {
        RANK_OK(player->group,
                muster_put_signal(player->share.share, action->to, action->at, action->bytes ? bytes : NULL,
                                  action->bytes, action->signal));
        return 0;
    }
    RANK_OK(player->group, muster_share_at(player->share.share, action->to, &at, NULL));
    if (action->bytes)
        memcpy((unsigned char *)at + action->at, bytes, action->bytes);
    return 0;
}

/* Compares some bytes of a block. */
static int check_block(const player *player, int of, size_t from, size_t bytes)
{
    void *at;

    RANK_OK(player->group, muster_share_at(player->share.share, of, &at, NULL));
    RANK_CHECK(player->group, bytes == 0 || memcmp((unsigned char *)at + from,
                                                   player->share.expected[of] + from, bytes) == 0);
    return 0;
}

/* Waits for some of the signals that a source has raised, or all of them, in parts. */
static int wait_for_source(player *player, int source, bool all)
{
    known_share *known = &player->share;

    for (int signal = 0; signal < MUSTER_SIGNALS; signal++)
        while (known->raised[source][signal] && (all || random_next(&player->local) % 3)) {
            uint64_t count = 1 + random_next(&player->local) % known->raised[source][signal];

            RANK_OK(player->group, muster_wait_signal(known->share, source, signal, count, 0));
            known->raised[source][signal] -= count;
        }
    return 0;
}

/* Whether the last that a source did in this rank's block was a put: then its signals show all of it. */
static bool ends_in_put(const player *player, const action *actions, int count, int source)
{
    bool put = false;

    for (int i = 0; i < count; i++)
        if (actions[i].from == source && actions[i].to == player->rank)
            put = actions[i].signal >= 0;
    return put;
}

/* While nobody acts: all blocks are as expected, and no signal is there that was not raised. */
static int check_quiet(player *player)
{
    known_share *known = &player->share;
    int source = (int)(random_next(&player->local) % (uint64_t)player->size);
    int signal = (int)(random_next(&player->local) % MUSTER_SIGNALS);

    RANK_OK(player->group, muster_barrier(player->group));
    for (int rank = 0; rank < player->size; rank++)
        if (check_block(player, rank, 0, known->sizes[rank]))
            return 1;
    RANK_CHECK(player->group,
               muster_wait_signal(known->share, source, signal, known->raised[source][signal] + 1, NO_TIME) ==
                   MUSTER_ERR_TIMED_OUT);
    RANK_OK(player->group, muster_barrier(player->group));
    return 0;
}

static int use_share(player *player)
{
    known_share *known = &player->share;
    int count = 1 + (int)draw(player, ACTIONS_MAX);
    action actions[ACTIONS_MAX];
    size_t part = known->sizes[player->rank] / (size_t)player->size;

    for (int i = 0; i < count; i++) {
        const action *drawn = &actions[i];

        actions[i] = draw_action(player);
        if (known->sealed) /* signals alone */
            actions[i].bytes = 0;
        memset(known->expected[drawn->to] + drawn->at, drawn->value, drawn->bytes);
        if (drawn->to == player->rank && drawn->signal >= 0)
            known->raised[drawn->from][drawn->signal]++;
    }
    for (int i = 0; i < count; i++)
        if (actions[i].from == player->rank && act(player, &actions[i]))
            return 1;
    for (int source = 0; source < player->size; source++) {
        bool all = random_next(&player->local) % 2;

        if (wait_for_source(player, source, all) ||
            (all && ends_in_put(player, actions, count, source) &&
             check_block(player, player->rank, (size_t)source * part, part)))
            return 1;
    }
    return check_quiet(player);
}

/* A block is an arena buffer: of all collectives the input, of messages the source; and it has an address at
 * peers. */
static int reduce_share(player *player)
{
    const known_share *known = &player->share;
    size_t least = known->sizes[0];
    unsigned char *sums = malloc(70000);
    void *mine, *theirs;

    for (int rank = 1; rank < player->size; rank++)
        least = known->sizes[rank] < least ? known->sizes[rank] : least;
    RANK_OK(player->group, muster_share_at(known->share, player->rank, &mine, NULL));
    RANK_OK(player->group, muster_all_sum(least ? mine : NULL, sums, least, MUSTER_UINT8, player->group));
    for (size_t i = 0; i < least; i++) {
        unsigned char sum = 0;

        for (int rank = 0; rank < player->size; rank++)
            sum = (unsigned char)(sum + known->expected[rank][i]);
        RANK_CHECK(player->group, sums[i] == sum);
    }
    for (int rank = 0; rank < player->size && least; rank++) {
        void *at;

        RANK_OK(player->group, muster_share_at(known->share, rank, &at, NULL));
        RANK_OK(player->group,
                muster_peer_buffer(player->group, rank, (unsigned char *)mine + least - 1, &theirs));
        RANK_CHECK(player->group, theirs == (unsigned char *)at + least - 1);
    }
    free(sums);
    return check_quiet(player);
}

static int seal_share(player *player)
{
    RANK_OK(player->group, muster_share_seal(player->share.share));
    player->share.sealed = true;
    return check_quiet(player);
}

/* ---- queues ---- */

static size_t bytes_of_entry(const known_queue *known, uint64_t number)
{
    return number % 5 == 0 ? known->entry_bytes : (size_t)number * 31 % (known->entry_bytes + 1);
}

static int open_queue(player *player)
{
    static const size_t sizes[] = { 0, 1, 8, 100, 5000 };
    known_queue *known = &player->queue;

    *known = (known_queue){ .writer = (int)draw(player, (uint64_t)player->size),
                            .entries = 1 + draw(player, 9),
                            .entry_bytes = sizes[draw(player, 5)] };
    RANK_OK(player->group, muster_queue_create(player->group, known->writer, known->entries,
                                               known->entry_bytes, &known->queue));
    return 0;
}

static int push(player *player, uint64_t number)
{
    unsigned char entry[5000];
    const known_queue *known = &player->queue;
    size_t bytes = bytes_of_entry(known, number);

    memset(entry, (int)number * 3, bytes);
    RANK_OK(player->group, muster_queue_push(known->queue, bytes ? entry : NULL, bytes, 0));
    return 0;
}

static int pop(player *player, uint64_t number)
{
    unsigned char buffer[5000];
    const known_queue *known = &player->queue;
    uint64_t drawn = random_next(&player->local);
    const void *entry = buffer;
    size_t bytes = 0;

    for (uint64_t peeks = drawn % 3; peeks > 0; peeks--)
        RANK_OK(player->group, muster_queue_peek(known->queue, 0, &entry, &bytes));
    bool pops = drawn % 3 == 0 || drawn % 2;
    if (pops) {
        RANK_OK(player->group, muster_queue_pop(known->queue, buffer, known->entry_bytes, 0, &bytes));
        entry = buffer;
    }
    RANK_CHECK(player->group, bytes == bytes_of_entry(known, number));
    for (size_t i = 0; i < bytes; i++)
        RANK_CHECK(player->group, ((const unsigned char *)entry)[i] == (unsigned char)(number * 3));
    if (!pops)
        RANK_OK(player->group, muster_queue_release(known->queue));
    return 0;
}

/* Who lags, and what no longer passes. Nobody pushes or reads meanwhile. */
static int check_lag(player *player)
{
    const known_queue *known = &player->queue;
    int slowest = -1, found = 7;
    uint64_t behind = 7;
    unsigned char byte = 0;
    size_t bytes;

    for (int rank = 0; rank < player->size; rank++)
        if (rank != known->writer && (slowest < 0 || known->read[rank] < known->read[slowest]))
            slowest = rank;
    if (player->rank == known->writer) {
        uint64_t expected = slowest < 0 ? 0 : known->pushed - known->read[slowest];

        RANK_OK(player->group, muster_queue_lag(known->queue, &found, &behind));
        RANK_CHECK(player->group, found == slowest && behind == expected);
        if (expected == known->entries)
            RANK_CHECK(player->group,
                       muster_queue_push(known->queue, NULL, 0, NO_TIME) == MUSTER_ERR_TIMED_OUT);
    } else if (known->read[player->rank] == known->pushed) {
        RANK_CHECK(player->group,
                   muster_queue_pop(known->queue, &byte, 1, NO_TIME, &bytes) == MUSTER_ERR_TIMED_OUT);
    }
    return 0;
}

/* The writer pushes some; each reader reads on as far as it likes, but not so little that the writer would
 * wait for ever. */
static int use_queue(player *player)
{
    known_queue *known = &player->queue;
    uint64_t before = known->pushed, had = known->read[player->rank];

    known->pushed += draw(player, 3 * known->entries + 1);
    for (int rank = 0; rank < player->size; rank++) {
        uint64_t *read = &known->read[rank];

        *read += draw(player, known->pushed - *read + 1);
        if (known->pushed > known->entries && *read < known->pushed - known->entries)
            *read = known->pushed - known->entries;
    }
    for (uint64_t number = before + 1; number <= known->pushed && player->rank == known->writer; number++)
        if (push(player, number))
            return 1;
    for (uint64_t number = had + 1; number <= known->read[player->rank] && player->rank != known->writer;
         number++)
        if (pop(player, number))
            return 1;
    RANK_OK(player->group, muster_barrier(player->group));
    if (check_lag(player))
        return 1;
    RANK_OK(player->group, muster_barrier(player->group));
    return 0;
}

static int close_queue(player *player)
{
    RANK_OK(player->group, muster_queue_free(player->queue.queue));
    player->queue.queue = NULL;
    return 0;
}

/* ---- programs ---- */

static int run_step(player *player)
{
    uint64_t drawn = draw(player, 16);

    if (drawn < 7) {
        if (!player->share.share)
            return open_share(player);
        if (drawn == 0)
            return close_share(player);
        if (drawn == 1)
            return reduce_share(player);
        return drawn == 2 && !player->share.sealed ? seal_share(player) : use_share(player);
    }
    if (!player->queue.queue)
        return open_queue(player);
    return drawn == 7 ? close_queue(player) : use_queue(player);
}

static int run_program(muster_group *group, uint64_t seed)
{
    player player = {
        .group = group, .rank = muster_group_rank(group), .size = muster_group_size(group), .state = seed
    };

    player.local = seed * 31 + (uint64_t)player.rank;
    for (int step = 0; step < STEPS; step++)
        if (run_step(&player))
            return 1;
    if (player.share.share && close_share(&player))
        return 1;
    return player.queue.queue ? close_queue(&player) : 0;
}

static int from_environment(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text && *text ? atoi(text) : otherwise;
}

/* In the world, and in a group of the same ranks in reverse. */
static int run_programs(muster_group *world, void *arg)
{
    uint64_t seed = *(const uint64_t *)arg;
    int programs = from_environment("TEST_PROGRAMS", 15);
    muster_group *reversed;

    RANK_OK(world, muster_group_split(world, 0, RANKS_MAX - muster_group_rank(world), &reversed));
    for (int i = 0; i < programs; i++) {
        if (run_program(i % 2 ? reversed : world, seed + (uint64_t)i * 1000003) == 0)
            continue;
        fprintf(stderr, "program %d of seed %llu failed\n", i, (unsigned long long)seed);
        return 1;
    }
    RANK_OK(world, muster_group_free(reversed));
    return 0;
}

START_TEST(test_random_shares)
{
    uint64_t seed = (uint64_t)from_environment("TEST_SEED", 1) * 7919 + (uint64_t)_i;
    rank_mode mode = _i < RANKS_MAX ? RANKS_AS_PROCESSES : RANKS_AS_THREADS;

    if (_i % 3 == 2) /* with delays wherever ranks depend on each other */
        setenv("MUSTER_CHAOS", "5", 1);
    if (mode == RANKS_AS_THREADS || !under_thread_sanitizer())
        run_ranks(_i % RANKS_MAX + 1, mode, run_programs, &seed);
    unsetenv("MUSTER_CHAOS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random shares");
    TCase *tests = tcase_create("against a plain reference");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_random_shares, 0, 2 * RANKS_MAX);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
