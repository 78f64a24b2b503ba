/*
 * Started operations go on in every call of the group, and only need memory: thousands of them at once, waits
 * for others, operations of several groups, a full arena.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "src/onehost/wait/await_ticks.h"
#include "tests/harness/ranks.h"

/* ---- thousands at once ---- */

enum { THOUSANDS = 4000, FEW = 3 };

/* In the order of `n` x i modulo their number, which has no factor in common with it: each once. */
static size_t shuffled(size_t i, size_t n)
{
    static const size_t odd[] = { 1, 1237, 3001, 7, 2999, 11, 1999, 33, 17 };

    return i * odd[n % 9] % THOUSANDS;
}

static int start_thousands(muster_group *world, int32_t (*in)[FEW], int32_t (*out)[FEW * 8],
                           muster_request *requests)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);

    for (int i = 0; i < THOUSANDS; i++) {
        in[i][0] = in[i][1] = in[i][2] = rank + i;
        switch (i % 4) {
        case 0:
            RANK_OK(world, muster_all_reduce_start(in[i], out[i], FEW, MUSTER_INT32, MUSTER_SUM, world,
                                                   &requests[i]));
            break;
        case 1:
            RANK_OK(world, muster_all_gather_start(in[i], out[i], FEW, MUSTER_INT32, world, &requests[i]));
            break;
        case 2:
            RANK_OK(world, muster_reduce_start(in[i], out[i], FEW, MUSTER_INT32, MUSTER_MAX, i % n, world,
                                               &requests[i]));
            break;
        default:
            RANK_OK(world, muster_barrier_start(world, &requests[i]));
        }
    }
    return 0;
}

static int check_one(muster_group *world, int32_t (*out)[FEW * 8], int i)
{
    int n = muster_group_size(world), last = FEW - 1;

    if (i % 4 == 0)
        RANK_CHECK(world, out[i][last] == n * i + n * (n - 1) / 2);
    if (i % 4 == 1)
        RANK_CHECK(world, out[i][n * FEW - 1] == n - 1 + i);
    if (i % 4 == 2 && i % n == muster_group_rank(world))
        RANK_CHECK(world, out[i][last] == n - 1 + i);
    return 0;
}

/* Each rank waits for them in an order of its own, and then the memory is used again. */
static int take_thousands(muster_group *world, void *arg)
{
    int32_t(*in)[FEW] = malloc(THOUSANDS * sizeof *in), (*out)[FEW * 8] = malloc(THOUSANDS * sizeof *out);
    muster_request *requests = malloc(THOUSANDS * sizeof *requests);
    size_t rank = (size_t)muster_group_rank(world);

    (void)arg;
    RANK_CHECK(world, in && out && requests);
    for (size_t turn = 0; turn < 3; turn++) {
        if (start_thousands(world, in, out, requests))
            return 1;
        if (turn == 1)
            RANK_OK(world, muster_barrier(world));
        for (size_t i = 0; turn < 2 && i < THOUSANDS; i++) {
            size_t at = shuffled(i, rank + turn);

            RANK_OK(world, muster_wait(&requests[at], 0));
            if (check_one(world, out, (int)at))
                return 1;
        }
        if (turn == 2)
            RANK_OK(world, muster_wait_all(requests, THOUSANDS, 0));
        for (int i = 0; turn == 2 && i < THOUSANDS; i++)
            if (check_one(world, out, i))
                return 1;
    }
    free(in), free(out), free(requests);
    return 0;
}

START_TEST(test_thousands_at_once)
{
    for (int size = 1; size <= 5; size += 2) {
        run_ranks(size, RANKS_AS_THREADS, take_thousands, NULL);
        run_ranks(size, RANKS_AS_PROCESSES, take_thousands, NULL);
    }
}
END_TEST

/* ---- progress ---- */

enum { LARGE = 100000 };

typedef enum other_call {
    OTHER_RECV,
    OTHER_SUM,
    OTHER_SPLIT,
    OTHER_WAIT,
    OTHER_TEST,
    OTHER_GROUP,
    OTHER_CALLS
} other_call;

typedef struct progressing {
    other_call other;
    bool arena[2]; /* of the first rank, and of the others */
} progressing;

static int make_large(muster_group *world, bool arena, int32_t **in, int32_t **out)
{
    size_t bytes = LARGE * sizeof **in;

    if (arena) {
        RANK_OK(world, muster_alloc(world, bytes, (void **)in));
        RANK_OK(world, muster_alloc(world, bytes, (void **)out));
    } else {
        *in = malloc(bytes), *out = malloc(bytes);
        RANK_CHECK(world, *in && *out);
    }
    for (int i = 0; i < LARGE; i++)
        (*in)[i] = i + muster_group_rank(world);
    return 0;
}

/* A call that ends only after rank 0 has completed the started one, which needs what this rank does in it. */
static int be_elsewhere(muster_group *world, muster_group *same, const progressing *plan,
                        muster_request *small)
{
    int rank = muster_group_rank(world), n = muster_group_size(world);
    int32_t x = 0;
    muster_group *child;
    bool done = false;

    switch (plan->other) {
    case OTHER_RECV:
        if (rank > 0)
            RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 0, 0, world, NULL));
        for (int to = 1; rank == 0 && to < n; to++)
            RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, to, 0, world));
        return 0;
    case OTHER_SUM:
        RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, world));
        return 0;
    case OTHER_SPLIT:
        RANK_OK(world, muster_group_split(world, 0, -1, &child));
        RANK_OK(world, muster_group_free(child));
        return 0;
    case OTHER_GROUP:
        RANK_OK(world, muster_barrier(same));
        return 0;
    case OTHER_WAIT:
        RANK_OK(world, muster_barrier_start(world, small));
        RANK_OK(world, muster_wait(small, 0));
        return 0;
    default:
        RANK_OK(world, muster_barrier_start(world, small));
        while (!done)
            RANK_OK(world, muster_test(small, &done));
        return 0;
    }
}

static int go_on_elsewhere(muster_group *world, void *arg)
{
    const progressing *plan = arg;
    int rank = muster_group_rank(world), n = muster_group_size(world);
    muster_request large, small;
    muster_group *same;
    int32_t *in, *out;

    RANK_OK(world, muster_group_split(world, 0, -1, &same));
    if (make_large(world, plan->arena[rank > 0], &in, &out))
        return 1;
    RANK_OK(world, muster_all_reduce_start(in, out, LARGE, MUSTER_INT32, MUSTER_SUM, world, &large));
    if (rank == 0)
        RANK_OK(world, muster_wait(&large, 0));
    if (be_elsewhere(world, same, plan, &small))
        return 1;
    if (rank > 0)
        RANK_OK(world, muster_wait(&large, 0));
    for (int i = 0; i < LARGE; i += 999)
        RANK_CHECK(world, out[i] == n * i + n * (n - 1) / 2);
    if (!plan->arena[rank > 0])
        free(in), free(out);
    RANK_OK(world, muster_group_free(same));
    return 0;
}

START_TEST(test_operations_go_on_in_any_call)
{
    for (int i = 0; i < OTHER_CALLS * 4; i++) {
        progressing plan = { .other = i / 4, .arena = { i & 1, i & 2 } };

        for (int size = 2; size <= 4; size++)
            run_ranks(size, i & 1 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, go_on_elsewhere, &plan);
    }
}
END_TEST

/* In memory of all ranks. */
typedef struct flag {
    _Atomic int set;
} flag;

/* With inputs that are copied, a rank needs nothing of the others but that they have started. */
static int need_nobody(muster_group *world, void *arg)
{
    flag *completed = arg;
    int rank = muster_group_rank(world), n = muster_group_size(world);
    int32_t x[8] = { rank }, sum[8] = { 0 }, all[8 * 8];
    muster_request requests[2];

    RANK_OK(world, muster_all_reduce_start(x, sum, 8, MUSTER_INT32, MUSTER_SUM, world, &requests[0]));
    RANK_OK(world, muster_all_gather_start(x, all, 8, MUSTER_INT32, world, &requests[1]));
    if (rank > 0)
        AWAIT(atomic_load(&completed->set)); /* in no call */
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, sum[0] == n * (n - 1) / 2 && all[(n - 1) * 8] == n - 1);
    if (rank == 0)
        atomic_store(&completed->set, 1);
    return 0;
}

START_TEST(test_copied_inputs_need_nobody)
{
    flag *completed = shared_page(sizeof *completed);

    for (int i = 0; i < 6; i++) {
        atomic_store(&completed->set, 0);
        run_ranks(2 + i % 3, i % 2 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, need_nobody, completed);
    }
    shared_page_free(completed, sizeof *completed);
}
END_TEST

/* A rank waits for an operation of one group while another rank needs its progress in another group. */
static int cross_groups(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    int32_t *in[2], *out[2];
    muster_request requests[2];
    muster_group *other;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &other));
    for (int i = 0; i < 2; i++) {
        if (make_large(world, true, &in[i], &out[i]))
            return 1;
        RANK_OK(world, muster_all_reduce_start(in[i], out[i], LARGE, MUSTER_INT32, MUSTER_SUM,
                                               i ? other : world, &requests[i]));
    }
    if (rank == 0)
        RANK_OK(world, muster_wait(&requests[0], 0));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, out[0][7] == out[1][7]);
    for (int i = 0; i < 2; i++) {
        RANK_OK(world, muster_free(world, in[i]));
        RANK_OK(world, muster_free(world, out[i]));
    }
    RANK_OK(world, muster_group_free(other));
    return 0;
}

/* The groups are of two worlds: rank 1 sends in the other one first, when rank 0 is asleep. */
static int cross_worlds(muster_group *world, void *arg)
{
    enum { BYTES = 300000 };
    int rank = muster_group_rank(world), first = 0;
    unsigned char *large = calloc(1, BYTES);
    muster_config config = MUSTER_CONFIG_INIT;
    muster_request requests[2];
    muster_group *other;
    size_t index;

    config.arena = arg;
    config.rank = rank;
    config.size = 2;
    config.timeout_ns = 20000000000; /* in place of waiting for ever */
    RANK_OK(world, muster_attach(&config, &other));
    if (rank == 0) {
        RANK_OK(world, muster_recv_start(&first, 1, MUSTER_INT32, 1, 0, world, NULL, &requests[0]));
        RANK_OK(world, muster_recv_start(large, BYTES, MUSTER_UINT8, 1, 0, other, NULL, &requests[1]));
        RANK_OK(world, muster_wait_any(requests, 2, 0, &index));
        RANK_CHECK(world, index == 1);
    } else {
        pass_time_ms(60);
        RANK_OK(world, muster_send(large, BYTES, MUSTER_UINT8, 0, 0, other));
    }
    RANK_OK(world, muster_barrier(other));
    if (rank == 0)
        RANK_OK(world, muster_wait_all(requests, 2, 0));
    else
        RANK_OK(world, muster_send(&first, 1, MUSTER_INT32, 0, 0, world));
    RANK_OK(world, muster_group_free(other));
    free(large);
    return 0;
}

START_TEST(test_a_wait_makes_progress_in_all_its_groups)
{
    for (int size = 2; size <= 4; size++) {
        run_ranks(size, RANKS_AS_PROCESSES, cross_groups, NULL);
        run_ranks(size, RANKS_AS_THREADS, cross_groups, NULL);
    }
    char name[64];
    name_of_test(name, sizeof name, "worlds");
    run_ranks(2, RANKS_AS_PROCESSES, cross_worlds, name);
}
END_TEST

static bool count_group(mst_group *group, void *arg)
{
    (void)group;
    ++*(int *)arg;
    return false;
}

static bool count_call(mst_group *group, muster_call_class class, void *arg)
{
    (void)class;
    return count_group(group, arg);
}

/* A wait that is in calls of several classes of a group looks into the group once. */
static int look_once(muster_group *world, void *arg)
{
    mst_wait_set set = { .count = 0 };
    int groups = 0, calls = 0;

    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class += 1 + class) { /* all but one */
        mst_store64_rel(&world->occupied[class], (uint64_t)(uintptr_t)&set);
        world->waited[class] = (mst_waited){ NULL, world };
        set.groups[class] = &world->waited[class];
    }
    world->threads_multiple = arg != NULL;
    mst_awaited_each_group(&(mst_awaited_requests){ .set = &set }, count_group, &groups);
    mst_awaited_each_call(&set, count_call, &calls);
    world->threads_multiple = false;
    for (int class = 0; class < MUSTER_CALL_CLASS_COUNT; class ++)
        mst_store64_rel(&world->occupied[class], 0);
    RANK_CHECK(world, groups == 1 && calls == 3 && mst_awaited_only(&set) == mst_group_of(world));
    return 0;
}

START_TEST(test_a_wait_looks_into_each_group_once)
{
    int several = 1;

    run_ranks(1, RANKS_AS_THREADS, look_once, NULL);
    run_ranks(1, RANKS_AS_THREADS, look_once, &several);
}
END_TEST

/* ---- memory ---- */

/* Until the arena is full: those that were started are all there, and the group is as before. */
static int fill_the_arena(muster_group *world, void *arg)
{
    enum { BYTES = 1 << 20, MOST = 200 };
    static _Thread_local muster_request requests[MOST];
    char *in = malloc(BYTES), *out = malloc(BYTES);
    muster_status status = MUSTER_OK;
    muster_group *other;

    (void)arg;
    RANK_CHECK(world, in && out);
    RANK_OK(world, muster_group_dup(world, &other));
    memset(in, muster_group_rank(world), BYTES);
    for (int turn = 0; turn < 2; turn++) {
        int count = 0;

        if (muster_group_rank(world) == 0) {
            do
                status = muster_broadcast_start(in, out, BYTES, MUSTER_INT8, 0, world, &requests[count]);
            while (status == MUSTER_OK && ++count < MOST);
            RANK_CHECK(world, count < MOST && status == MUSTER_ERR_NO_SPACE);
            RANK_CHECK(world, strstr(muster_error_detail(), "MUSTER_ARENA_BYTES"));
        }
        RANK_OK(world, muster_barrier(other)); /* till then nobody reads what fills it */
        /* Only the root needs memory, which it has again when the others have read what is in it. */
        for (int i = count; i < MOST; i++)
            AWAIT(muster_broadcast_start(in, out, BYTES, MUSTER_INT8, 0, world, &requests[i]) == MUSTER_OK);
        RANK_OK(world, muster_wait_all(requests, MOST, 0));
        RANK_CHECK(world, out[0] == 0 && out[BYTES - 1] == 0);
    }
    muster_group_free(other);
    free(in), free(out);
    return 0;
}

/* What is lent needs no memory, however much it is. */
static int lend_much(muster_group *world, void *arg)
{
    enum { BYTES = 9 << 20 };
    muster_request requests[3];
    int32_t *x;

    (void)arg;
    RANK_OK(world, muster_alloc(world, BYTES, (void **)&x));
    for (size_t i = 0; i < BYTES / sizeof *x; i++)
        x[i] = 3;
    for (int turn = 0; turn < 3; turn++) {
        RANK_OK(world, muster_all_reduce_start(x, x, BYTES / sizeof *x, MUSTER_INT32, MUSTER_MAX, world,
                                               &requests[turn]));
        RANK_OK(world, muster_wait(&requests[turn], 0));
        RANK_CHECK(world, x[0] == 3 && x[BYTES / sizeof *x - 1] == 3);
    }
    return 0;
}

START_TEST(test_memory_is_the_limit)
{
    /* some 16 MiB for each rank */
    rank_options options = { .size = 3, .mode = RANKS_AS_PROCESSES, .arena_bytes = 200 << 20 };

    run_ranks_with(options, fill_the_arena, NULL);
    options.mode = RANKS_AS_THREADS;
    run_ranks_with(options, fill_the_arena, NULL);
    run_ranks_with(options, lend_much, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tests = tcase_create("progress");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_thousands_at_once);
    tcase_add_test(tests, test_copied_inputs_need_nobody);
    tcase_add_test(tests, test_a_wait_makes_progress_in_all_its_groups);
    if (on_one_host()) {
        tcase_add_test(tests, test_operations_go_on_in_any_call);
        tcase_add_test(tests, test_a_wait_looks_into_each_group_once);
        if (!under_thread_sanitizer()) /* 600 MiB of its shadow, for a minute */
            tcase_add_test(tests, test_memory_is_the_limit);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
