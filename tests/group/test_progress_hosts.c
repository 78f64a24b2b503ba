/*
 * The progress thread over several hosts, by frames between threads: it sleeps while nothing is under way,
 * looks again and again while something is, and is called by who leaves something.
 */
#include <stdlib.h>
#include <time.h>

#include "shm/base/atomic.h"
#include "src/hosts/group.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* It looks at itself every other second; a thread that polls looks each millisecond. */
#define TURNS_IN(seconds) (3 + (uint64_t)(seconds))

static uint64_t turns_of(const muster_group *group)
{
    return mst_load64_rlx(&mst_group_of_const(group)->subarena->attachment->waits.progress.turns);
}

/* The word on which it sleeps once it has nothing to do. */
static uint32_t await_its_sleep(const mst_hosts_world *hosts)
{
    const mst_background *background = &mst_group_of(hosts->whole)->subarena->attachment->waits.background;

    AWAIT(mst_load32_acq(&hosts->idle) && mst_load32_acq(&background->idle.sleepers));
    return mst_load32_acq(&background->idle.word);
}

/* Whether a call has called it since then. */
static bool was_called(const mst_hosts_world *hosts, uint32_t asleep)
{
    const mst_background *background = &mst_group_of(hosts->whole)->subarena->attachment->waits.background;

    return mst_load32_acq(&background->idle.word) != asleep;
}

/* Over several hosts nobody rings it for what another host does: it looks again and again, while there is
 * something. */
static int looks_while_it_must(muster_group *world, void *arg)
{
    const mst_hosts_world *hosts = mst_hosts_of(world)->world;
    muster_request request = MUSTER_REQUEST_INIT;
    int other = 1 - muster_group_rank(world);
    int32_t x = 1, got;

    (void)arg;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 100; i++)
            RANK_OK(world, muster_sendrecv(&x, 1, other, 0, &got, 1, other, 0, MUSTER_INT32, world, NULL));
        await_its_sleep(hosts);
        double from_s = now_s();
        uint64_t before = turns_of(hosts->whole);
        pass_time_ms(400);
        RANK_CHECK(world, turns_of(hosts->whole) - before <= TURNS_IN(now_s() - from_s));
        uint32_t asleep = await_its_sleep(hosts);
        RANK_OK(world, muster_recv_start(&got, 1, MUSTER_INT32, other, 1, world, NULL, &request));
        RANK_CHECK(world, was_called(hosts, asleep));
        AWAIT(turns_of(hosts->whole) - before > 100);
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, other, 1, world));
        RANK_OK(world, muster_wait(&request, 0));
    }
    return 0;
}

/* What a call has given to be sent, and has not seen sent; here that is each third frame. */
static int goes_on_with_the_rest(muster_group *world, void *arg)
{
    enum { FEW = 7 };
    const mst_hosts_world *hosts = mst_hosts_of(world)->world;
    int other = 1 - muster_group_rank(world), calls = 0;
    int32_t x = 1;

    (void)arg;
    for (int i = 0; i < FEW; i++) {
        uint32_t asleep = await_its_sleep(hosts);

        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, other, 1, world));
        calls += was_called(hosts, asleep);
    }
    RANK_CHECK(world, calls > 0);
    for (int i = 0; i < FEW; i++)
        RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, other, 1, world, NULL));
    return 0;
}

START_TEST(test_it_looks_while_it_must)
{
    run_ranks(2, RANKS_AS_THREADS, looks_while_it_must, NULL);
}
END_TEST

START_TEST(test_it_goes_on_with_the_rest)
{
    run_ranks(2, RANKS_AS_THREADS, goes_on_with_the_rest, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress_hosts");
    TCase *tests = tcase_create("progress_hosts");

    setenv("TEST_BACKEND", "wire", 1);
    setenv("MUSTER_FAKE_HOSTS", "0,1", 1);
    setenv("MUSTER_PROGRESS_THREAD", "1", 1);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_it_looks_while_it_must);
    tcase_add_test(tests, test_it_goes_on_with_the_rest);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
