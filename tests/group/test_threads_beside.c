/*
 * What threads of a rank do beside each other in one group, with MUSTER_THREADS_MULTIPLE: whoever waits holds
 * up nobody, a request is one thread's at a time, a death ends the calls of all, and who may still be helped
 * is in no deadlock. And without it: a second thread is told so.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/onehost/group/group.h"
#include "tests/harness/workers.h"

enum { THREADS = 8, INTS_MAX = 30000, ANYTHING = 100 };

static int next(const muster_group *group)
{
    return (muster_group_rank(group) + 1) % muster_group_size(group);
}

static int before(const muster_group *group)
{
    return (muster_group_rank(group) + muster_group_size(group) - 1) % muster_group_size(group);
}

/* ---- one waits, and another one goes on ---- */

static int wait_for_the_last(worker *self)
{
    muster_group *group = self->group;
    muster_request request;
    int last = 0;

    RANK_OK(group, muster_recv_start(&last, 1, MUSTER_INT32, before(group), ANYTHING, group, NULL, &request));
    RANK_OK(group, muster_wait(&request, 0));
    RANK_CHECK(group, last == 7);
    return 0;
}

static int start_beside_a_wait(muster_group *world, void *arg)
{
    enum { MANY = 50 };
    int rank = muster_group_rank(world), out[MANY], in[MANY], last = 7;
    worker waits = { .group = world, .work = wait_for_the_last };
    muster_request requests[2 * MANY];

    (void)arg;
    RANK_CHECK(world, worker_start(&waits));
    AWAIT(is_asleep_in_message(world, rank));
    for (int i = 0; i < MANY; i++) {
        out[i] = i;
        RANK_OK(world, muster_recv_start(&in[i], 1, MUSTER_INT32, before(world), i, world, NULL,
                                         &requests[MANY + i]));
        RANK_OK(world, muster_send_start(&out[i], 1, MUSTER_INT32, next(world), i, world, &requests[i]));
    }
    RANK_OK(world, muster_wait_all(requests, 2 * MANY, 0));
    for (int i = 0; i < MANY; i++)
        RANK_CHECK(world, in[i] == i);
    RANK_OK(world, muster_send(&last, 1, MUSTER_INT32, next(world), ANYTHING, world));
    return worker_join(&waits);
}

START_TEST(test_one_waits_and_another_starts)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    for (int size = 1; size <= 2; size++) {
        run_ranks(size, RANKS_AS_PROCESSES, start_beside_a_wait, NULL);
        run_ranks(size, RANKS_AS_THREADS, start_beside_a_wait, NULL);
    }
}
END_TEST

/* ---- whose a request is, and what one thread must be alone for ---- */

static int wait_for_shared(worker *self)
{
    RANK_OK(self->group, muster_wait(self->shared, 0));
    return 0;
}

static int of_two_threads(muster_group *world, void *arg)
{
    int value = 0, seven = 7;
    muster_request request;
    worker waits = { .group = world, .shared = &request, .work = wait_for_shared };
    bool done;

    (void)arg;
    RANK_OK(world,
            muster_recv_start(&value, 1, MUSTER_INT32, before(world), ANYTHING, world, NULL, &request));
    muster_request copy = request;
    RANK_CHECK(world, worker_start(&waits));
    AWAIT(is_asleep_in_message(world, muster_group_rank(world)));
    RANK_CHECK(world, muster_test(&copy, &done) == MUSTER_ERR_BUSY);
    RANK_CHECK(world, strstr(muster_error_detail(), "another thread waits for this operation"));
    RANK_CHECK(world, muster_wait(&copy, 0) == MUSTER_ERR_BUSY);
    RANK_CHECK(world, muster_cancel(&copy, &done) == MUSTER_ERR_BUSY);
    RANK_CHECK(world,
               muster_group_set_timeout(world, 0) == MUSTER_ERR_BUSY); /* it would change under its feet */
    RANK_CHECK(world, muster_group_free(world) == MUSTER_ERR_BUSY);
    RANK_OK(world, muster_barrier(world)); /* its own class is free */
    RANK_OK(world, muster_send(&seven, 1, MUSTER_INT32, next(world), ANYTHING, world));
    RANK_CHECK(world, worker_join(&waits) == 0 && value == 7);
    RANK_CHECK(world, muster_test(&copy, &done) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_group_set_timeout(world, 0));
    return 0;
}

START_TEST(test_a_request_is_of_one_thread_at_a_time)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    run_ranks(1, RANKS_AS_THREADS, of_two_threads, NULL);
    run_ranks(2, RANKS_AS_THREADS, of_two_threads, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, of_two_threads, NULL);
}
END_TEST

/* ---- without it ---- */

static int second_thread_is_refused(muster_group *world, void *arg)
{
    int value, seven = 7;
    worker waits = { .group = world, .work = wait_for_the_last };

    (void)arg;
    RANK_CHECK(world, worker_start(&waits));
    AWAIT(is_asleep_in_message(world, muster_group_rank(world)));
    RANK_CHECK(world, muster_recv(&value, 1, MUSTER_INT32, before(world), 0, world, NULL) == MUSTER_ERR_BUSY);
    RANK_CHECK(world,
               strstr(muster_error_detail(), "another thread is in a call that receives of this group, which "
                                             "serves one thread at a time in each kind of call"));
    RANK_CHECK(world, strstr(muster_error_detail(), "for messages, attach with threads_multiple "
                                                    "(MUSTER_THREADS_MULTIPLE=1)"));
    RANK_CHECK(world, muster_probe(before(world), 0, world, NULL) == MUSTER_ERR_BUSY);
    RANK_OK(world, muster_barrier(world)); /* until then the other's thread waits, too */
    RANK_OK(world, muster_send(&seven, 1, MUSTER_INT32, next(world), ANYTHING, world));
    return worker_join(&waits);
}

START_TEST(test_without_it_one_receives)
{
    unsetenv("MUSTER_THREADS_MULTIPLE");
    run_ranks(2, RANKS_AS_THREADS, second_thread_is_refused, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, second_thread_is_refused, NULL);
}
END_TEST

/* A wait that is refused, because another thread receives in one of its groups, is in none of them. */
static int receive_one(worker *self)
{
    int got = 0;

    RANK_OK(self->group, muster_recv(&got, 1, MUSTER_INT32, 1, 1, self->group, NULL));
    RANK_CHECK(self->group, got == 1);
    return 0;
}

static int refused_wait(muster_group *world, void *arg)
{
    muster_group *other;
    muster_request requests[2];
    int got[2], rank = muster_group_rank(world);
    bool found;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &other));
    if (rank == 0) {
        worker worker = { .group = other, .work = receive_one };

        RANK_OK(world, muster_recv_start(&got[0], 1, MUSTER_INT32, 1, 2, world, NULL, &requests[0]));
        RANK_OK(world, muster_recv_start(&got[1], 1, MUSTER_INT32, 1, 2, other, NULL, &requests[1]));
        RANK_CHECK(world, worker_start(&worker));
        AWAIT(is_asleep_in_message(other, 0));
        RANK_CHECK(world, muster_wait_all(requests, 2, 0) == MUSTER_ERR_BUSY);
        RANK_OK(world, muster_iprobe(1, 3, world, &found, NULL));
        RANK_OK(world, muster_barrier(world));
        RANK_CHECK(world, worker_join(&worker) == 0);
        RANK_OK(world, muster_wait_all(requests, 2, 0));
        RANK_CHECK(world, got[0] == 2 && got[1] == 2);
    } else {
        RANK_OK(world, muster_barrier(world));
        RANK_OK(world, muster_send(&(int){ 1 }, 1, MUSTER_INT32, 0, 1, other));
        RANK_OK(world, muster_send(&(int){ 2 }, 1, MUSTER_INT32, 0, 2, world));
        RANK_OK(world, muster_send(&(int){ 2 }, 1, MUSTER_INT32, 0, 2, other));
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(other));
    return 0;
}

START_TEST(test_a_refused_wait_is_in_no_group)
{
    unsetenv("MUSTER_THREADS_MULTIPLE");
    run_ranks(2, RANKS_AS_PROCESSES, refused_wait, NULL);
    run_ranks(2, RANKS_AS_THREADS, refused_wait, NULL);
}
END_TEST

START_TEST(test_not_with_one_thread)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.one_thread = config.threads_multiple = true;
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "set one of them"));
}
END_TEST

/* ---- death ---- */

static int receive_in_vain(worker *self)
{
    muster_group *group = self->group;
    static int buffers[THREADS][2][INTS_MAX];
    int *values = buffers[self->index][0], index = self->index;
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    muster_message came[2] = { MUSTER_MESSAGE_INIT, MUSTER_MESSAGE_INIT };
    muster_status status;
    size_t found;

    for (int k = 0; k < 2 && index >= 5; k++)
        RANK_OK(group, muster_recv_start(buffers[index][k], 1, MUSTER_INT32, 1, ANYTHING + index, group,
                                         &came[k], &requests[k]));
    switch (index) {
    case 0:
        status = muster_recv(values, 1, MUSTER_INT32, 1, index, group, NULL);
        break;
    case 1:
        status = muster_recv(values, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, group, &came[0]);
        break;
    case 2:
        status = muster_probe(1, index, group, &came[0]);
        break;
    case 3: /* more than is buffered */
        status = MUSTER_OK;
        while (status == MUSTER_OK)
            status = muster_send(values, INTS_MAX, MUSTER_INT32, 1, index, group);
        break;
    case 4:
        status = muster_sendrecv(values, INTS_MAX, 1, index, buffers[index][1], 1, 1, index, MUSTER_INT32,
                                 group, &came[0]);
        break;
    case 5:
        status = muster_wait(&requests[0], 0);
        if (status == MUSTER_ERR_PEER_DIED)
            status = muster_wait(&requests[1], 0);
        break;
    case 6:
        status = muster_wait_all(requests, 2, 0);
        break;
    default:
        status = muster_wait_any(requests, 2, 0, &found);
    }
    RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(group, strstr(muster_error_detail(), "rank 1 "));
    return 0;
}

static int dies_while_all_wait(muster_group *world, void *arg)
{
    const mst_group *group = mst_group_of(world);

    (void)arg;
    if (muster_group_rank(world) == 0) {
        worker workers[THREADS];
        muster_group *rest;

        for (int i = 0; i < THREADS; i++) {
            workers[i] = (worker){ .group = world, .index = i, .work = receive_in_vain };
            RANK_CHECK(world, worker_start(&workers[i]));
        }
        for (int i = 0; i < THREADS; i++)
            RANK_CHECK(world, worker_join(&workers[i]) == 0);
        RANK_OK(world, muster_group_shrink(world, &rest));
        RANK_OK(rest, muster_barrier(rest));
        muster_group_free(rest);
        return 0;
    }
    AWAIT(mst_load32_acq(&group->subarena->cells[0]->doorbell.sleepers) == THREADS);
    raise(SIGKILL);
    return 1;
}

START_TEST(test_a_death_ends_all_calls)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[2];

    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 2 }, dies_while_all_wait, NULL, &report);
    ck_assert_int_eq(terminations[0].kind, MUSTER_TERMINATION_EXITED);
    ck_assert_int_eq(terminations[0].code, 0);
    ck_assert_int_eq(terminations[1].code, SIGKILL);
}
END_TEST

/* What is in flight then belongs to calls that have returned. */
static int exchange_until_one_dies(worker *self)
{
    static int buffers[THREADS][2][INTS_MAX];
    int rank = muster_group_rank(self->group), index = self->index, last = *(const int *)self->shared;
    muster_status status = MUSTER_OK;

    for (int i = 0; status == MUSTER_OK; i++) {
        size_t count = i % 3 ? (size_t)(1 + index) : INTS_MAX;

        status = muster_sendrecv(buffers[index][0], count, 1 - rank, index, buffers[index][1], count,
                                 1 - rank, index, MUSTER_INT32, self->group, NULL);
        if (rank == 1 && index == 0 && i == last)
            raise(SIGKILL);
    }
    RANK_CHECK(self->group, status == MUSTER_ERR_PEER_DIED);
    return 0;
}

static int dies_among_traffic(muster_group *world, void *arg)
{
    worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){ .group = world, .shared = arg, .index = i, .work = exchange_until_one_dies };
        RANK_CHECK(world, worker_start(&workers[i]));
    }
    for (int i = 0; i < THREADS; i++)
        RANK_CHECK(world, worker_join(&workers[i]) == 0);
    return 0;
}

START_TEST(test_a_death_among_traffic)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[2];

    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    report.terminations = terminations;
    for (int last = 0; last < 40; last += 3) {
        run_failing_ranks((rank_options){ .size = 2 }, dies_among_traffic, &last, &report);
        ck_assert_int_eq(terminations[0].kind, MUSTER_TERMINATION_EXITED);
        ck_assert_int_eq(terminations[0].code, 0);
    }
}
END_TEST

/* ---- deadlocks ---- */

/* What looks like a cycle is none: another thread ends it. */
static int another_thread_sends(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), value = 7;
    worker waits = { .group = world, .work = wait_for_the_last };

    (void)arg;
    if (rank == 1) {
        RANK_OK(world, muster_recv(&value, 1, MUSTER_INT32, 0, 0, world, NULL));
        RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, 0, ANYTHING, world));
        return 0;
    }
    RANK_CHECK(world, worker_start(&waits));
    AWAIT(is_asleep_in_message(world, 0));
    await_checks(world, 1, 1);
    RANK_OK(world, muster_send(&value, 1, MUSTER_INT32, 1, 0, world));
    return worker_join(&waits);
}

static int only_threads_receive(muster_group *world, void *arg)
{
    int value;

    (void)arg;
    RANK_CHECK(world, muster_recv(&value, 1, MUSTER_INT32, 1 - muster_group_rank(world), 0, world, NULL) ==
                          MUSTER_ERR_DEADLOCK);
    return 0;
}

/* Nobody else could receive it. */
static int only_thread_sends_to_itself(muster_group *world, void *arg)
{
    static int values[INTS_MAX];
    muster_status status = MUSTER_OK;

    (void)arg;
    while (status == MUSTER_OK)
        status = muster_send(values, INTS_MAX, MUSTER_INT32, muster_group_rank(world), 0, world);
    RANK_CHECK(world, status == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(world, strstr(muster_error_detail(), "in send (int32 x 30000, tag 0) waits for"));
    return 0;
}

START_TEST(test_deadlocks)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    run_ranks(2, RANKS_AS_PROCESSES, another_thread_sends, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, only_threads_receive, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, only_thread_sends_to_itself, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads_beside");
    TCase *tests = tcase_create("threads_beside");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_one_waits_and_another_starts);
    tcase_add_test(tests, test_a_request_is_of_one_thread_at_a_time);
    tcase_add_test(tests, test_without_it_one_receives);
    tcase_add_test(tests, test_a_refused_wait_is_in_no_group);
    tcase_add_test(tests, test_not_with_one_thread);
    if (on_one_host()) {
        tcase_add_test(tests, test_a_death_ends_all_calls);
        tcase_add_test(tests, test_a_death_among_traffic);
        if (!under_thread_sanitizer()) /* whose own thread could end a wait, for all that muster knows */
            tcase_add_test(tests, test_deadlocks);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
