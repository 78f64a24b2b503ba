/* muster_records_*: what the ranks of a job remember, also when they are dead, overtaken, or at it. */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { MOST = 4096 };

/* What a test has read. */
typedef struct pile {
    muster_record records[MOST];
    int count;
} pile;

static void add(const muster_record *record, void *arg)
{
    pile *pile = arg;

    if (pile->count < MOST)
        pile->records[pile->count++] = *record;
}

static bool keep_arena(int fd, void *arg)
{
    *(int *)arg = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return true;
}

/* Runs ranks, and reads what they remember when all are gone. */
static uint64_t run_and_read(int size, muster_rank_fn fn, muster_status expected, pile *pile)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_records *records;
    uint64_t lost = 77;
    int fd = -1;

    config.size = size;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    config.arena = keep_arena;
    config.arena_arg = &fd;
    ck_assert_int_eq(muster_launch(&config, fn, NULL, NULL), expected);
    pile->count = 0;
    ck_assert_int_eq(muster_records_open(fd, &records), MUSTER_OK);
    ck_assert_int_eq(muster_records_read(records, add, pile, &lost), MUSTER_OK);
    muster_records_close(records);
    close(fd);
    return lost;
}

static const muster_record *find(const pile *pile, int rank, const char *call, uint64_t operation)
{
    for (int i = 0; i < pile->count; i++)
        if (pile->records[i].rank == rank && strcmp(pile->records[i].call, call) == 0 &&
            pile->records[i].operation == operation)
            return &pile->records[i];
    ck_abort_msg("rank %d remembers no %s #%d", rank, call, (int)operation);
    return NULL;
}

/* ---- each kind of operation ---- */

static int do_one_of_each(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_request request = MUSTER_REQUEST_INIT;
    double x[7] = { 1 }, all[21];
    int16_t message[5] = { 0 };
    muster_group *child;

    (void)arg;
    RANK_OK(world, muster_all_sum(x, x, 7, MUSTER_FLOAT64, world));
    RANK_OK(world, muster_all_gather(x, all, 7, MUSTER_FLOAT64, world));
    RANK_OK(world, muster_broadcast(x, x, 7, MUSTER_FLOAT64, 2, world));
    RANK_OK(world, muster_all_reduce_start(x, x, 1, MUSTER_FLOAT64, MUSTER_PROD, world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    if (rank == 0)
        RANK_OK(world, muster_send(message, 5, MUSTER_INT16, 1, 0, world));
    if (rank == 1)
        RANK_OK(world, muster_recv(message, 5, MUSTER_INT16, 0, 0, world, NULL));
    if (rank == 2)
        RANK_OK(world, muster_sendrecv(message, 2, 2, 0, message + 2, 2, 2, 0, MUSTER_INT16, world, NULL));
    RANK_OK(world, muster_group_split(world, rank == 1, -1, &child));
    if (rank != 1)
        RANK_OK(child, muster_barrier(child));
    muster_group_free(child);
    return 0;
}

static void check_times(const muster_record *record)
{
    ck_assert_int_gt(record->entered_ns, 0);
    ck_assert_int_ge(record->arrived_ns, record->entered_ns);
    ck_assert_int_ge(record->done_ns, record->arrived_ns);
}

static void check_one_of_each(bool exact)
{
    static pile pile;

    ck_assert_uint_eq(run_and_read(3, do_one_of_each, MUSTER_OK, &pile), 0);
    for (int rank = 0; rank < 3; rank++) {
        const muster_record *sum = find(&pile, rank, "all_sum", 1), *gathered;

        ck_assert(sum->world && sum->group_rank == rank && sum->group_size == 3 &&
                  sum->call_class == MUSTER_CALL_COLLECTIVE);
        ck_assert(sum->dtype == MUSTER_FLOAT64 && sum->count == 7 && sum->bytes == 56 && sum->peer == -1);
        gathered = find(&pile, rank, "all_gather", 2);
        ck_assert(gathered->count == 7 && gathered->bytes == 3 * 56 && gathered->group == sum->group);
        ck_assert_int_eq(find(&pile, rank, "broadcast", 3)->peer, 2);
        ck_assert(find(&pile, rank, "all_reduce(prod)", 4)->started && !sum->started);
        ck_assert_int_eq(find(&pile, rank, "split", 1)->call_class, MUSTER_CALL_SPLIT);
    }
    ck_assert(find(&pile, 0, "send", 1)->peer == 1 && find(&pile, 0, "send", 1)->bytes == 10);
    ck_assert(find(&pile, 1, "recv", 1)->peer == 0 &&
              find(&pile, 1, "recv", 1)->call_class == MUSTER_CALL_RECEIVE);
    ck_assert_int_eq(find(&pile, 2, "sendrecv", 1)->peer, 2);
    ck_assert(!find(&pile, 2, "barrier", 1)->world && find(&pile, 2, "barrier", 1)->group_rank == 1);
    ck_assert_int_eq(pile.count, 3 * 5 + 2 + 2 + 2);
    for (int i = 0; i < pile.count; i++) {
        ck_assert(pile.records[i].exact == exact);
        check_times(&pile.records[i]);
    }
}

START_TEST(test_one_of_each)
{
    check_one_of_each(false);
    setenv("MUSTER_EXACT_TIMES", "1", 1);
    check_one_of_each(true);
    setenv("MUSTER_EXACT_TIMES", "yes", 1);
    ck_assert_int_eq(
        muster_launch(&(muster_launch_config)MUSTER_LAUNCH_CONFIG_INIT, do_one_of_each, NULL, NULL),
        MUSTER_ERR_PEER_DIED); /* each rank says why */
}
END_TEST

/* ---- more than can be remembered ---- */

enum { OPERATIONS = 5000, REMEMBERED = 1024 };

static int do_many(muster_group *world, void *arg)
{
    (void)arg;
    for (int i = 0; i < OPERATIONS; i++)
        RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_the_latest_are_remembered)
{
    static pile pile;
    uint64_t lost = run_and_read(2, do_many, MUSTER_OK, &pile);

    /* A block of eight places that was taken and not filled has driven out as many. */
    ck_assert_int_gt(pile.count, 2 * (REMEMBERED - 8));
    ck_assert_uint_ge(lost + (uint64_t)pile.count, 2 * OPERATIONS);
    ck_assert_uint_le(lost + (uint64_t)pile.count, 2 * (OPERATIONS + 8));
    find(&pile, 0, "barrier", OPERATIONS);
    find(&pile, 1, "barrier", OPERATIONS - 1000);
}
END_TEST

/* ---- the dead ---- */

/* Until rank 0 is in that operation of the world. */
static void await_rank_0(uint64_t operation)
{
    for (bool there = false; !there; sched_yield()) {
        muster_inspection seen = MUSTER_INSPECTION_INIT;

        if (muster_inspect(arena_of_job(), &seen) != MUSTER_OK)
            return;
        for (int i = 0; i < seen.call_count; i++)
            there = there || (seen.calls[i]->rank == 0 && seen.calls[i]->in_call &&
                              seen.calls[i]->operation == operation);
        muster_inspection_free(&seen);
    }
}

static int die_in_between(muster_group *world, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        RANK_OK(world, muster_barrier(world));
    if (muster_group_rank(world) == 1) {
        await_rank_0(21);
        raise(SIGKILL);
    }
    return muster_barrier(world) == MUSTER_ERR_PEER_DIED ? 0 : 1;
}

START_TEST(test_the_dead_are_remembered)
{
    static pile pile;

    run_and_read(2, die_in_between, MUSTER_ERR_PEER_DIED, &pile);
    find(&pile, 1, "barrier", 20);
    const muster_record *failed = find(&pile, 0, "barrier", 21);
    ck_assert_int_eq(failed->arrived_ns, 0);
    ck_assert_int_ge(failed->done_ns, failed->entered_ns);
    ck_assert_int_eq(pile.count, 41);
}
END_TEST

/* ---- while it changes ---- */

typedef struct scene {
    _Atomic bool over;
} scene;

typedef struct following {
    bool given[3][1 << 20]; /* by rank and operation */
    int count, wrong;
} following;

/* Operation n is of n % 100 elements, so that a record that is half another's shows. */
static void follow(const muster_record *record, void *arg)
{
    following *seen = arg;
    bool *given = &seen->given[record->rank][record->operation % (1 << 20)];

    if (record->group_size != 2)
        return;
    seen->count++;
    seen->wrong += record->count != record->operation % 100 || record->bytes != 4 * record->count ||
                   strcmp(record->call, "all_max") != 0 || (*given && record->operation < 1 << 20);
    *given = true;
}

static int look_while_it_changes(muster_group *world, void *arg)
{
    bool reads = muster_group_rank(world) == 2;
    static following seen;
    muster_records *records;
    scene *scene = arg;
    float x[100] = { 0 };
    muster_group *group;
    uint64_t lost = 0;

    RANK_OK(world, muster_group_split(world, reads, -1, &group));
    if (reads) {
        RANK_OK(world, muster_records_open(arena_of_job(), &records));
        while (seen.count < 20000) {
            RANK_OK(world, muster_records_read(records, follow, &seen, &lost));
            sched_yield();
        }
        muster_records_close(records);
        scene->over = true;
        RANK_CHECK(world, seen.wrong == 0);
    }
    for (uint64_t operation = 1; !reads; operation++) {
        x[0] = scene->over;
        RANK_OK(group, muster_all_max(x, x, operation % 100, MUSTER_FLOAT32, group));
        if (operation % 100 > 0 && x[0] > 0)
            break;
    }
    muster_group_free(group);
    return 0;
}

START_TEST(test_never_half_a_record)
{
    scene *scene = shared_page(sizeof *scene);

    run_ranks(3, RANKS_AS_PROCESSES, look_while_it_changes, scene);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- threads of a rank ---- */

static void *do_some(void *group)
{
    for (int i = 0; i < 500; i++)
        if (muster_barrier(group) != MUSTER_OK)
            return group;
    return NULL;
}

static int use_groups_from_threads(muster_group *world, void *arg)
{
    muster_group *groups[3];
    pthread_t threads[3];
    void *failed;

    (void)arg;
    for (int i = 0; i < 3; i++)
        RANK_OK(world, muster_group_split(world, 0, -1, &groups[i]));
    for (int i = 0; i < 3; i++)
        RANK_CHECK(world, pthread_create(&threads[i], NULL, do_some, groups[i]) == 0);
    for (int i = 0; i < 3; i++) {
        RANK_CHECK(world, pthread_join(threads[i], &failed) == 0 && !failed);
        muster_group_free(groups[i]);
    }
    return 0;
}

START_TEST(test_threads_share_a_ring)
{
    static pile pile;
    int by_rank[2] = { 0 };

    run_and_read(2, use_groups_from_threads, MUSTER_OK, &pile);
    for (int i = 0; i < pile.count; i++) {
        by_rank[pile.records[i].rank]++;
        check_times(&pile.records[i]);
    }
    ck_assert_int_gt(by_rank[0], REMEMBERED / 2); /* who is overtaken gives places up */
    ck_assert_int_gt(by_rank[1], REMEMBERED / 2);
}
END_TEST

/* ---- a group that is seldom used ---- */

static void count_seldom(const muster_record *record, void *arg)
{
    int *by_rank = arg;

    by_rank[record->rank] += strcmp(record->call, "all_min") == 0;
}

/* Rank 0 reads after each round, in which nearly all is done in another group. */
static int use_one_group_seldom(muster_group *world, void *arg)
{
    muster_group *often, *seldom;
    muster_records *records;
    int by_rank[2] = { 0 };
    uint64_t lost = 1;
    float x = 1;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &often));
    RANK_OK(world, muster_group_split(world, 0, -1, &seldom));
    RANK_OK(world, muster_records_open(arena_of_job(), &records));
    for (int round = 0; round < 30; round++) {
        RANK_OK(seldom, muster_all_min(&x, &x, 1, MUSTER_FLOAT32, seldom));
        for (int i = 0; i < 100 + 10 * round; i++)
            RANK_OK(often, muster_barrier(often));
        if (muster_group_rank(world) == 0)
            RANK_OK(world, muster_records_read(records, count_seldom, by_rank, &lost));
        RANK_OK(often, muster_barrier(often));
    }
    muster_records_close(records);
    if (muster_group_rank(world) == 0)
        RANK_CHECK(world, by_rank[0] == 30 && by_rank[1] == 30 && lost == 0);
    muster_group_free(seldom);
    muster_group_free(often);
    return 0;
}

START_TEST(test_what_is_seldom_is_not_missed)
{
    run_ranks(2, RANKS_AS_PROCESSES, use_one_group_seldom, NULL);
}
END_TEST

/* ---- phases ---- */

static void *name_phases(void *arg)
{
    for (int i = 0; i < 20; i++)
        if (muster_phase("aside", arg) != MUSTER_OK)
            return arg;
    return NULL;
}

static int work_in_phases(muster_group *world, void *arg)
{
    float x = 1;
    pthread_t thread;
    void *failed = world;

    (void)arg;
    RANK_OK(world, muster_phase("forward", world));
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_OK(world, muster_phase("0123456789012345678901234567890", NULL)); /* as long as can be */
    RANK_OK(world, muster_all_max(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_OK(world, muster_phase("a\n\033[2J", world));
    RANK_OK(world, muster_phase(NULL, world));
    RANK_CHECK(world, muster_phase("01234567890123456789012345678901", world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "a phase's name of 32 bytes") != NULL);
    RANK_CHECK(world, pthread_create(&thread, NULL, name_phases, world) == 0);
    for (int i = 0; i < 20; i++)
        RANK_OK(world, muster_all_min(&x, &x, 1, MUSTER_FLOAT32, world));
    RANK_CHECK(world, pthread_join(thread, &failed) == 0 && failed == NULL);
    return 0;
}

START_TEST(test_phases_are_remembered)
{
    static pile pile;
    static const char *const names[] = { "forward", "0123456789012345678901234567890", "a??[2J", "" };

    ck_assert_uint_eq(run_and_read(2, work_in_phases, MUSTER_OK, &pile), 0);
    for (int rank = 0; rank < 2; rank++) {
        const muster_record *marks[100];
        int count = 0, mins = 0;

        for (int i = 0; i < pile.count; i++) {
            const muster_record *record = &pile.records[i];

            if (record->rank != rank)
                continue;
            mins += strcmp(record->call, "all_min") == 0;
            if (strcmp(record->call, "phase") == 0 && count < 100)
                marks[count++] = record;
            else
                ck_assert_str_eq(record->phase, "");
        }
        ck_assert_int_eq(mins, 20);
        ck_assert_int_eq(count, 24);
        for (int i = 0; i < count; i++) {
            ck_assert_str_eq(marks[i]->phase, i < 4 ? names[i] : "aside");
            ck_assert(marks[i]->exact && marks[i]->entered_ns > 0 &&
                      marks[i]->done_ns == marks[i]->entered_ns);
            ck_assert(i == 0 || marks[i]->entered_ns >= marks[i - 1]->entered_ns);
        }
    }
}
END_TEST

START_TEST(test_a_phase_needs_a_rank)
{
    ck_assert_int_eq(muster_phase("forward", NULL), MUSTER_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "muster_init, which has not been called"));
}
END_TEST

START_TEST(test_what_is_refused)
{
    muster_records *records = NULL;
    int nothing = open("/dev/null", O_RDONLY);

    ck_assert_int_eq(muster_records_open(nothing, &records), MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(muster_records_open(nothing, NULL), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_records_read(NULL, add, NULL, NULL), MUSTER_ERR_INVALID);
    ck_assert_ptr_null(records);
    muster_records_close(NULL);
    close(nothing);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("records");
    TCase *tests = tcase_create("records");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_one_of_each);
    tcase_add_test(tests, test_the_latest_are_remembered);
    tcase_add_test(tests, test_the_dead_are_remembered);
    tcase_add_test(tests, test_never_half_a_record);
    tcase_add_test(tests, test_threads_share_a_ring);
    tcase_add_test(tests, test_what_is_seldom_is_not_missed);
    tcase_add_test(tests, test_phases_are_remembered);
    tcase_add_test(tests, test_a_phase_needs_a_rank);
    tcase_add_test(tests, test_what_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
