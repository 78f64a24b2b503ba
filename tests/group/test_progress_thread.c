/*
 * The progress thread: what has been started goes on while no thread of the rank is in a call. It sleeps
 * while nothing changes, and is in the way of nobody.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "src/onehost/wait/pending.h"
#include "tests/harness/ranks.h"

enum { LARGE = 100000, HUGE_BYTES = 16 << 20 };

static void with_thread(bool on)
{
    if (on)
        setenv("MUSTER_PROGRESS_THREAD", "1", 1);
    else
        unsetenv("MUSTER_PROGRESS_THREAD");
}

/* ---- an owner that never calls ---- */

/* What rank 0 has started before it blocks, in no call of muster. */
typedef enum kind { PRIVATE_SUM, LENT_SUM, MADE_SUM, LENT_GATHER, SEND, RECEIVE, IN_SPLIT, KINDS } kind;

typedef struct scene {
    kind kind;
    bool goes_on;
    int gate[2];         /* rank 0 blocks until somebody writes */
    _Atomic int started; /* ranks that have */
} scene;

typedef struct part {
    muster_group *group;
    int32_t *in, *out;
    size_t count; /* of `in` */
    bool arena;
    muster_op op;
    muster_request request;
} part;

static void add(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    int32_t *sum = acc;
    const int32_t *more = next;

    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++)
        sum[i] += more[i];
}

static int prepare(muster_group *world, kind kind, part *part)
{
    int n = muster_group_size(world);
    bool huge = kind == SEND || kind == RECEIVE;

    *part = (struct part){ .group = world,
                           .count = huge ? HUGE_BYTES / sizeof(int32_t) : LARGE,
                           .arena = kind == LENT_SUM || kind == LENT_GATHER,
                           .op = MUSTER_SUM,
                           .request = MUSTER_REQUEST_INIT };
    size_t bytes = part->count * sizeof(int32_t), out = bytes * (kind == LENT_GATHER ? (size_t)n : 1);
    if (kind == MADE_SUM)
        RANK_OK(world, muster_op_create("add", add, NULL, true, &part->op));
    if (kind == IN_SPLIT)
        RANK_OK(world, muster_group_split(world, 0, -1, &part->group));
    if (part->arena) {
        RANK_OK(world, muster_alloc(world, bytes, (void **)&part->in));
        RANK_OK(world, muster_alloc(world, out, (void **)&part->out));
    } else {
        part->in = malloc(bytes), part->out = malloc(out);
        RANK_CHECK(world, part->in && part->out);
    }
    for (size_t i = 0; i < part->count; i++)
        part->in[i] = (int32_t)i + muster_group_rank(world);
    return 0;
}

static int clear(muster_group *world, kind kind, part *part)
{
    if (part->arena) {
        RANK_OK(world, muster_free(world, part->in));
        RANK_OK(world, muster_free(world, part->out));
    } else {
        free(part->in), free(part->out);
    }
    if (kind == MADE_SUM)
        RANK_OK(world, muster_op_free(part->op));
    if (part->group != world)
        RANK_OK(world, muster_group_free(part->group));
    return 0;
}

/* Messages are between ranks 0 and 1. */
static muster_status start(kind kind, part *part)
{
    int rank = muster_group_rank(part->group);
    bool sends = rank == (kind == RECEIVE);

    if (kind == LENT_GATHER)
        return muster_all_gather_start(part->in, part->out, part->count, MUSTER_INT32, part->group,
                                       &part->request);
    if (kind != SEND && kind != RECEIVE)
        return muster_all_reduce_start(part->in, part->out, part->count, MUSTER_INT32, part->op, part->group,
                                       &part->request);
    if (rank > 1)
        return MUSTER_OK;
    return sends ? muster_send_start(part->in, part->count, MUSTER_INT32, 1 - rank, 7, part->group,
                                     &part->request)
                 : muster_recv_start(part->out, part->count, MUSTER_INT32, 1 - rank, 7, part->group, NULL,
                                     &part->request);
}

static int check_result(muster_group *world, kind kind, const part *part)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), last = (int)part->count - 1;

    if (kind == LENT_GATHER)
        RANK_CHECK(world, part->out[n * (last + 1) - 1] == last + n - 1);
    else if (kind == SEND || kind == RECEIVE)
        RANK_CHECK(world, rank != (kind == SEND) || part->out[last] == last + 1 - rank);
    else
        for (int i = 0; i <= last; i += 777)
            RANK_CHECK(world, part->out[i] == n * i + n * (n - 1) / 2);
    return 0;
}

static int block(muster_group *world, const scene *scene)
{
    char byte;

    RANK_CHECK(world, read(scene->gate[0], &byte, 1) == 1);
    return 0;
}

static int owner_is_elsewhere(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    muster_status expected = scene->goes_on ? MUSTER_OK : MUSTER_ERR_TIMED_OUT;
    part part;

    if (prepare(world, scene->kind, &part))
        return 1;
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, start(scene->kind, &part));
    scene->started++;
    if (!scene->goes_on) /* the limit breaks the group: nobody starts after it; a barrier would make progress
                          */
        AWAIT(scene->started == muster_group_size(world));
    if (rank == 0 && block(world, scene))
        return 1;
    if (part.request.group)
        RANK_CHECK(world, muster_wait(&part.request, scene->goes_on ? 0 : 50000000) == expected);
    if (rank == 1)
        RANK_CHECK(world, write(scene->gate[1], "x", 1) == 1);
    if (scene->goes_on && check_result(world, scene->kind, &part))
        return 1;
    return clear(world, scene->kind, &part);
}

static void run_scene(kind kind, int size, rank_mode mode, bool goes_on)
{
    scene *scene = shared_page(sizeof *scene);

    scene->kind = kind;
    scene->goes_on = goes_on;
    with_thread(goes_on);
    ck_assert_int_eq(pipe(scene->gate), 0);
    run_ranks(size, mode, owner_is_elsewhere, scene);
    close(scene->gate[0]), close(scene->gate[1]);
    with_thread(false);
    shared_page_free(scene, sizeof *scene);
}

START_TEST(test_an_owner_that_never_calls)
{
    for (kind kind = 0; kind < KINDS; kind++)
        for (int size = 2; size <= 3; size++) {
            run_scene(kind, size, RANKS_AS_PROCESSES, true);
            run_scene(kind, size, RANKS_AS_THREADS, true);
        }
}
END_TEST

/* The same without the thread: its partner gives up. (Two ranks need nobody for a private sum.) */
START_TEST(test_without_the_thread)
{
    for (kind kind = 0; kind < KINDS; kind++)
        run_scene(kind, 3, kind % 2 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, false);
}
END_TEST

/* ---- sleep ---- */

static uint64_t turns_of(const muster_group *group)
{
    return mst_load64_rlx(&mst_group_of_const(group)->subarena->attachment->waits.progress.turns);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* It looks at itself every other second; a thread that polls looks at each tick. */
#define TURNS_IN(seconds) (3 + (uint64_t)(seconds))

static int nothing_changes(muster_group *world, void *arg)
{
    muster_request request = MUSTER_REQUEST_INIT;
    int other = 1 - muster_group_rank(world);
    int32_t x = 1, got;

    (void)arg;
    /* Nothing is started: messages do not concern it. */
    RANK_OK(world, muster_barrier(world));
    double from_s = now_s();
    uint64_t before = turns_of(world);
    for (int i = 0; i < 2000; i++)
        RANK_OK(world, muster_sendrecv(&x, 1, other, 0, &got, 1, other, 0, MUSTER_INT32, world, NULL));
    RANK_CHECK(world, turns_of(world) - before <= TURNS_IN(now_s() - from_s));
    /* Rank 0 has started something, and the others have not. */
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_barrier_start(world, &request));
        const mst_attachment *attachment = mst_group_of(world)->subarena->attachment;

        AWAIT(mst_load32_acq(mst_attachment_doorbell(attachment).sleepers) == 1); /* it has looked */
        from_s = now_s(), before = turns_of(world);
        pass_time_ms(400);
        RANK_CHECK(world, turns_of(world) - before <= TURNS_IN(now_s() - from_s));
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 1, 0, world));
        RANK_OK(world, muster_wait(&request, 0));
        return 0;
    }
    RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 0, 0, world, NULL));
    RANK_OK(world, muster_barrier_start(world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    return 0;
}

START_TEST(test_it_sleeps)
{
    with_thread(true);
    run_ranks(2, RANKS_AS_PROCESSES, nothing_changes, NULL);
    run_ranks(2, RANKS_AS_THREADS, nothing_changes, NULL);
}
END_TEST

/* ---- who meets the lock ---- */

static void *look_and_sleep(void *arg)
{
    mst_background *background = arg;

    return mst_background_progress(background, true) ? background : NULL;
}

/* Of a group's pending operations: whoever has it rings a thread that has met it, and sleeps. */
static int meets_the_lock(muster_group *world, void *arg)
{
    mst_group *group = mst_group_of(world);
    mst_attachment *attachment = group->subarena->attachment;
    mst_parking doorbell = mst_attachment_doorbell(attachment);
    muster_request request;
    pthread_t thread;
    void *looked;

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_barrier_start(world, &request));
        mst_add32_sc(doorbell.sleepers, 1); /* as the thread's */
        mst_pending_lock(group);
        RANK_CHECK(world, pthread_create(&thread, NULL, look_and_sleep, &attachment->waits.background) == 0);
        pthread_join(thread, &looked);
        uint32_t before = mst_load32_acq(doorbell.word);
        mst_pending_unlock(group);
        RANK_CHECK(world, !looked && mst_load32_acq(doorbell.word) == before + 2);
        mst_add32_sc(doorbell.sleepers, (uint32_t)-1);
    } else {
        RANK_OK(world, muster_recv(NULL, 0, MUSTER_INT32, 0, 0, world, NULL));
        RANK_OK(world, muster_barrier_start(world, &request));
    }
    if (muster_group_rank(world) == 0)
        RANK_OK(world, muster_send(NULL, 0, MUSTER_INT32, 1, 0, world));
    RANK_OK(world, muster_wait(&request, 0));
    return 0;
}

START_TEST(test_who_meets_the_lock_is_woken)
{
    run_ranks(2, RANKS_AS_THREADS, meets_the_lock, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, meets_the_lock, NULL);
}
END_TEST

/* ---- beside other threads ---- */

enum { TURNS = 150 };

typedef struct helper {
    muster_group *group;
    bool sends;
    int failed;
    pthread_t thread;
} helper;

static size_t count_of(int turn)
{
    static const size_t counts[] = { 1, 30, 5000, 40000 };

    return counts[turn % 4];
}

/* Started ones alternate with those that a call moves, by itself as long as none of its direction is started.
 */
static int pass_on(muster_group *group, bool sends)
{
    int n = muster_group_size(group), rank = muster_group_rank(group);
    int to = (rank + 1) % n, from = (rank + n - 1) % n;
    int32_t *buffer = malloc(40000 * sizeof *buffer);
    muster_request request = MUSTER_REQUEST_INIT;

    RANK_CHECK(group, buffer);
    for (int turn = 0; turn < TURNS; turn++) {
        size_t count = count_of(turn);
        bool starts = (turn / 4 + sends) % 2;

        for (size_t i = 0; sends && i < count; i++)
            buffer[i] = rank + turn;
        if (sends && starts)
            RANK_OK(group, muster_send_start(buffer, count, MUSTER_INT32, to, turn % 3, group, &request));
        else if (sends)
            RANK_OK(group, muster_send(buffer, count, MUSTER_INT32, to, turn % 3, group));
        else if (starts)
            RANK_OK(group,
                    muster_recv_start(buffer, count, MUSTER_INT32, from, turn % 3, group, NULL, &request));
        else
            RANK_OK(group, muster_recv(buffer, count, MUSTER_INT32, from, turn % 3, group, NULL));
        if (starts)
            RANK_OK(group, muster_wait(&request, 0));
        RANK_CHECK(group, sends || buffer[count - 1] == from + turn);
    }
    free(buffer);
    return 0;
}

static void *help(void *arg)
{
    helper *helper = arg;

    helper->failed = pass_on(helper->group, helper->sends);
    return NULL;
}

static int sum_up(muster_group *group)
{
    int n = muster_group_size(group), rank = muster_group_rank(group);
    int32_t *in[2], *out[2];
    muster_request requests[2];

    for (int i = 0; i < 2; i++) {
        RANK_OK(group, muster_alloc(group, 40000 * sizeof **in, (void **)&in[i]));
        RANK_OK(group, muster_alloc(group, 40000 * sizeof **out, (void **)&out[i]));
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 2; i++) {
            size_t count = count_of(turn + i);

            for (size_t k = 0; k < count; k++)
                in[i][k] = rank + turn;
            RANK_OK(group, muster_all_reduce_start(in[i], out[i], count, MUSTER_INT32, MUSTER_SUM, group,
                                                   &requests[i]));
        }
        RANK_OK(group, muster_wait_all(requests, 2, 0));
        for (int i = 0; i < 2; i++)
            RANK_CHECK(group, out[i][count_of(turn + i) - 1] == n * turn + n * (n - 1) / 2);
    }
    for (int i = 0; i < 2; i++) {
        RANK_OK(group, muster_free(group, in[i]));
        RANK_OK(group, muster_free(group, out[i]));
    }
    return 0;
}

/* Three threads of each rank, each in a class of its own of one group. */
static int in_all_classes(muster_group *world, void *arg)
{
    helper helpers[2] = { { .group = world, .sends = true }, { .group = world } };

    (void)arg;
    for (int i = 0; i < 2; i++)
        RANK_CHECK(world, pthread_create(&helpers[i].thread, NULL, help, &helpers[i]) == 0);
    int failed = sum_up(world);
    for (int i = 0; i < 2; i++) {
        pthread_join(helpers[i].thread, NULL);
        failed = failed || helpers[i].failed;
    }
    return failed;
}

START_TEST(test_beside_threads_in_all_classes)
{
    for (int on = 0; on < 2; on++)
        for (int size = 2; size <= 3; size++) {
            with_thread(on);
            run_ranks(size, RANKS_AS_THREADS, in_all_classes, NULL);
            run_ranks(size, RANKS_AS_PROCESSES, in_all_classes, NULL);
        }
}
END_TEST

/* ---- groups that come and go ---- */

static int free_while_it_works(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t in[64], out[64];

    (void)arg;
    for (int turn = 0; turn < 200; turn++) {
        muster_group *groups[2];
        muster_request requests[4];

        for (int i = 0; i < 2; i++)
            RANK_OK(world, muster_group_dup(world, &groups[i]));
        for (int i = 0; i < 4; i++) {
            in[16 * i] = rank + turn;
            RANK_OK(world, muster_all_reduce_start(&in[16 * i], &out[16 * i], 16, MUSTER_INT32, MUSTER_SUM,
                                                   groups[i % 2], &requests[i]));
        }
        RANK_OK(world, muster_wait_all(requests, 4, 0));
        RANK_CHECK(world, out[48] == n * turn + n * (n - 1) / 2);
        for (int i = 0; i < 2; i++) /* others may still come to `done`, and ring us */
            RANK_OK(world, muster_group_free(groups[i]));
    }
    return 0;
}

START_TEST(test_groups_are_freed_while_it_works)
{
    with_thread(true);
    run_ranks(3, RANKS_AS_THREADS, free_while_it_works, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, free_while_it_works, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, free_while_it_works, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress_thread");
    TCase *tests = tcase_create("progress_thread");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_an_owner_that_never_calls);
    tcase_add_test(tests, test_without_the_thread);
    if (on_one_host()) {
        tcase_add_test(tests, test_it_sleeps);
        tcase_add_test(tests, test_who_meets_the_lock_is_woken);
    }
    tcase_add_test(tests, test_beside_threads_in_all_classes);
    tcase_add_test(tests, test_groups_are_freed_while_it_works);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
