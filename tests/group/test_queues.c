/* Queues of one writer and many readers: every reader reads every entry, and who lags is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "tests/harness/ranks.h"

enum { NO_TIME = -1, MS = 1000000 };

/* ---- order and content ---- */

/* Entry `number` of a queue: its size and its bytes. */
static size_t size_of_entry(int number, size_t entry_bytes)
{
    return number % 7 == 0 ? entry_bytes : (size_t)number * 37 % (entry_bytes + 1);
}

static void fill_entry(unsigned char *entry, int number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        entry[i] = (unsigned char)(number * 13 + (int)i * 7);
}

typedef struct shape {
    size_t entries, entry_bytes;
    int count;
} shape;

static int push_all(muster_group *world, muster_queue *queue, const shape *shape)
{
    unsigned char *entry = malloc(shape->entry_bytes + 1);

    RANK_CHECK(world, entry);
    for (int i = 0; i < shape->count; i++) {
        size_t bytes = size_of_entry(i, shape->entry_bytes);

        fill_entry(entry, i, bytes);
        RANK_OK(world, muster_queue_push(queue, bytes ? entry : NULL, bytes, 0));
        memset(entry, 0, bytes); /* the queue has a copy */
        if (i % 97 == 0)
            pass_time_ms(0.2);
    }
    free(entry);
    return 0;
}

/* By pop and by peek in turn, with pauses of its own. */
static int read_all(muster_group *world, muster_queue *queue, const shape *shape)
{
    unsigned char *expected = malloc(shape->entry_bytes + 1), *buffer = malloc(shape->entry_bytes + 1);
    int rank = muster_group_rank(world);

    RANK_CHECK(world, expected && buffer);
    for (int i = 0; i < shape->count; i++) {
        const void *entry = buffer;
        size_t bytes = 0;

        if (i % 3 == rank % 3)
            RANK_OK(world, muster_queue_peek(queue, 0, &entry, &bytes));
        else
            RANK_OK(world, muster_queue_pop(queue, buffer, shape->entry_bytes, 0, &bytes));
        RANK_CHECK(world, bytes == size_of_entry(i, shape->entry_bytes));
        fill_entry(expected, i, bytes);
        RANK_CHECK(world, memcmp(entry, expected, bytes) == 0);
        if (i % 3 == rank % 3)
            RANK_OK(world, muster_queue_release(queue));
        if (i % (50 + 11 * rank) == 0)
            pass_time_ms(0.2);
    }
    free(expected);
    free(buffer);
    return 0;
}

static int all_read_all(muster_group *world, void *arg)
{
    const shape shapes[] = {
        { 1, 1, 50 }, { 3, 100, 300 }, { 64, 5, 500 }, { 4, 100000, 60 }, { 7, 0, 100 }
    };
    int n = muster_group_size(world), rank = muster_group_rank(world);

    (void)arg;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        int writer = (int)i % n;
        muster_queue *queue;

        RANK_OK(world, muster_queue_create(world, writer, shapes[i].entries, shapes[i].entry_bytes, &queue));
        if (rank == writer)
            RANK_CHECK(world, push_all(world, queue, &shapes[i]) == 0);
        else
            RANK_CHECK(world, read_all(world, queue, &shapes[i]) == 0);
        RANK_OK(world, muster_queue_free(queue)); /* the writer first: readers read on */
    }
    return 0;
}

START_TEST(test_all_readers_read_all_entries)
{
    run_all_sizes(all_read_all, NULL);
}
END_TEST

/* What the writer wrote elsewhere before a push is visible after the pop. */
static int push_publishes(muster_group *world, void *arg)
{
    enum { ROUNDS = 200 };
    int rank = muster_group_rank(world);
    muster_queue *queue;
    muster_share *share;
    int *table, at;
    size_t bytes;

    (void)arg;
    RANK_OK(world, muster_share_create(world, rank == 0 ? ROUNDS * sizeof *table : 0, &share));
    RANK_OK(world, muster_share_at(share, 0, (void **)&table, NULL));
    RANK_OK(world, muster_queue_create(world, 0, 5, sizeof at, &queue));
    for (int i = 0; i < ROUNDS; i++) {
        if (rank == 0) {
            table[i] = 3 * i;
            RANK_OK(world, muster_queue_push(queue, &i, sizeof i, 0));
        } else {
            RANK_OK(world, muster_queue_pop(queue, &at, sizeof at, 0, &bytes));
            RANK_CHECK(world, bytes == sizeof at && at == i && table[i] == 3 * i);
        }
    }
    RANK_OK(world, muster_queue_free(queue));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_a_push_publishes_what_came_before)
{
    run_ranks(4, RANKS_AS_THREADS, push_publishes, NULL);
    run_ranks(4, RANKS_AS_PROCESSES, push_publishes, NULL);
}
END_TEST

/* ---- damage ---- */

/* A reader trusts no number of the arena: that of an entry's bytes, and the stamp of its place. */
static int damaged_numbers(muster_group *world, void *arg)
{
    muster_queue *queue;
    const void *entry;
    size_t bytes;

    for (int damage = 0; damage < 2; damage++) {
        RANK_OK(world, muster_queue_create(world, 1, 2, 8, &queue));
        if (muster_group_rank(world) == 1) {
            RANK_OK(world, muster_queue_push(queue, "12345678", 8, 0));
        } else {
            RANK_OK(world, muster_queue_peek(queue, 0, &entry, &bytes));
            mst_queue_place *place = (mst_queue_place *)(uintptr_t)entry - 1;
            RANK_CHECK(world, bytes == 8 && place->bytes == 8 && mst_load64_acq(&place->stamp) == 1);
            RANK_OK(world, muster_queue_peek(queue, 0, &entry, &bytes));
            if (damage == 0)
                place->bytes = 9;
            else
                mst_store64_rel(&place->stamp, 77);
            RANK_CHECK(world, muster_queue_peek(queue, 0, &entry, &bytes) == MUSTER_ERR_BAD_ARENA);
            RANK_CHECK(world, strstr(muster_error_detail(), "impossible number of rank 1 in a queue"));
        }
        RANK_OK(world, muster_barrier(world));
        RANK_OK(world, muster_queue_free(queue));
    }
    (void)arg;
    return 0;
}

START_TEST(test_damaged_numbers)
{
    run_ranks(2, RANKS_AS_PROCESSES, damaged_numbers, NULL);
}
END_TEST

/* ---- who lags ---- */

static int the_laggard_is_named(muster_group *world, void *arg)
{
    enum { ENTRIES = 4 };
    int rank = muster_group_rank(world), n = muster_group_size(world), lagging;
    muster_queue *queue;
    uint64_t behind;
    char expected[100], got;
    size_t bytes;

    (void)arg;
    RANK_OK(world, muster_queue_create(world, 1, ENTRIES, 1, &queue));
    if (rank == 1) {
        RANK_OK(world, muster_queue_lag(queue, &lagging, &behind));
        RANK_CHECK(world, behind == 0 && lagging == (n > 1 ? 0 : -1));
        for (int i = 0; i < ENTRIES; i++)
            RANK_OK(world, muster_queue_push(queue, &(char){ (char)i }, 1, NO_TIME));
    }
    RANK_OK(world, muster_barrier(world));
    for (int i = 0; rank != 1 && i < (rank == n - 1 ? 1 : 2);
         i++) /* the last rank has read one, the others two */
        RANK_OK(world, muster_queue_pop(queue, &got, 1, NO_TIME, &bytes));
    RANK_OK(world, muster_barrier(world));
    if (rank == 1) {
        RANK_OK(world, muster_queue_lag(queue, &lagging, &behind));
        RANK_CHECK(world, lagging == n - 1 && behind == 3);
        RANK_OK(world, muster_queue_push(queue, "x", 1, NO_TIME));
        for (int i = 0; i < 3; i++) { /* nothing has changed by the error */
            RANK_CHECK(world, muster_queue_push(queue, "y", 1, i ? NO_TIME : 3 * MS) == MUSTER_ERR_TIMED_OUT);
            snprintf(expected, sizeof expected, "rank %d lags %d entries behind, which is the whole queue",
                     n - 1, ENTRIES);
            RANK_CHECK(world, strstr(muster_error_detail(), expected));
        }
    }
    RANK_OK(world, muster_barrier(world)); /* the group is as before */
    if (rank == n - 1) {
        for (int i = 1; i < ENTRIES; i++) {
            RANK_OK(world, muster_queue_pop(queue, &got, 1, NO_TIME, &bytes));
            RANK_CHECK(world, got == i);
        }
        RANK_OK(world, muster_queue_pop(queue, &got, 1, NO_TIME, &bytes));
        RANK_CHECK(world, got == 'x');
        RANK_CHECK(world, muster_queue_pop(queue, &got, 1, 2 * MS, &bytes) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "for rank 1 to push entry 6"));
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

/* No reader has read anything: the first of them is named, and the others are counted. */
static int all_lag(muster_group *world, void *arg)
{
    enum { WRITER = 1 };
    static const char *const others[] = { "", ", and 1 more reader", ", and 2 more readers" };
    int n = muster_group_size(world);
    muster_queue *queue;
    char expected[100];

    (void)arg;
    RANK_OK(world, muster_queue_create(world, WRITER, 2, 1, &queue));
    if (muster_group_rank(world) == WRITER) {
        for (int i = 0; i < 2; i++)
            RANK_OK(world, muster_queue_push(queue, "x", 1, NO_TIME));
        RANK_CHECK(world, muster_queue_push(queue, "x", 1, NO_TIME) == MUSTER_ERR_TIMED_OUT);
        int bytes = snprintf(expected, sizeof expected,
                             "rank 0 lags 2 entries behind, which is the whole queue%s", others[n - 2]);
        const char *said = strstr(muster_error_detail(), expected);
        RANK_CHECK(world, said && said[bytes] == '\0');
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_the_laggard_is_named)
{
    run_ranks(3, RANKS_AS_PROCESSES, the_laggard_is_named, NULL);
    run_ranks(5, RANKS_AS_THREADS, the_laggard_is_named, NULL);
    for (int size = 2; on_one_host() && size <= 4; size++)
        run_ranks(size, RANKS_AS_THREADS, all_lag, NULL);
}
END_TEST

/* A reader that frees the queue holds it up until it is dropped; the writer that frees it ends it. */
static int some_leave(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), left = -1, got;
    muster_queue *queue;
    size_t bytes;

    (void)arg;
    RANK_OK(world, muster_queue_create(world, 0, 2, sizeof got, &queue));
    if (rank == 1) {
        RANK_OK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes));
        RANK_OK(world, muster_queue_free(queue));
        return 0;
    }
    for (int i = 0; rank == 0 && i < 100; i++) {
        muster_status status = muster_queue_push(queue, &i, sizeof i, 0);

        RANK_CHECK(world, status == (i == 3 ? MUSTER_ERR_PEER_DIED : MUSTER_OK));
        if (status == MUSTER_OK)
            continue;
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 has freed the queue"));
        RANK_CHECK(world, muster_queue_push(queue, &i, sizeof i, NO_TIME) == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_queue_drop(queue, &left));
        RANK_CHECK(world, left == muster_group_size(world) - 2);
        RANK_OK(world, muster_queue_push(queue, &i, sizeof i, 0));
    }
    for (int i = 0; rank > 1 && i < 100; i++) {
        RANK_OK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes));
        RANK_CHECK(world, got == i);
    }
    if (rank > 1) {
        RANK_CHECK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 has freed the queue"));
    }
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_some_leave)
{
    run_ranks(3, RANKS_AS_PROCESSES, some_leave, NULL);
    run_ranks(4, RANKS_AS_THREADS, some_leave, NULL);
}
END_TEST

/* ---- what is refused ---- */

static int bad_arguments(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got = 5;
    muster_queue *queue = NULL;
    const void *entry = &got;
    size_t bytes = 9;

    (void)arg;
    RANK_CHECK(world, muster_queue_create(NULL, 0, 1, 1, &queue) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_create(world, 0, 1, 1, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_create(world, 2, 1, 1, &queue) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_create(world, -1, 1, 1, &queue) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_create(world, 0, 0, 1, &queue) == MUSTER_ERR_INVALID && !queue);
    RANK_OK(world, muster_queue_create(world, 0, 2, 8, &queue));
    RANK_OK(world, muster_queue_free(NULL));
    RANK_CHECK(world, muster_queue_push(NULL, "x", 1, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_push(queue, "0123456789", 9, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), rank == 0 ? "up to 8" : "is a reader; rank 0 writes"));
    RANK_CHECK(world, muster_queue_push(queue, NULL, 1, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_peek(queue, 0, NULL, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_pop(queue, &got, 4, 0, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_pop(queue, NULL, 4, 0, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_queue_release(queue) == MUSTER_ERR_INVALID);
    if (rank == 0) {
        RANK_CHECK(world, muster_queue_peek(queue, NO_TIME, &entry, &bytes) == MUSTER_ERR_INVALID);
        RANK_OK(world, muster_queue_push(queue, "01234567", 8, 0));
    } else {
        RANK_CHECK(world, muster_queue_drop(queue, &got) == MUSTER_ERR_INVALID);
        RANK_CHECK(world, muster_queue_lag(queue, &got, NULL) == MUSTER_ERR_INVALID);
        RANK_CHECK(world, muster_queue_pop(queue, &got, 4, 0, &bytes) == MUSTER_ERR_INVALID);
        RANK_CHECK(world,
                   strstr(muster_error_detail(), "8 bytes and the buffer 4") && got == 5 && bytes == 9);
        RANK_OK(world, muster_queue_peek(queue, NO_TIME, &entry, &bytes));
        RANK_CHECK(world, bytes == 8 && memcmp(entry, "01234567", 8) == 0 && (uintptr_t)entry % 16 == 0);
        RANK_OK(world, muster_queue_peek(queue, NO_TIME, &entry, &bytes)); /* the same again */
        RANK_CHECK(world, memcmp(entry, "01234567", 8) == 0);
        RANK_OK(world, muster_queue_release(queue));
        RANK_CHECK(world, muster_queue_release(queue) == MUSTER_ERR_INVALID);
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_bad_arguments_are_refused_in_words)
{
    run_ranks(2, RANKS_AS_PROCESSES, bad_arguments, NULL);
    run_ranks(2, RANKS_AS_THREADS, bad_arguments, NULL);
}
END_TEST

static int different_queues(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_queue *queue;

    (void)arg;
    RANK_CHECK(world, muster_queue_create(world, 0, 16, rank == 1 ? 64 : 32, &queue) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(),
                             "rank 0 called queue_create (writer 0, 16 entries of 32 bytes) and "
                             "rank 1 queue_create (writer 0, 16 entries of 64 bytes)"));
    return 0;
}

START_TEST(test_ranks_want_different_queues)
{
    run_ranks(3, RANKS_AS_PROCESSES, different_queues, NULL);
    run_ranks(3, RANKS_AS_THREADS, different_queues, NULL);
}
END_TEST

static int too_large(muster_group *world, void *arg)
{
    const size_t sizes[][2] = {
        { 1ULL << 40, 1ULL << 30 }, { SIZE_MAX, 1 }, { 1, SIZE_MAX }, { 1 << 20, 1 << 30 }
    };
    muster_queue *queue = NULL;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        RANK_CHECK(world,
                   muster_queue_create(world, 1, sizes[i][0], sizes[i][1], &queue) == MUSTER_ERR_NO_SPACE);
        RANK_CHECK(world, i == 3 || strstr(muster_error_detail(), "could not get its block"));
        RANK_CHECK(world,
                   !queue && strstr(muster_error_detail(), muster_group_rank(world) == 1
                                                               ? "queue_create: this rank could not get its"
                                                               : "queue_create: rank 1 could not get its"));
    }
    RANK_OK(world, muster_queue_create(world, 1, 1, 1, &queue));
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_a_queue_that_is_too_large)
{
    run_ranks(2, RANKS_AS_PROCESSES, too_large, NULL);
}
END_TEST

/* The writer waits for a message of the reader, which waits for an entry: both are told, and nothing is
 * broken but the group of the message. */
static int wait_in_a_cycle(muster_group *world, void *arg)
{
    muster_queue *queue;
    muster_group *group;
    size_t bytes;
    char got;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_OK(world, muster_queue_create(world, 0, 1, 1, &queue));
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_DEADLOCK);
        RANK_CHECK(world, strstr(muster_error_detail(), "1 in pop waits for 0"));
    } else {
        RANK_CHECK(world, muster_queue_pop(queue, &got, 1, 0, &bytes) == MUSTER_ERR_DEADLOCK);
        RANK_CHECK(world, strstr(muster_error_detail(), "1 in pop waits for 0"));
    }
    RANK_OK(world, muster_barrier(world));
    if (muster_group_rank(world) == 0)
        RANK_OK(world, muster_queue_push(queue, "z", 1, 0));
    else
        RANK_OK(world, muster_queue_pop(queue, &got, 1, 0, &bytes));
    RANK_OK(world, muster_queue_free(queue));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_a_cycle_through_a_queue)
{
    run_ranks(2, RANKS_AS_PROCESSES, wait_in_a_cycle, NULL);
}
END_TEST

/* The writer waits for both readers. One of them reads, and waits for the writer: that is no cycle, since the
 * writer waits for the other one now, which comes late. */
static int no_cycle(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_queue *queue;
    size_t bytes;
    char got;

    (void)arg;
    RANK_OK(world, muster_queue_create(world, 0, 1, 1, &queue));
    for (int i = 0; rank == 0 && i < 3; i++)
        RANK_OK(world, muster_queue_push(queue, "abc" + i, 1, 0));
    if (rank == 1)
        AWAIT(has_waited_long(world, 0));
    if (rank == 2)
        await_checks(world, 0, 2);
    for (int i = 0; rank > 0 && i < 3; i++) {
        RANK_OK(world, muster_queue_pop(queue, &got, 1, 0, &bytes));
        RANK_CHECK(world, got == "abc"[i]);
    }
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_a_reader_that_has_read_is_no_cycle)
{
    run_ranks(3, RANKS_AS_PROCESSES, no_cycle, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queues");
    TCase *tests = tcase_create("queues");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_all_readers_read_all_entries);
    tcase_add_test(tests, test_a_push_publishes_what_came_before);
    tcase_add_test(tests, test_the_laggard_is_named);
    tcase_add_test(tests, test_some_leave);
    tcase_add_test(tests, test_bad_arguments_are_refused_in_words);
    tcase_add_test(tests, test_ranks_want_different_queues);
    if (on_one_host()) { /* which has an arena of a size, and looks for cycles */
        tcase_add_test(tests, test_damaged_numbers);
        tcase_add_test(tests, test_a_queue_that_is_too_large);
        if (!under_thread_sanitizer()) { /* whose processes have a thread more */
            tcase_add_test(tests, test_a_cycle_through_a_queue);
            tcase_add_test(tests, test_a_reader_that_has_read_is_no_cycle);
        }
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
