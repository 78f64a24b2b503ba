/*
 * Several threads of a rank send and receive in one group at the same time (MUSTER_THREADS_MULTIPLE), to
 * another rank and to their own: each message is received exactly once, and in order.
 */
#include <sched.h>
#include <stdlib.h>

#include "tests/harness/workers.h"

enum { SENDERS = 4, RECEIVERS = 4, MESSAGES = 60, INTS_MAX = 30000, WINDOW = 8 };

/* What the threads of one rank share. */
typedef struct crew {
    int to, from;                                      /* whom they send to, and receive from */
    _Atomic int left;                                  /* messages that nobody has set out to receive */
    _Atomic int seen[SENDERS][MESSAGES];               /* how often each has been received */
    int values[SENDERS + RECEIVERS][WINDOW][INTS_MAX]; /* of each thread */
} crew;

static crew *crew_create(const muster_group *group)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);
    crew *made = calloc(1, sizeof *made);

    ck_assert_ptr_nonnull(made);
    made->to = (rank + 1) % size;
    made->from = (rank + size - 1) % size;
    made->left = SENDERS * MESSAGES;
    return made;
}

/* The first workers send, the others receive. */
static int run_crew(muster_group *group, int (*sends)(worker *self), int (*receives)(worker *self))
{
    worker workers[SENDERS + RECEIVERS];
    crew *crew = crew_create(group);
    int code = 0;

    for (int i = 0; i < SENDERS + RECEIVERS; i++) {
        workers[i] =
            (worker){ .group = group, .shared = crew, .index = i, .work = i < SENDERS ? sends : receives };
        RANK_CHECK(group, worker_start(&workers[i]));
    }
    for (int i = 0; i < SENDERS + RECEIVERS; i++)
        code |= worker_join(&workers[i]);
    for (int i = 0; i < SENDERS * MESSAGES && !code; i++)
        if (crew->seen[i / MESSAGES][i % MESSAGES] != 1)
            code = rank_failed(__FILE__, __LINE__, group, "a message was not received exactly once");
    free(crew);
    return code;
}

static crew *crew_of(const worker *self)
{
    return self->shared;
}

/* ---- messages ---- */

/* Entries of one line, of several, of two parts, and what has to be asked for. */
static int count_of(int number)
{
    static const int counts[] = { 2, 100, 5000, 2, 12000, 3 };

    return number % 16 == 7 ? INTS_MAX : counts[number % 6];
}

static void fill(int *values, int sender, int number)
{
    int count = count_of(number);

    values[0] = sender;
    values[1] = number;
    for (int i = 2; i < count; i++)
        values[i] = sender + number + i;
}

/* Notes a message that has come, and checks it. */
static bool is_right(crew *crew, const int *values, const muster_message *came)
{
    int sender = values[0], number = values[1];

    if (sender < 0 || sender >= SENDERS || number < 0 || number >= MESSAGES || came->tag != sender ||
        came->source != crew->from || came->count != (size_t)count_of(number))
        return false;
    for (int i = 2; i < count_of(number); i++)
        if (values[i] != sender + number + i)
            return false;
    return crew->seen[sender][number]++ == 0;
}

static int *values_of(const worker *self, int which)
{
    return crew_of(self)->values[self->index][which];
}

static int send_all(worker *self)
{
    muster_group *group = self->group;
    int *values = values_of(self, 0);

    for (int i = 0; i < MESSAGES; i++) {
        fill(values, self->index, i);
        RANK_OK(group, muster_send(values, (size_t)count_of(i), MUSTER_INT32, crew_of(self)->to, self->index,
                                   group));
    }
    return 0;
}

/* Of a tag of its own, in order. */
static int receive_own(worker *self)
{
    muster_group *group = self->group;
    int *values = values_of(self, 0);
    muster_message came = MUSTER_MESSAGE_INIT;

    for (int i = 0; i < MESSAGES; i++) {
        RANK_OK(group, muster_recv(values, INTS_MAX, MUSTER_INT32, crew_of(self)->from, self->index - SENDERS,
                                   group, &came));
        RANK_CHECK(group, is_right(crew_of(self), values, &came) && values[1] == i);
    }
    return 0;
}

/* Of any tag, as the others; what one thread gets of a sender is in order. */
static int receive_any(worker *self)
{
    muster_group *group = self->group;
    int *values = values_of(self, 0), latest[SENDERS] = { -1, -1, -1, -1 };
    muster_message came = MUSTER_MESSAGE_INIT;

    while (crew_of(self)->left-- > 0) {
        RANK_OK(group,
                muster_recv(values, INTS_MAX, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, group, &came));
        RANK_CHECK(group, is_right(crew_of(self), values, &came) && values[1] > latest[values[0]]);
        latest[values[0]] = values[1];
    }
    return 0;
}

/* Finds out first what comes. */
static int receive_probed(worker *self)
{
    muster_group *group = self->group;
    int *values = values_of(self, 0), tag = self->index - SENDERS;
    muster_message there = MUSTER_MESSAGE_INIT, came = MUSTER_MESSAGE_INIT;

    for (int i = 0; i < MESSAGES; i++) {
        bool found = i % 3 == 0;

        if (found)
            RANK_OK(group, muster_probe(MUSTER_ANY_SOURCE, tag, group, &there));
        while (!found)
            RANK_OK(group, muster_iprobe(crew_of(self)->from, tag, group, &found, &there));
        RANK_CHECK(group, there.tag == tag && there.count == (size_t)count_of(i));
        RANK_OK(group, muster_recv(values, there.count, MUSTER_INT32, there.source, tag, group, &came));
        RANK_CHECK(group, is_right(crew_of(self), values, &came) && values[1] == i);
    }
    return 0;
}

/* ---- started ones ---- */

static int send_started(worker *self)
{
    muster_group *group = self->group;
    muster_request requests[WINDOW];

    for (int i = 0; i < MESSAGES; i += WINDOW) {
        size_t count = (size_t)(MESSAGES - i < WINDOW ? MESSAGES - i : WINDOW), index;

        for (int k = 0; k < (int)count; k++) {
            fill(values_of(self, k), self->index, i + k);
            RANK_OK(group, muster_send_start(values_of(self, k), (size_t)count_of(i + k), MUSTER_INT32,
                                             crew_of(self)->to, self->index, group, &requests[k]));
        }
        if (self->index % 2)
            RANK_OK(group, muster_wait_all(requests, count, 0));
        for (size_t k = 0; k < count && self->index % 2 == 0; k++)
            RANK_OK(group, muster_wait_any(requests, count, 0, &index));
    }
    return 0;
}

/* By a wait, or by tests. */
static muster_status finish(muster_request *request, bool tests)
{
    bool done = false;

    if (!tests)
        return muster_wait(request, 0);
    muster_status status = MUSTER_OK;
    while (status == MUSTER_OK && !done) {
        status = muster_test(request, &done);
        sched_yield();
    }
    return status;
}

static int receive_started(worker *self)
{
    muster_group *group = self->group;
    int tag = self->index - SENDERS;
    muster_request requests[WINDOW];
    muster_message came[WINDOW];

    for (int i = 0; i < MESSAGES; i += WINDOW) {
        int count = MESSAGES - i < WINDOW ? MESSAGES - i : WINDOW;

        for (int k = 0; k < count; k++) {
            came[k] = (muster_message)MUSTER_MESSAGE_INIT;
            RANK_OK(group, muster_recv_start(values_of(self, k), INTS_MAX, MUSTER_INT32, crew_of(self)->from,
                                             tag, group, &came[k], &requests[k]));
        }
        for (int k = count - 1; k >= 0; k--) {
            RANK_OK(group, finish(&requests[k], k % 2));
            RANK_CHECK(group, is_right(crew_of(self), values_of(self, k), &came[k]) &&
                                  values_of(self, k)[1] == i + k);
        }
    }
    return 0;
}

/* Two at a time of any tag. */
static int receive_any_started(worker *self)
{
    muster_group *group = self->group;

    while (crew_of(self)->left-- > 0) {
        bool two = crew_of(self)->left-- > 0;
        muster_message came[2] = { MUSTER_MESSAGE_INIT, MUSTER_MESSAGE_INIT };
        muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };

        for (int k = 0; k < 1 + two; k++)
            RANK_OK(group, muster_recv_start(values_of(self, k), INTS_MAX, MUSTER_INT32, MUSTER_ANY_SOURCE,
                                             MUSTER_ANY_TAG, group, &came[k], &requests[k]));
        RANK_OK(group, muster_wait_all(requests, 2, 0));
        for (int k = 0; k < 1 + two; k++)
            RANK_CHECK(group, is_right(crew_of(self), values_of(self, k), &came[k]));
    }
    return 0;
}

/* In both directions at once. */
static int exchange_all(worker *self)
{
    muster_group *group = self->group;
    int *out = values_of(self, 0), *in = values_of(self, 1);
    muster_message came = MUSTER_MESSAGE_INIT;

    for (int i = 0; i < MESSAGES; i++) {
        fill(out, self->index, i);
        RANK_OK(group, muster_sendrecv(out, (size_t)count_of(i), crew_of(self)->to, self->index, in, INTS_MAX,
                                       crew_of(self)->from, self->index, MUSTER_INT32, group, &came));
        RANK_CHECK(group, is_right(crew_of(self), in, &came) && in[1] == i);
    }
    return 0;
}

static int do_nothing(worker *self)
{
    (void)self;
    return 0;
}

static int all_kinds(muster_group *world, void *arg)
{
    static const struct {
        int (*sends)(worker *self), (*receives)(worker *self);
    } kinds[] = { { send_all, receive_own },     { send_all, receive_any },
                  { send_all, receive_probed },  { send_started, receive_started },
                  { send_started, receive_any }, { send_all, receive_any_started },
                  { send_all, receive_started }, { exchange_all, do_nothing } };
    int code = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !code; i++) {
        code = run_crew(world, kinds[i].sends, kinds[i].receives);
        if (!code)
            RANK_OK(world, muster_barrier(world)); /* nothing of the next comes among these */
    }
    return code;
}

START_TEST(test_each_message_once_and_in_order)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    for (int size = 1; size <= 3; size++) {
        run_ranks(size, RANKS_AS_THREADS, all_kinds, NULL);
        if (!under_thread_sanitizer())
            run_ranks(size, RANKS_AS_PROCESSES, all_kinds, NULL);
    }
}
END_TEST

/* The groups made of the world are as it is. */
static int in_a_child(muster_group *world, void *arg)
{
    muster_group *child;

    RANK_OK(world, muster_group_split(world, 0, -1, &child));
    int code = all_kinds(child, arg);
    muster_group_free(child);
    return code;
}

START_TEST(test_children_serve_several_threads)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    run_ranks(2, RANKS_AS_THREADS, in_a_child, NULL);
}
END_TEST

START_TEST(test_beside_a_progress_thread)
{
    setenv("MUSTER_THREADS_MULTIPLE", "1", 1);
    setenv("MUSTER_PROGRESS_THREAD", "1", 1);
    run_ranks(2, RANKS_AS_THREADS, all_kinds, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, all_kinds, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads_multiple");
    TCase *tests = tcase_create("threads_multiple");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_each_message_once_and_in_order);
    tcase_add_test(tests, test_children_serve_several_threads);
    tcase_add_test(tests, test_beside_a_progress_thread);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
