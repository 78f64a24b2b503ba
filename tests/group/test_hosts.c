/* Groups over several hosts, which are pretended (MUSTER_FAKE_HOSTS): who is where, processes, deaths. What a
 * program sees of any backend, the other tests show with TEST_BACKEND=hosts. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/group.h"
#include "src/hosts/pretended.h"
#include "tests/harness/ranks.h"

/* ---- who is where ---- */

START_TEST(test_values_of_the_variable)
{
    static const char *const wrong[] = { "", "0", "x", "2x", "0,", ",1", "1,x", "-1", "1 2" };
    int host;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(!mst_pretended_host(wrong[i], 0, 4, &host), "\"%s\"", wrong[i]);
    for (int rank = 0; rank < 7; rank++) {
        ck_assert(mst_pretended_host("3", rank, 7, &host));
        ck_assert_int_eq(host, rank * 3 / 7);
        ck_assert(mst_pretended_host("100", rank, 7, &host));
        ck_assert_int_eq(host, rank);
        ck_assert(mst_pretended_host("5,0,5", rank, 7, &host));
        ck_assert_int_eq(host, rank % 3 == 1 ? 0 : 5);
    }
}
END_TEST

START_TEST(test_places)
{
    static const int machine[6] = { 9, 4, 9, 9, 7, 4 };
    mst_places places;

    ck_assert(mst_places_make(&places, machine, 6, 3));
    ck_assert_int_eq(places.hosts, 3);
    ck_assert_int_eq(places.own_host, 0);
    ck_assert_int_eq(places.own, 2);
    ck_assert_int_eq(mst_places_here(&places), 3);
    ck_assert_int_eq(mst_places_on(&places, 1), 2);
    ck_assert_int_eq(mst_places_on(&places, 2), 1);
    ck_assert_int_eq(mst_places_neighbour(&places, 1), 2);
    ck_assert_int_eq(mst_places_member(&places, 1, 1), 5);
    ck_assert_int_eq(mst_places_member(&places, 2, 0), 4);
    mst_places_free(&places);
}
END_TEST

/* ---- worlds of processes ---- */

static const char *hosts; /* of the run */

/* The same ranks, over several hosts. */
static muster_status attach_over_hosts(const muster_group *ranks, const char *name, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    setenv("MUSTER_FAKE_HOSTS", hosts, 1);
    config.arena = name;
    config.rank = muster_group_rank(ranks);
    config.size = muster_group_size(ranks);
    config.attach_timeout_ns = -1;
    return muster_attach(&config, world);
}

/* Each sends less to other hosts than all of it to all of them. */
static int sum_and_count(muster_group *ranks, void *arg)
{
    enum { COUNT = 100000 };
    int rank = muster_group_rank(ranks), size = muster_group_size(ranks);
    int64_t *x = malloc(COUNT * sizeof *x);
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, &world));
    RANK_CHECK(ranks, world->backend == &mst_backend_hosts);
    const mst_hosts_group *group = mst_hosts_of_const(world);
    RANK_CHECK(ranks, group->places.hosts == 2 && group->link);
    for (int i = 0; i < COUNT; i++)
        x[i] = (int64_t)rank * i;
    uint64_t before = group->link->bytes_sent;
    RANK_OK(world, muster_all_sum(x, x, COUNT, MUSTER_INT64, world));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(world, x[i] == (int64_t)size * (size - 1) / 2 * i);
    uint64_t sent = group->link->bytes_sent - before, all = COUNT * sizeof *x;
    RANK_CHECK(world, sent > 0 && sent < all + all / 2);
    free(x);
    RANK_OK(world, muster_group_free(world));
    return 0;
}

static void with_hosts(const char *value, int size, muster_rank_fn body)
{
    char name[64];

    name_of_test(name, sizeof name, "hosts");
    hosts = value;
    run_ranks(size, RANKS_AS_PROCESSES, body, name);
}

START_TEST(test_processes)
{
    with_hosts("2", 4, sum_and_count);
    with_hosts("0,1", 4, sum_and_count);
    with_hosts("0,1,1", 5, sum_and_count);
}
END_TEST

static int say_what_is_wrong(muster_group *ranks, void *arg)
{
    muster_group *world;

    RANK_CHECK(ranks, attach_over_hosts(ranks, arg, &world) == MUSTER_ERR_INVALID);
    RANK_CHECK(ranks, strstr(muster_error_detail(), "MUSTER_FAKE_HOSTS is \"several\"; expected"));
    return 0;
}

START_TEST(test_a_wrong_value_is_an_error)
{
    with_hosts("several", 2, say_what_is_wrong);
}
END_TEST

/* ---- worlds of muster_launch ---- */

static int use_launched_world(muster_group *world, void *arg)
{
    int32_t x = 1 + muster_group_rank(world), size = muster_group_size(world);

    (void)arg;
    RANK_CHECK(world, world->backend == &mst_backend_hosts);
    RANK_CHECK(world, mst_hosts_of_const(world)->places.hosts == 2);
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, world));
    RANK_CHECK(world, x == size * (size + 1) / 2);
    return 0;
}

START_TEST(test_launched_functions_and_threads)
{
    setenv("MUSTER_FAKE_HOSTS", "0,1", 1);
    if (!under_thread_sanitizer())
        run_ranks(3, RANKS_AS_PROCESSES, use_launched_world, NULL);
    run_ranks(3, RANKS_AS_THREADS, use_launched_world, NULL);
    unsetenv("MUSTER_FAKE_HOSTS");
}
END_TEST

static int never_run(muster_group *world, void *arg)
{
    (void)world, (void)arg;
    return 3;
}

START_TEST(test_launched_with_a_wrong_value)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 2;
    setenv("MUSTER_FAKE_HOSTS", "several", 1);
    for (int threads = 0; threads < 2; threads++) {
        config.threads = threads;
        ck_assert_int_eq(muster_launch(&config, never_run, NULL, NULL), MUSTER_ERR_PEER_DIED);
        ck_assert_msg(strstr(muster_error_detail(), "MUSTER_FAKE_HOSTS is \"several\""), "%s",
                      muster_error_detail());
    }
    unsetenv("MUSTER_FAKE_HOSTS");
}
END_TEST

/* ---- what is not there yet ---- */

static int call_without_a_plan(muster_group *ranks, void *arg)
{
    int32_t x = 1;
    mst_request request = { .collective = MST_COLLECTIVE_COUNT, .in = &x, .out = &x, .count = 1 };
    uint64_t number;
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, &world));
    request.element_bytes = sizeof x;
    RANK_CHECK(world, world->backend->collective(world, &request) == MUSTER_ERR_UNSUPPORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), "? is not there over several hosts yet"));
    RANK_CHECK(world, world->backend->start(world, &request, &number) == MUSTER_ERR_UNSUPPORTED);
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, world)); /* the group is whole */
    RANK_CHECK(world, x == muster_group_size(world));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_collective_without_a_plan_is_refused_in_words)
{
    with_hosts("0,1", 3, call_without_a_plan);
}
END_TEST

static int ask_for_what_is_not_there(muster_group *ranks, void *arg)
{
    muster_group *world, *made;
    muster_share *share;
    muster_queue *queue;

    muster_config config = MUSTER_CONFIG_INIT;
    config.size = muster_group_size(ranks);
    config.rank = muster_group_rank(ranks);
    config.arena = arg;
    setenv("MUSTER_FAKE_HOSTS", hosts, 1);
    config.restarts = 1;
    RANK_CHECK(ranks, muster_attach(&config, &world) == MUSTER_ERR_UNSUPPORTED);
    RANK_CHECK(ranks, strstr(muster_error_detail(), "do not take in restarted ranks"));
    RANK_OK(ranks, attach_over_hosts(ranks, arg, &world));
    RANK_CHECK(world, muster_group_shrink(world, &made) == MUSTER_ERR_UNSUPPORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), "does not shrink"));
    RANK_CHECK(world, muster_group_grow(world, &made) == MUSTER_ERR_UNSUPPORTED);
    RANK_CHECK(world, muster_share_create(world, 8, &share) == MUSTER_ERR_UNSUPPORTED);
    RANK_CHECK(world, muster_queue_create(world, 0, 8, 8, &queue) == MUSTER_ERR_UNSUPPORTED);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_what_is_not_there)
{
    with_hosts("2", 2, ask_for_what_is_not_there);
}
END_TEST

/* ---- no room ---- */

/* The ranks of one host have as many groups as there can be. All are told, and go on; later there is room. */
static int have_no_room_on_one_host(muster_group *ranks, void *arg)
{
    enum { LIMIT = 4200 };
    muster_group **copies = calloc(LIMIT, sizeof *copies), *world, *here, *child;
    int rank = muster_group_rank(ranks), made = 0;
    muster_status status = MUSTER_OK;

    RANK_CHECK(ranks, copies);
    RANK_OK(ranks, attach_over_hosts(ranks, arg, &world));
    RANK_OK(world, muster_group_split(world, rank == 2, -1, &here));
    while (rank != 2 && made < LIMIT && (status = muster_group_dup(here, &copies[made])) == MUSTER_OK)
        made++;
    RANK_CHECK(world, status == (rank == 2 ? MUSTER_OK : MUSTER_ERR_NO_SPACE));
    for (int i = 0; i < 2; i++) {
        RANK_CHECK(world, muster_group_split(world, 0, -1, &child) == MUSTER_ERR_NO_SPACE);
        RANK_CHECK(world,
                   strstr(muster_error_detail(), rank == 2 ? "rank 0 could not get memory" : "4096 groups"));
        RANK_OK(world, muster_barrier(world));
    }
    while (made > 0)
        RANK_OK(world, muster_group_free(copies[--made]));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_split(world, 0, -1, &child));
    RANK_OK(world, muster_barrier(child));
    RANK_OK(world, muster_group_free(child));
    RANK_OK(world, muster_group_free(here));
    RANK_OK(world, muster_group_free(world));
    free(copies);
    return 0;
}

START_TEST(test_no_room_on_one_host)
{
    with_hosts("0,0,1", 3, have_no_room_on_one_host);
}
END_TEST

/* ---- deaths ---- */

typedef struct story {
    char name[64];
    int *told; /* ranks that have been told */
} story;

static int one_dies(muster_group *ranks, void *arg)
{
    const story *story = arg;
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_group *world;
    muster_status status = MUSTER_OK;
    int x = 1, rank = muster_group_rank(ranks);

    RANK_OK(ranks, attach_over_hosts(ranks, story->name, &world));
    for (int i = 0; status == MUSTER_OK; i++) {
        if (rank == 3 && i == 2)
            raise(SIGKILL);
        status = muster_all_sum(&x, &x, 1, MUSTER_INT32, world);
    }
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 3 was killed by signal 9"));
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, info.rank == 3 && info.termination.kind == MUSTER_TERMINATION_SIGNALED);
    RANK_CHECK(world, muster_group_status(world) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_free(world));
    story->told[rank] = 1;
    return 0;
}

static void expect_death(const char *value)
{
    rank_options options = { .size = 5, .mode = RANKS_AS_PROCESSES };
    muster_report report = MUSTER_REPORT_INIT;
    story story = { .told = shared_page(4096) };

    name_of_test(story.name, sizeof story.name, "hosts");
    hosts = value;
    run_failing_ranks(options, one_dies, &story, &report);
    for (int rank = 0; rank < 5; rank++)
        ck_assert_int_eq(story.told[rank], rank != 3);
    shared_page_free(story.told, 4096);
}

START_TEST(test_a_death_is_told_on_all_hosts)
{
    expect_death("2");
    expect_death("0,1");
    expect_death("5");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts");
    TCase *tests = tcase_create("hosts");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_values_of_the_variable);
    tcase_add_test(tests, test_places);
    tcase_add_test(tests, test_launched_functions_and_threads);
    if (!under_thread_sanitizer()) { /* it sees nothing of processes */
        tcase_add_test(tests, test_launched_with_a_wrong_value);
        tcase_add_test(tests, test_processes);
        tcase_add_test(tests, test_a_wrong_value_is_an_error);
        tcase_add_test(tests, test_a_collective_without_a_plan_is_refused_in_words);
        tcase_add_test(tests, test_what_is_not_there);
        tcase_add_test(tests, test_no_room_on_one_host);
        tcase_add_test(tests, test_a_death_is_told_on_all_hosts);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
