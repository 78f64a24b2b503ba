/* muster_inspect: what it shows of ranks that wait, that it never shows half a call, and what it refuses. */
#define _GNU_SOURCE /* memfd_create */
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "tests/harness/workers.h"

typedef struct scene {
    _Atomic bool over;
} scene;

/* The call that a rank is in, in the group with so many ranks; waits until there is one. */
static muster_status await_call(int rank, int size, const char *what, muster_seen_call *found)
{
    for (;;) {
        muster_inspection seen = MUSTER_INSPECTION_INIT;
        bool there = false;

        muster_status status = muster_inspect(arena_of_job(), &seen);
        if (status != MUSTER_OK)
            return status;
        for (int i = 0; i < seen.call_count && !there; i++)
            if (seen.calls[i]->rank == rank && seen.calls[i]->group_size == size && seen.calls[i]->in_call &&
                strcmp(seen.calls[i]->what, what) == 0) {
                *found = *seen.calls[i];
                there = true;
            }
        muster_inspection_free(&seen);
        if (there)
            return MUSTER_OK;
        sched_yield();
    }
}

static muster_status start_two(muster_request requests[2], float *x, float *y, muster_group *group)
{
    muster_status status = muster_all_reduce_start(x, x, 1, MUSTER_FLOAT32, MUSTER_SUM, group, &requests[0]);

    return status != MUSTER_OK
               ? status
               : muster_all_reduce_start(y, y, 1, MUSTER_FLOAT32, MUSTER_SUM, group, &requests[1]);
}

static int look_at_waiting_ranks(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    float x[7] = { 1 }, y0 = 1, y1 = 1;
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    int32_t y[5] = { 0 };
    muster_seen_call call;
    muster_group *child;

    (void)arg;
    for (int i = 0; i < 9; i++)
        RANK_OK(world, muster_barrier(world));
    if (rank == 2) {
        for (int other = 0; other < 2; other++) {
            RANK_OK(world, await_call(other, 3, "all_sum (float32 x 7)", &call));
            RANK_CHECK(world, call.world && call.operation == 10 && call.peer == -1 && call.bytes == 28 &&
                                  call.call_class == MUSTER_CALL_COLLECTIVE);
            RANK_CHECK(world, call.group_rank == other && call.broken == MUSTER_OK && call.since_ns >= 0);
        }
    }
    RANK_OK(world, muster_all_sum(x, x, 7, MUSTER_FLOAT32, world));
    if (rank < 2) {
        RANK_OK(world, start_two(requests, &y0, &y1, world));
        RANK_OK(world, muster_wait(&requests[0], 0));
    } else {
        do /* not to start one, which is a call as well */
            RANK_OK(world, await_call(0, 3, "all_sum (float32 x 1)", &call));
        while (call.operation != 11 || call.latest != 12);
        RANK_CHECK(world, call.under_way == 2);
        RANK_OK(world, start_two(requests, &y0, &y1, world));
        RANK_OK(world, muster_wait(&requests[0], 0));
    }
    RANK_OK(world, muster_wait(&requests[1], 0));
    RANK_CHECK(world, y0 == 3 && y1 == 3);
    if (rank == 2) {
        RANK_OK(world, await_call(0, 3, "recv (int32 x 5, tag 0)", &call));
        RANK_CHECK(world, call.peer == 2 && call.call_class == MUSTER_CALL_RECEIVE && call.pid > 0);
        RANK_OK(world, muster_send(y, 5, MUSTER_INT32, 0, 0, world));
        RANK_OK(world, await_call(1, 3, "split", &call));
        RANK_CHECK(world, call.operation == 1 && call.call_class == MUSTER_CALL_SPLIT);
    }
    if (rank == 0)
        RANK_OK(world, muster_recv(y, 5, MUSTER_INT32, 2, 0, world, NULL));
    RANK_OK(world, muster_group_split(world, rank == 1 ? 1 : 0, -1, &child));
    if (rank == 2) {
        RANK_OK(world, await_call(0, 2, "barrier", &call));
        RANK_CHECK(world, !call.world && call.group_rank == 0 && call.operation == 1);
    }
    RANK_OK(world, muster_barrier(child));
    muster_group_free(child);
    return 0;
}

/* Rank 0 waits for any of `count` messages, from the ranks 1, 2, 1, 2 and so on. */
static int wait_for_any(muster_group *world, int count)
{
    muster_request requests[6] = { MUSTER_REQUEST_INIT };
    int32_t x[6];
    size_t index;

    for (int i = 0; i < count; i++)
        RANK_OK(world, muster_recv_start(&x[i], 1, MUSTER_INT32, 1 + i % 2, i, world, NULL, &requests[i]));
    RANK_OK(world, muster_wait_any(requests, (size_t)count, 0, &index));
    RANK_CHECK(world, index == 0);
    RANK_OK(world, muster_wait_all(requests, (size_t)count, 0));
    return 0;
}

static int look_at_any(muster_group *world, int count, const char *what)
{
    int32_t x = 0;
    int rank = muster_group_rank(world);
    muster_seen_call call;

    if (rank == 0)
        return wait_for_any(world, count);
    if (rank == 1) {
        RANK_OK(world, await_call(0, 3, what, &call));
        RANK_CHECK(world, call.peer == -1 && call.call_class == MUSTER_CALL_RECEIVE);
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 0, 0, world));
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 2, 9, world));
    } else
        RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 1, 9, world, NULL));
    for (int tag = rank == 1 ? 2 : 1; tag < count; tag += 2)
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 0, tag, world));
    return 0;
}

static int look_at_waits_for_any(muster_group *world, void *arg)
{
    (void)arg;
    if (look_at_any(world, 2, "recv (int32 x 1, tag 0), or any of 1 more, of ranks 1, 2"))
        return 1;
    return look_at_any(world, 6, "recv (int32 x 1, tag 0), or any of 5 more, of ranks 1, 2, 1, 2 ...");
}

/* Shares and queues of a group that has a name have it, too. */
static int look_at_names(muster_group *world, void *arg)
{
    muster_inspection seen = MUSTER_INSPECTION_INIT;
    muster_share *share;
    muster_queue *queue;
    int named = 0;

    (void)arg;
    RANK_OK(world, muster_group_set_name(world, "tp:0"));
    RANK_OK(world, muster_share_create(world, 8, &share));
    RANK_OK(world, muster_queue_create(world, 0, 2, 8, &queue));
    RANK_CHECK(world,
               muster_wait_signal(share, 1 - muster_group_rank(world), 0, 1, 1) == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, strstr(muster_error_detail(), "group \"tp:0\": rank "));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_inspect(arena_of_job(), &seen));
    for (int i = 0; i < seen.call_count; i++)
        named += seen.calls[i]->call_class == MUSTER_CALL_COLLECTIVE &&
                 strcmp(seen.calls[i]->group_name, "tp:0") == 0;
    muster_inspection_free(&seen);
    RANK_CHECK(world, named == 6); /* the group, the share and the queue, of two ranks */
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_share_free(share));
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_what_ranks_wait_in)
{
    run_ranks(3, RANKS_AS_PROCESSES, look_at_waiting_ranks, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, look_at_waits_for_any, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, look_at_names, NULL);
}
END_TEST

/* ---- several threads of a rank ---- */

enum { WAITERS = 3 };

static const char *const waits[WAITERS] = { "recv (int32 x 1, tag 0)", "recv (int32 x 1, tag 1)",
                                            "probe (tag 2)" };

static int wait_somehow(worker *self)
{
    muster_request request;
    int x;

    if (self->index == 1) {
        RANK_OK(self->group, muster_recv_start(&x, 1, MUSTER_INT32, 1, 1, self->group, NULL, &request));
        RANK_OK(self->group, muster_wait(&request, 0));
        return 0;
    }
    if (self->index == 2)
        RANK_OK(self->group, muster_probe(1, 2, self->group, NULL));
    RANK_OK(self->group, muster_recv(&x, 1, MUSTER_INT32, 1, self->index, self->group, NULL));
    return 0;
}

/* Which of them is shown that has not been yet; waits until there is one. */
static muster_status await_waiter(bool seen_before[WAITERS], int *found)
{
    for (*found = -1; *found < 0; sched_yield()) {
        muster_inspection seen = MUSTER_INSPECTION_INIT;

        muster_status status = muster_inspect(arena_of_job(), &seen);
        if (status != MUSTER_OK)
            return status;
        for (int i = 0; i < seen.call_count * WAITERS; i++) {
            const muster_seen_call *call = seen.calls[i / WAITERS];

            if (call->rank == 0 && call->call_class == MUSTER_CALL_RECEIVE && call->in_call &&
                call->peer == 1 && !seen_before[i % WAITERS] && strcmp(call->what, waits[i % WAITERS]) == 0)
                *found = i % WAITERS;
        }
        muster_inspection_free(&seen);
    }
    seen_before[*found] = true;
    return MUSTER_OK;
}

/* When the wait that is shown is over, another one is. */
static int threads_take_turns(muster_group *world, void *arg)
{
    worker workers[WAITERS];
    bool seen[WAITERS] = { false };
    int which, x = 0;

    (void)arg;
    for (int i = 0; i < WAITERS && muster_group_rank(world) == 0; i++) {
        workers[i] = (worker){ .group = world, .index = i, .work = wait_somehow };
        RANK_CHECK(world, worker_start(&workers[i]));
    }
    for (int i = 0; i < WAITERS && muster_group_rank(world) == 1; i++) {
        RANK_OK(world, await_waiter(seen, &which));
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 0, which, world));
    }
    for (int i = 0; i < WAITERS && muster_group_rank(world) == 0; i++)
        RANK_CHECK(world, worker_join(&workers[i]) == 0);
    return 0;
}

START_TEST(test_one_of_several_threads_is_shown)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    run_ranks(2, RANKS_AS_PROCESSES, threads_take_turns, NULL);
}
END_TEST

/* ---- while everything changes ---- */

static const char *const calls[] = { "barrier", "all_max (int64 x 3)", "all_gather (uint8 x 4096)",
                                     "reduce(prod) (float64 x 2, root 1)" };

/* *over: both are to end after this one, since one of them has said so. */
static muster_status make_call(muster_group *group, uint64_t operation, bool ending, bool *over)
{
    static unsigned char bytes[2 * 4096], own[4096];
    int64_t numbers[3] = { ending };
    muster_status status;
    double pair[2] = { 1, 1 };

    switch (operation % 4) {
    case 0:
        return muster_barrier(group);
    case 1:
        status = muster_all_max(numbers, numbers, 3, MUSTER_INT64, group);
        *over = numbers[0];
        return status;
    case 2:
        return muster_all_gather(own, bytes, sizeof own, MUSTER_UINT8, group);
    default:
        return muster_reduce(pair, pair, 2, MUSTER_FLOAT64, MUSTER_PROD, 1, group);
    }
}

static int look_while_it_changes(muster_group *world, void *arg)
{
    scene *scene = arg;
    bool looks = muster_group_rank(world) == 2;
    muster_group *group;
    bool over = false;
    int in_calls = 0;

    RANK_OK(world, muster_group_split(world, looks, -1, &group));
    while (looks && in_calls < 2000) {
        muster_inspection seen = MUSTER_INSPECTION_INIT;

        RANK_OK(world, muster_inspect(arena_of_job(), &seen));
        for (int at = 0; at < seen.call_count; at++) {
            const muster_seen_call *call = seen.calls[at];

            if (call->group_size != 2 || call->call_class != MUSTER_CALL_COLLECTIVE || !call->in_call)
                continue;
            in_calls++;
            if (strcmp(call->what, calls[call->operation % 4]) != 0)
                return rank_failed(__FILE__, __LINE__, world, call->what);
        }
        muster_inspection_free(&seen);
    }
    if (looks)
        scene->over = true;
    for (uint64_t operation = 1; !looks; operation++) {
        RANK_OK(group, make_call(group, operation, scene->over, &over));
        if (over)
            break;
    }
    muster_group_free(group);
    return 0;
}

START_TEST(test_never_half_a_call)
{
    scene *scene = shared_page(sizeof *scene);

    run_ranks(3, RANKS_AS_PROCESSES, look_while_it_changes, scene);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- what is damaged ---- */

#define RANK_OF(seat) (MST_ENTRIES_OFFSET + (seat) * sizeof(mst_rank_entry) + offsetof(mst_rank_entry, rank))

static bool put(const void *bytes, size_t count, uint64_t offset)
{
    return pwrite(arena_of_job(), bytes, count, (off_t)offset) == (ssize_t)count;
}

static muster_status inspect_it(char words[static 200])
{
    muster_inspection seen = MUSTER_INSPECTION_INIT;

    muster_status status = muster_inspect(arena_of_job(), &seen);
    snprintf(words, 200, "%s",
             status == MUSTER_OK ? (seen.hosts ? seen.hosts[2] : "") : muster_error_detail());
    muster_inspection_free(&seen);
    return status;
}

/* An entry that says it is another rank's, whose calls nobody would find. */
static int inspect_wrong_rank(muster_group *world, void *arg)
{
    uint32_t right = 1, wrong = 0;
    char words[200];

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, inspect_it(words));
        RANK_CHECK(world, put(&wrong, sizeof wrong, RANK_OF(1)));
        RANK_CHECK(world, inspect_it(words) == MUSTER_ERR_BAD_ARENA &&
                              strstr(words, "seat 1 says that it is rank 0"));
        RANK_CHECK(world, put(&right, sizeof right, RANK_OF(1)));
        RANK_OK(world, inspect_it(words));
    }
    RANK_OK(world, muster_barrier(world));
    return 0;
}

/* What it says of its job's hosts: the ranks of this one have to be of it, and in their order. */
static int inspect_wrong_hosts(muster_group *world, void *arg)
{
    static mst_host told = { .job = 7,
                             .size = 3,
                             .hosts = { 0, 0, 1 },
                             .ranks = { 0, 1 },
                             .names = { "here", "\033[2J\302\233x\302\265" } };
    uint64_t none = 0;
    char words[200];

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, put(&told, sizeof told, MST_HOST_OFFSET));
        RANK_OK(world, inspect_it(words));
        RANK_CHECK(world, strcmp(words, "?[2J??x\302\265") == 0); /* shown on terminals */
        told.ranks[0] = 1, told.ranks[1] = 0;
        RANK_CHECK(world, put(&told, sizeof told, MST_HOST_OFFSET));
        RANK_CHECK(world,
                   inspect_it(words) == MUSTER_ERR_BAD_ARENA && strstr(words, "job's hosts makes no sense"));
        told.ranks[0] = 0, told.ranks[1] = 2;
        RANK_CHECK(world, put(&told, sizeof told, MST_HOST_OFFSET));
        RANK_CHECK(world,
                   inspect_it(words) == MUSTER_ERR_BAD_ARENA && strstr(words, "job's hosts makes no sense"));
        RANK_CHECK(world, put(&none, sizeof none, MST_HOST_OFFSET + offsetof(mst_host, job)));
    }
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_what_is_damaged)
{
    run_ranks(2, RANKS_AS_PROCESSES, inspect_wrong_rank, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, inspect_wrong_hosts, NULL);
}
END_TEST

/* ---- what is no arena ---- */

START_TEST(test_what_is_refused)
{
    muster_inspection seen = MUSTER_INSPECTION_INIT, unset = { 0 };
    int nothing = open("/dev/null", O_RDONLY), zeros = memfd_create("muster", MFD_CLOEXEC);

    ck_assert_int_eq(ftruncate(zeros, 1 << 20), 0);
    ck_assert_int_eq(fchmod(zeros, 0600), 0);
    ck_assert_int_eq(muster_inspect(zeros, NULL), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_inspect(zeros, &unset), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_inspect(zeros, &seen), MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(muster_inspect(nothing, &seen), MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(muster_inspect(-1, &seen), MUSTER_ERR_BAD_ARENA);
    ck_assert_ptr_null(seen.ranks);
    muster_inspection_free(&seen);
    muster_inspection_free(NULL);
    close(nothing);
    close(zeros);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inspect");
    TCase *tests = tcase_create("inspect");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_what_ranks_wait_in);
    tcase_add_test(tests, test_one_of_several_threads_is_shown);
    tcase_add_test(tests, test_never_half_a_call);
    tcase_add_test(tests, test_what_is_damaged);
    tcase_add_test(tests, test_what_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
