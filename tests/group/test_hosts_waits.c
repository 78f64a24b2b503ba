/* What waits do over several hosts, which are pretended: what they take for a wait cycle, what they advance,
 * whom they call, and how long they last. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "tests/harness/ranks.h"

typedef struct story {
    char name[64];
    const char *hosts;
    int one_thread;     /* the config says so */
    _Atomic int *facts; /* that ranks tell each other, zeros at first */
} story;

static muster_status attach_over_hosts(const muster_group *ranks, const story *story, muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    setenv("MUSTER_FAKE_HOSTS", story->hosts, 1);
    config.arena = story->name;
    config.rank = muster_group_rank(ranks);
    config.size = muster_group_size(ranks);
    config.attach_timeout_ns = -1;
    config.one_thread = story->one_thread;
    return muster_attach(&config, world);
}

static void play_by(int one_thread, const char *hosts, int size, muster_rank_fn body)
{
    story story = { .hosts = hosts, .one_thread = one_thread, .facts = shared_page(4096) };

    name_of_test(story.name, sizeof story.name, "waits");
    run_ranks(size, RANKS_AS_PROCESSES, body, &story);
    shared_page_free((void *)(uintptr_t)story.facts, 4096);
}

/* In processes, of one thread each. */
static void play(const char *hosts, int size, muster_rank_fn body)
{
    play_by(1, hosts, size, body);
}

/* ---- wait cycles ---- */

/* Rank 1 computes, and so owes rank 0 a step of the sum; rank 0 waits for a message of rank 2, and rank 2 for
 * the sum, which needs a transfer of rank 0. They end when rank 1 comes. */
static int owe_a_step(muster_group *ranks, void *arg)
{
    enum { COUNT = 1000 };
    const story *story = arg;
    int rank = muster_group_rank(ranks);
    float x[COUNT] = { 0 };
    muster_group *world;
    muster_request request = MUSTER_REQUEST_INIT;

    RANK_OK(ranks, attach_over_hosts(ranks, story, &world));
    if (rank != 1)
        AWAIT(story->facts[0]);
    x[COUNT - 1] = 1;
    RANK_OK(world, muster_all_reduce_start(x, x, COUNT, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
    if (rank == 1) {
        story->facts[0] = 1;
        pass_time_ms(1000);
    }
    if (rank == 0)
        RANK_OK(world, muster_recv(NULL, 0, MUSTER_UINT8, 2, 7, world, NULL));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, x[0] == 0 && x[COUNT - 1] == 4);
    if (rank == 2)
        RANK_OK(world, muster_send(NULL, 0, MUSTER_UINT8, 0, 7, world));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_step_that_is_owed_is_no_cycle)
{
    play("2", 4, owe_a_step);
}
END_TEST

/* ---- functions of the program ---- */

typedef struct asking {
    const story *story;
    muster_request request; /* of another group than the one that is waited in */
    muster_group *spare;    /* is freed by the first call */
    bool done;
} asking;

/* Calls what needs the locks of groups. */
static bool call_muster(void *arg)
{
    asking *asking = arg;

    if (asking->spare)
        muster_group_free(asking->spare);
    asking->spare = NULL;
    muster_test(&asking->request, &asking->done);
    asking->story->facts[0]++;
    return false;
}

/* At first only the wait itself tests the other group's operation. */
static bool call_muster_later(void *arg)
{
    const asking *asking = arg;

    if (asking->story->facts[0] >= 5)
        return call_muster(arg);
    asking->story->facts[0]++;
    return false;
}

/* A wait in one group advances what was started in another one, where rank 1 comes late. */
static int call_muster_in_waits(muster_group *ranks, void *arg)
{
    asking asking = { .story = arg, .request = MUSTER_REQUEST_INIT };
    int rank = muster_group_rank(ranks);
    muster_group *world, *other;

    RANK_OK(ranks, attach_over_hosts(ranks, asking.story, &world));
    RANK_OK(world, muster_group_dup(world, &other));
    RANK_OK(world, muster_group_dup(world, &asking.spare));
    if (rank == 0) {
        RANK_OK(world, muster_group_set_interrupt(world, call_muster_later, &asking));
        RANK_OK(world, muster_group_set_interrupt(other, call_muster, &asking));
    } else {
        AWAIT(asking.story->facts[0] >= 20);
    }
    RANK_OK(world, muster_barrier_start(other, &asking.request));
    if (rank == 0)
        RANK_OK(world, muster_recv(NULL, 0, MUSTER_UINT8, 1, 7, world, NULL));
    else
        RANK_OK(world, muster_send(NULL, 0, MUSTER_UINT8, 0, 7, world));
    if (asking.request.group) /* the function has not completed it */
        RANK_OK(world, muster_wait(&asking.request, 0));
    if (rank == 1) {
        RANK_OK(world, muster_group_free(asking.spare));
        AWAIT(asking.story->facts[1]);
    }
    RANK_OK(world, muster_barrier_start(other, &asking.request));
    int before = asking.story->facts[0];
    while (rank == 0 && asking.story->facts[0] == before) /* one that only tests is asked, too */
        RANK_OK(world, muster_test(&asking.request, &asking.done));
    asking.story->facts[1] = 1;
    RANK_OK(world, muster_wait(&asking.request, 0));
    RANK_OK(world, muster_group_free(other));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_functions_of_the_program_may_call_muster)
{
    play("2", 2, call_muster_in_waits);
}
END_TEST

typedef struct splitting {
    muster_group *world, *child;
    muster_status status;
    _Atomic int *begun;
} splitting;

static bool split_once(void *arg)
{
    splitting *splitting = arg;

    if ((*splitting->begun)++ == 0)
        splitting->status = muster_group_split(splitting->world, 0, -1, &splitting->child);
    return false;
}

/* Rank 0 makes a group in its wait in a collective, while it has one thread. */
static int split_in_a_wait(muster_group *ranks, void *arg)
{
    const story *story = arg;
    splitting splitting = { .status = MUSTER_ERR_INVALID, .begun = &story->facts[0] };
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, story, &world));
    splitting.world = world;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_group_set_interrupt(world, split_once, &splitting));
    } else {
        AWAIT(story->facts[0]);
        RANK_OK(world, muster_group_split(world, 0, -1, &splitting.child));
        splitting.status = MUSTER_OK;
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, splitting.status);
    RANK_OK(world, muster_barrier(splitting.child));
    RANK_OK(world, muster_group_free(splitting.child));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_group_is_made_in_a_wait)
{
    play("2", 2, split_in_a_wait);
    play("0,0,1", 3, split_in_a_wait);
}
END_TEST

/* ---- settings that change meanwhile ---- */

typedef struct setter {
    muster_group *group;
    const story *story;
    muster_status status;
    pthread_t thread;
} setter;

static void *set_interrupt(void *arg)
{
    setter *setter = arg;

    AWAIT(is_asleep_in_message(setter->group, 0));
    setter->status =
        muster_group_set_interrupt(setter->group, count_looks, (void *)(uintptr_t)setter->story->facts);
    return NULL;
}

/* Another thread sets a function while rank 0 waits already, in a group of one host: it is called. */
static int set_a_function_meanwhile(muster_group *ranks, void *arg)
{
    setter setter = { .story = arg };
    muster_group *world, *here;

    RANK_OK(ranks, attach_over_hosts(ranks, setter.story, &world));
    RANK_OK(world, muster_group_split(world, muster_group_rank(world) / 2, -1, &here));
    setter.group = here;
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, pthread_create(&setter.thread, NULL, set_interrupt, &setter) == 0);
        RANK_OK(world, muster_recv(NULL, 0, MUSTER_UINT8, 1, 7, here, NULL));
        pthread_join(setter.thread, NULL);
        RANK_OK(world, setter.status);
    } else if (muster_group_rank(world) == 1) {
        AWAIT(setter.story->facts[0]);
        RANK_OK(world, muster_send(NULL, 0, MUSTER_UINT8, 0, 7, here));
    }
    RANK_OK(world, muster_group_free(here));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_function_that_is_set_meanwhile)
{
    play_by(0, "2", 3, set_a_function_meanwhile);
}
END_TEST

enum { TURNS = 30 };

typedef struct worker {
    muster_group *world;
    const char *failed; /* NULL: nothing has */
    pthread_t thread;
} worker;

static void *do_collectives(void *arg)
{
    worker *worker = arg;

    for (int i = 0; i < TURNS && !worker->failed; i++) {
        int32_t x = i;

        if (muster_all_max(&x, &x, 1, MUSTER_INT32, worker->world) != MUSTER_OK || x != i)
            worker->failed = muster_error_detail();
    }
    return NULL;
}

static void *make_groups(void *arg)
{
    worker *worker = arg;
    muster_group *child;

    for (int i = 0; i < TURNS && !worker->failed; i++)
        if (muster_group_split(worker->world, 0, -1, &child) != MUSTER_OK ||
            muster_group_free(child) != MUSTER_OK)
            worker->failed = muster_error_detail();
    return NULL;
}

/* Each thread in calls of its own class, while the limits change between calls. */
static int use_all_classes(muster_group *world, void *arg)
{
    worker workers[2] = { { .world = world }, { .world = world } };
    int rank = muster_group_rank(world), size = muster_group_size(world);
    int32_t in;

    (void)arg;
    RANK_CHECK(world, pthread_create(&workers[0].thread, NULL, do_collectives, &workers[0]) == 0);
    RANK_CHECK(world, pthread_create(&workers[1].thread, NULL, make_groups, &workers[1]) == 0);
    for (int i = 0; i < TURNS; i++) {
        RANK_OK(world, muster_sendrecv(&rank, 1, (rank + 1) % size, 0, &in, 1, (rank + size - 1) % size, 0,
                                       MUSTER_INT32, world, NULL));
        muster_status set = muster_group_set_timeout(world, (600 + i) * 1000000000LL);
        RANK_CHECK(world, set == MUSTER_OK || set == MUSTER_ERR_BUSY);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(workers[i].thread, NULL);
        RANK_CHECK(world, !workers[i].failed);
    }
    return 0;
}

START_TEST(test_settings_change_beside_calls)
{
    setenv("MUSTER_FAKE_HOSTS", "0,0,1", 1);
    run_ranks(3, RANKS_AS_THREADS, use_all_classes, NULL);
    unsetenv("MUSTER_FAKE_HOSTS");
}
END_TEST

/* ---- progress ---- */

/* Ranks 0 and 1 repeat short operations of a group, and so advance what rank 2 waits for in another one. */
static int repeat_short_operations(muster_group *ranks, void *arg)
{
    enum { COUNT = 100000 };
    const story *story = arg;
    int rank = muster_group_rank(ranks);
    float *x = calloc(COUNT, sizeof *x);
    muster_group *world, *pair;
    muster_request request = MUSTER_REQUEST_INIT;

    RANK_CHECK(ranks, x);
    RANK_OK(ranks, attach_over_hosts(ranks, story, &world));
    RANK_OK(world, muster_group_split(world, rank == 2, -1, &pair));
    RANK_OK(world, muster_all_reduce_start(x, x, COUNT, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
    if (rank == 2) {
        RANK_OK(world, muster_wait(&request, 0));
        story->facts[0] = 1;
    }
    for (int32_t over = 0; rank != 2 && !over;) {
        over = story->facts[0];
        RANK_OK(world, muster_all_max(&over, &over, 1, MUSTER_INT32, pair));
    }
    if (rank != 2)
        RANK_OK(world, muster_wait(&request, 0));
    RANK_OK(world, muster_group_free(pair));
    RANK_OK(world, muster_group_free(world));
    free(x);
    return 0;
}

START_TEST(test_short_operations_advance_others)
{
    play("3", 3, repeat_short_operations);
}
END_TEST

/* ---- limits ---- */

/* The limit of the wait is the one that counts, not the group's, also for a neighbour that comes late. */
static int wait_longer_than_the_group(muster_group *ranks, void *arg)
{
    int rank = muster_group_rank(ranks);
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, &world));
    RANK_OK(world, muster_group_set_timeout(world, 200000000));
    if (rank == 1)
        pass_time_ms(1000);
    RANK_OK(world, muster_barrier_start(world, &request));
    RANK_OK(world, muster_wait(&request, 200000000000));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_the_limit_of_a_wait_is_longer)
{
    play("0,0,1", 3, wait_longer_than_the_group);
}
END_TEST

/* A wait for any has a limit if one of the groups has, whichever it is of. */
static int wait_for_any(muster_group *ranks, void *arg)
{
    const story *story = arg;
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    muster_group *world, *other;
    size_t index;

    RANK_OK(ranks, attach_over_hosts(ranks, story, &world));
    RANK_OK(world, muster_group_dup(world, &other));
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_group_set_timeout(other, 200000000));
        RANK_OK(world, muster_barrier_start(world, &requests[0]));
        RANK_OK(world, muster_barrier_start(other, &requests[1]));
        RANK_CHECK(world, muster_wait_any(requests, 2, 0, &index) == MUSTER_ERR_TIMED_OUT);
        RANK_OK(world, muster_last_error(&info));
        RANK_CHECK(world, info.rank == 1 && strstr(muster_error_detail(), "waited 0.2 s"));
        RANK_OK(world, muster_group_status(world));
        story->facts[0] = 1;
    } else {
        AWAIT(story->facts[0]);
        RANK_OK(world, muster_barrier_start(world, &requests[0]));
    }
    RANK_OK(world, muster_wait(&requests[0], 0));
    RANK_CHECK(world, muster_barrier(other) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_group_free(other));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_the_limit_of_any_group)
{
    play("2", 2, wait_for_any);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_waits");
    TCase *tests = tcase_create("hosts_waits");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_settings_change_beside_calls);
    if (!under_thread_sanitizer()) { /* it sees nothing of processes */
        tcase_add_test(tests, test_a_group_is_made_in_a_wait);
        tcase_add_test(tests, test_a_function_that_is_set_meanwhile);
        tcase_add_test(tests, test_a_step_that_is_owed_is_no_cycle);
        tcase_add_test(tests, test_functions_of_the_program_may_call_muster);
        tcase_add_test(tests, test_short_operations_advance_others);
        tcase_add_test(tests, test_the_limit_of_a_wait_is_longer);
        tcase_add_test(tests, test_the_limit_of_any_group);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
