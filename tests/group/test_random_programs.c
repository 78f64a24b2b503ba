/*
 * Random programs against the serial reference: collectives x dtypes and elements of any size x ops and those
 * that a program makes x counts x packed or not x in place or not x arena or private buffers x ordinary or
 * started, many under way x tags and wildcards x splits, subsets and dups, for 1 ... 8 ranks, as processes
 * and as threads.
 *
 * All ranks draw the same program from one seed; inputs are drawn from (seed, operation, rank), so
 * that every rank can compute everyone's inputs and with them the expected output. The seed of each
 * run is printed when it fails; TEST_SEED repeats it, TEST_PROGRAMS sets how many. With TEST_CLOSED=1 each
 * rank that is a process closes all descriptors before each program and opens its own, which must be as they
 * were after it. With TEST_HELPERS=1 ranks have threads that help in their collectives, each rank its own
 * number of them, and take parts of little.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/belongings.h"
#include "tests/harness/helpers.h"
#include "tests/harness/random_calls.h"
#include "tests/harness/ranks.h"

#define CALLS_PER_PROGRAM 16
#define GROUPS_MAX 6

/* A buffer of this rank's for one call: private or in the arena, at any alignment. */
typedef struct buffer {
    unsigned char *whole, *bytes;
    bool arena;
} buffer;

/* A call whose result is still to be looked at. */
typedef struct under_way {
    call call;
    buffer in, out;
    unsigned char *out_at;
    void *inputs[8];
    size_t *numbers; /* the operation's until it is over */
    muster_request request;
} under_way;

/* A group, and who its members are in the world: the reference needs no group. */
typedef struct known_group {
    muster_group *group;
    int members[8];
    int size;
    int rank;
    under_way started[CALLS_PER_PROGRAM];
    muster_request requests[CALLS_PER_PROGRAM]; /* theirs */
    int started_count;
    helpers helpers;
} known_group;

static bool make_buffer(buffer *buffer, size_t bytes, uint64_t *local, muster_group *group)
{
    size_t shift = random_next(local) % 65;

    buffer->arena = random_next(local) % 2;
    if (!buffer->arena)
        buffer->whole = malloc(bytes + 65);
    else if (muster_alloc(group, bytes + 65, (void **)&buffer->whole) != MUSTER_OK)
        return false;
    buffer->bytes = buffer->whole + shift;
    return buffer->whole != NULL;
}

static void free_buffer(buffer *buffer, muster_group *group)
{
    if (buffer->arena)
        muster_free(group, buffer->whole);
    else
        free(buffer->whole);
}

static int compare(const under_way *u, const known_group *known)
{
    const call *c = &u->call;
    size_t bytes = muster_dtype_size(c->dtype), index = 0;
    int blocks = out_has_all(c) ? known->size : 1;
    unsigned char expected[ELEMENT_BYTES_MAX];

    for (int block = 0; block < blocks && receives(c, known->rank); block++) {
        size_t count = out_has_all(c) ? u->numbers[TAKES + block] : elements_out(c, known->rank, known->size);
        const unsigned char *at = u->out_at + (out_has_all(c) ? u->numbers[OUT_AT + block] : 0) * bytes;

        for (size_t i = 0; i < count; i++, index++, at += bytes) {
            expect_element(c, u->inputs, known->size, known->rank, index, expected);
            if (oracle_same(expected, at, c->dtype))
                continue;
            fprintf(stderr,
                    "kind %d, %s of %zu bytes, op %d (made %d), count %zu, in place %d, gaps %d, "
                    "started %d, arena %d %d, root %d, %d ranks: element %zu is wrong\n",
                    c->kind, muster_dtype_name(c->dtype), bytes, c->op, c->made, c->count, c->in_place,
                    c->has_gaps, c->is_started, u->in.arena, u->out.arena, c->root, known->size, index);
            return 1;
        }
    }
    return 0;
}

/* Everybody's input, this rank's counts, and where its blocks are; returns how many elements its buffers
 * have. */
static void fill_in(under_way *u, const known_group *known, size_t *in_count, size_t *out_count)
{
    const call *c = &u->call;
    int size = known->size, rank = known->rank;

    for (int r = 0; r < size; r++) {
        size_t count = elements_in(c, r, size);

        u->inputs[r] = malloc(count * muster_dtype_size(c->dtype) + 1);
        fill_input(c, u->inputs[r], count, r);
    }
    u->numbers = calloc(NUMBERS, sizeof *u->numbers);
    for (int r = 0; r < size; r++) {
        u->numbers[GIVES + r] = elements_between(c, rank, r);
        u->numbers[TAKES + r] = elements_between(c, r, rank);
    }
    *in_count = place_blocks(c, u->numbers + GIVES, size, u->numbers + IN_AT);
    *out_count = place_blocks(c, u->numbers + TAKES, size, u->numbers + OUT_AT);
    if (!in_has_all(c))
        *in_count = elements_in(c, rank, size);
    if (!out_has_all(c))
        *out_count = elements_out(c, rank, size);
}

static void lay_input(const under_way *u, const known_group *known, unsigned char *to, size_t in_count)
{
    size_t bytes = muster_dtype_size(u->call.dtype);
    const char *from = u->inputs[known->rank];

    if (!in_has_all(&u->call) && in_count)
        memcpy(to, from, in_count * bytes);
    for (int r = 0; r < known->size && in_has_all(&u->call); r++) {
        size_t block = u->numbers[GIVES + r] * bytes;

        if (block)
            memcpy(to + u->numbers[IN_AT + r] * bytes, from, block);
        from += block;
    }
}

/* Makes the buffers, fills them, and makes the call or starts it. */
static int begin_call(under_way *u, const known_group *known, uint64_t *local)
{
    const call *c = &u->call;
    size_t bytes = muster_dtype_size(c->dtype), in_count, out_count;
    muster_group *group = known->group;

    RANK_OK(group, make_op(&u->call, known->rank));
    fill_in(u, known, &in_count, &out_count);
    RANK_CHECK(group, make_buffer(&u->in, in_count * bytes, local, group));
    RANK_CHECK(group, make_buffer(&u->out, out_count * bytes, local, group));
    /* In place: the smaller buffer is a part of the larger one. */
    unsigned char *in_at = u->in.bytes;
    u->out_at = u->out.bytes;
    if (c->in_place && out_has_all(c))
        in_at = u->out.bytes + u->numbers[OUT_AT + known->rank] * bytes;
    else if (c->in_place)
        u->out_at = u->in.bytes + (in_has_all(c) ? u->numbers[IN_AT + known->rank] : 0) * bytes;
    lay_input(u, known, in_at, in_count);
    if (c->is_started)
        RANK_OK(group, start(c, u->numbers, in_at, u->out_at, group, &u->request));
    else
        RANK_OK(group, perform(c, u->numbers, in_at, u->out_at, group));
    RANK_OK(group, free_op(c)); /* a started operation keeps it */
    return 0;
}

/* Compares. */
static int end_call(under_way *u, const known_group *known)
{
    int wrong = compare(u, known);
    free_buffer(&u->in, known->group);
    free_buffer(&u->out, known->group);
    free(u->numbers);
    for (int r = 0; r < known->size; r++)
        free(u->inputs[r]);
    return wrong;
}

/* ---- what is under way ---- */

/* Waits for one of them, by one of the ways, or for all, and says which. */
static int await_some(known_group *known, uint64_t *local, size_t *at, bool *all)
{
    uint64_t drawn = random_next(local);
    size_t count = (size_t)known->started_count;
    bool done = false;

    *at = drawn / 8 % count;
    *all = drawn % 8 == 0;
    switch (drawn % 8) {
    case 0:
        RANK_OK(known->group, muster_wait_all(known->requests, count, 0));
        return 0;
    case 1:
    case 2:
        RANK_OK(known->group, muster_wait_any(known->requests, count, 0, at));
        return 0;
    case 3:
    case 4:
        while (!done)
            RANK_OK(known->group, muster_test(&known->requests[*at], &done));
        return 0;
    default:
        RANK_OK(known->group, muster_wait(&known->requests[*at], 0));
        return 0;
    }
}

static int finish_some(known_group *known, uint64_t *local)
{
    size_t at;
    bool all;

    if (await_some(known, local, &at, &all))
        return 1;
    do {
        under_way u = known->started[at];

        known->started[at] = known->started[--known->started_count];
        known->requests[at] = known->requests[known->started_count];
        if (end_call(&u, known))
            return 1;
        at = 0;
    } while (all && known->started_count > 0);
    return 0;
}

/* A call; a started one stays pending while others of the group are made and started. Each rank completes
 * them in an order of its own. */
static int run_call(const call *c, known_group *known, uint64_t *local)
{
    under_way u = { .call = *c };

    for (uint64_t drawn = random_next(local); drawn % 3 == 0 && known->started_count > 0; drawn /= 3)
        if (finish_some(known, local))
            return 1;
    u.call.is_started = c->is_started && can_start(c);
    if (begin_call(&u, known, local))
        return 1;
    if (!u.call.is_started)
        return end_call(&u, known);
    known->requests[known->started_count] = u.request;
    known->started[known->started_count++] = u;
    return 0;
}

/* ---- helpers ---- */

static int begin_to_help(known_group *known, uint64_t drawn)
{
    if (!getenv("TEST_HELPERS") || !known->group)
        return 0;
    return helpers_start(&known->helpers, known->group,
                         1 + (int)((drawn + (uint64_t)known->members[known->rank]) % 3), 64, 64);
}

/* ---- splits ---- */

static int dup_group(const known_group *parent, known_group *child)
{
    *child = (known_group){ .size = parent->size, .rank = parent->rank };
    memcpy(child->members, parent->members, sizeof child->members);
    RANK_OK(parent->group, muster_group_dup(parent->group, &child->group));
    return 0;
}

static int split_group(known_group *parent, known_group *child, uint64_t *state)
{
    if (random_next(state) % 4 == 0)
        return dup_group(parent, child);
    int colors[8], keys[8], ranks[8];
    int count = 1 + (int)(random_next(state) % 3);
    bool by_list = random_next(state) % 3 == 0; /* a subset for each color, with the same members */

    for (int r = 0; r < parent->size; r++) {
        colors[r] = (int)(random_next(state) % (uint64_t)(count + 1)) - 1;
        keys[r] = (int)(random_next(state) % 4) - 1;
    }
    int color = colors[parent->rank];
    if (!by_list)
        RANK_OK(parent->group, muster_group_split(parent->group, color, keys[parent->rank], &child->group));
    child->size = 0;
    if (color < 0) {
        RANK_CHECK(parent->group, child->group == NULL);
        return 0;
    }
    for (int pass = 0; pass < parent->size + 4; pass++) /* by key; ties by rank in the parent */
        for (int r = 0; r < parent->size; r++) {
            int key = keys[r] < 0 ? r : keys[r];

            if (colors[r] != color || key != pass)
                continue;
            if (r == parent->rank)
                child->rank = child->size;
            ranks[child->size] = r;
            child->members[child->size++] = parent->members[r];
        }
    if (by_list)
        RANK_OK(parent->group, muster_group_subset(parent->group, ranks, child->size, &child->group));
    RANK_CHECK(child->group, muster_group_size(child->group) == child->size);
    RANK_CHECK(child->group, muster_group_rank(child->group) == child->rank);
    return 0;
}

/* ---- programs ---- */

typedef struct plan {
    uint64_t seed;
    int programs;
    bool closes;
} plan;

/* All ranks draw alike, whatever groups they are in: a group's calls come from a state of its own. */
static int run_program(muster_group *world, uint64_t seed)
{
    known_group known[GROUPS_MAX] = {
        { .group = world, .size = muster_group_size(world), .rank = muster_group_rank(world) }
    };
    uint64_t state = seed, local = seed * 31 + (uint64_t)muster_group_rank(world);
    int groups = 1, at = 0;

    for (int r = 0; r < known[0].size; r++)
        known[0].members[r] = r;
    if (begin_to_help(&known[0], seed))
        return 1;
    for (int i = 0; i < CALLS_PER_PROGRAM; i++) {
        uint64_t drawn = random_next(&state);
        /* Most often the group of the last call: what goes wrong between calls does so in one group. */
        at = drawn >> 32 & 3 ? at : (int)(random_next(&state) % (uint64_t)groups);
        known_group *group = &known[at];
        bool splits = drawn % 5 == 0 && groups < GROUPS_MAX;

        /* Members of different colors draw differently from here on, but alike within a group. */
        uint64_t own = group->group ? drawn + (uint64_t)group->members[0] * 977 : 0;
        if (splits)
            known[groups] = (known_group){ .group = NULL };
        if (splits && group->group && split_group(group, &known[groups], &own))
            return 1;
        if (splits && begin_to_help(&known[groups], drawn))
            return 1;
        if (!splits && group->group) {
            call c = draw_call(&own, group->size);

            if (run_call(&c, group, &local))
                return 1;
        }
        groups += splits;
    }
    for (int g = 0; g < groups; g++)
        while (known[g].started_count > 0)
            if (finish_some(&known[g], &local))
                return 1;
    for (int g = 0; g < groups; g++)
        if (known[g].helpers.group && helpers_stop(&known[g].helpers))
            return 1;
    for (int g = 1; g < groups; g++)
        RANK_OK(world, muster_group_free(known[g].group));
    return 0;
}

static int run_programs(muster_group *world, void *arg)
{
    const plan *plan = arg;
    belongings own;

    for (int i = 0; i < plan->programs; i++) {
        uint64_t seed = plan->seed + (uint64_t)i * 1000003;

        if (plan->closes)
            RANK_CHECK(world, belongings_take(&own, seed + (uint64_t)muster_group_rank(world)));
        int failed = run_program(world, seed);
        const char *changed = plan->closes ? belongings_changed(&own) : NULL;
        if (!failed && !changed)
            continue;
        fprintf(stderr, "program %d of seed %llu failed%s%s\n", i, (unsigned long long)plan->seed,
                changed ? ": " : "", changed ? changed : "");
        return 1;
    }
    return 0;
}

static int from_environment(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text && *text ? atoi(text) : otherwise;
}

START_TEST(test_random_programs)
{
    plan plan = { .seed = (uint64_t)from_environment("TEST_SEED", 1) * 7919 + (uint64_t)_i,
                  .programs = from_environment("TEST_PROGRAMS", 30) };
    rank_options options = { .size = _i % 8 + 1,
                             .mode = _i % 16 < 8 && on_one_host() ? RANKS_AS_PROCESSES : RANKS_AS_THREADS,
                             .staging_bytes = _i % 32 < 16 ? 8192 : 0 };

    plan.closes = options.mode == RANKS_AS_PROCESSES && from_environment("TEST_CLOSED", 0);
    if (options.mode == RANKS_AS_PROCESSES && under_thread_sanitizer())
        return;
    run_ranks_with(options, run_programs, &plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random programs");
    TCase *tests = tcase_create("against the serial reference");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_random_programs, 0, 32);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
