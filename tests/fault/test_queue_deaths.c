/*
 * Deaths of ranks that have a queue: the writer is told which reader, and may go on without it; readers read
 * all that was pushed, then are told that the writer has died; nobody else's death matters to them.
 */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { SIZE = 4, ENTRIES = 4, PUSHES = 2000 };

/* How a run goes, and what its ranks tell each other beside muster. */
typedef struct scene {
    int victim;
    int at;     /* the entry before which it dies */
    bool slow;  /* the others are asleep then */
    bool stops; /* it is stopped before it is killed */
    _Atomic int pid;
    _Atomic int read; /* readers that have read all of the first entries */
} scene;

static void die(scene *scene)
{
    if (scene->stops) {
        scene->pid = getpid();
        raise(SIGSTOP);
    }
    if (scene->slow)
        pass_time_ms(8);
    raise(SIGKILL);
}

static void run_scene(scene scene, muster_rank_fn body)
{
    struct scene *shared = shared_page(sizeof *shared);
    muster_termination terminations[SIZE];
    muster_report report = { .struct_size = sizeof report, .terminations = terminations };

    *shared = scene;
    run_failing_ranks((rank_options){ .size = SIZE }, body, shared, &report);
    for (int rank = 0; rank < SIZE; rank++) {
        bool died = rank == scene.victim;

        ck_assert_int_eq(terminations[rank].kind,
                         died ? MUSTER_TERMINATION_SIGNALED : MUSTER_TERMINATION_EXITED);
        ck_assert_int_eq(terminations[rank].code, died ? SIGKILL : 0);
    }
    shared_page_free(shared, sizeof *shared);
}

/* ---- a reader dies ---- */

static int push_past_death(muster_group *world, muster_queue *queue, scene *scene)
{
    int dropped = 0;

    for (int i = 0; i < PUSHES; i++) {
        muster_status status = muster_queue_push(queue, &i, sizeof i, 0);

        if (status == MUSTER_OK)
            continue;
        RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED && dropped++ == 0);
        char expected[80];
        snprintf(expected, sizeof expected,
                 "rank %d was killed by signal 9 (Killed); rank 0 needs it in push", scene->victim);
        RANK_CHECK(world, strstr(muster_error_detail(), expected));
        int left;
        RANK_OK(world, muster_queue_drop(queue, &left));
        RANK_CHECK(world, left == SIZE - 2);
        i--; /* nothing was pushed */
    }
    RANK_CHECK(world, dropped == 1);
    return 0;
}

static int reader_dies(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got;
    scene *scene = arg;
    muster_queue *queue;
    size_t bytes;

    RANK_OK(world, muster_queue_create(world, 0, ENTRIES, sizeof got, &queue));
    if (rank == 0) {
        RANK_CHECK(world, push_past_death(world, queue, scene) == 0);
        RANK_OK(world, muster_queue_free(queue));
        return 0;
    }
    for (int i = 0; i < PUSHES; i++) {
        if (rank == scene->victim && i == scene->at)
            die(scene);
        RANK_OK(world,
                muster_queue_pop(queue, &got, sizeof got, 0, &bytes)); /* another's death is no error */
        RANK_CHECK(world, got == i);
    }
    RANK_CHECK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_a_reader_dies)
{
    for (int victim = 1; victim < SIZE; victim++)
        for (int i = 0; i < 6; i++)
            run_scene((scene){ .victim = victim, .at = i * i * 17, .slow = i % 2 }, reader_dies);
}
END_TEST

/* A death is told by the next push, though the queue has room. */
static int reader_dies_early(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got = 0;
    const scene *scene = arg;
    muster_queue *queue;
    size_t bytes;

    RANK_OK(world, muster_queue_create(world, 0, ENTRIES, sizeof got, &queue));
    if (rank == scene->victim)
        raise(SIGKILL);
    if (rank == 0) {
        RANK_CHECK(world,
                   muster_recv(&got, 1, MUSTER_INT32, scene->victim, 0, world, NULL) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, muster_queue_push(queue, &got, sizeof got, -1) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, muster_queue_push(queue, &got, sizeof got, 0) == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_queue_drop(queue, NULL));
        RANK_OK(world, muster_queue_push(queue, &got, sizeof got, 0));
    } else {
        RANK_OK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes));
    }
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_a_death_is_told_at_once)
{
    for (int victim = 1; victim < SIZE; victim++)
        run_scene((scene){ .victim = victim }, reader_dies_early);
}
END_TEST

/* ---- the writer dies ---- */

static int writer_dies(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got = -1, read = 0;
    scene *scene = arg;
    muster_queue *queue;
    muster_status status;
    size_t bytes;

    RANK_OK(world, muster_queue_create(world, scene->victim, ENTRIES, sizeof got, &queue));
    for (int i = 0; rank == scene->victim; i++) {
        if (i == scene->at)
            die(scene);
        RANK_OK(world, muster_queue_push(queue, &i, sizeof i, 0));
    }
    for (; (status = muster_queue_pop(queue, &got, sizeof got, 0, &bytes)) == MUSTER_OK; read++)
        RANK_CHECK(world, got == read);
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED && read == scene->at); /* exactly what was pushed */
    RANK_CHECK(world, strstr(muster_error_detail(), "was killed by signal 9 (Killed); rank"));
    RANK_CHECK(world, muster_queue_pop(queue, &got, sizeof got, -1, &bytes) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_the_writer_dies)
{
    for (int i = 0; i < 8; i++)
        run_scene((scene){ .victim = i % SIZE, .at = i * i * 5, .slow = i % 2 }, writer_dies);
}
END_TEST

/* ---- a rank is stopped, and is not dead ---- */

/* The reader that is stopped lags, and its deadline names it; killed, it has died. */
static int reader_stops(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got;
    scene *scene = arg;
    muster_queue *queue;
    size_t bytes;

    RANK_OK(world, muster_queue_create(world, 0, ENTRIES, sizeof got, &queue));
    if (rank == scene->victim)
        die(scene);
    for (int i = 0; rank > 0 && i < ENTRIES; i++)
        RANK_OK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes));
    scene->read += rank > 0;
    if (rank == 0) {
        AWAIT(scene->pid);
        for (int i = 0; i < ENTRIES; i++)
            RANK_OK(world, muster_queue_push(queue, &i, sizeof i, 0));
        AWAIT(scene->read == SIZE - 2); /* the others do not lag */
        RANK_CHECK(world, muster_queue_push(queue, &got, sizeof got, 30 * 1000000) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 lags 4 entries behind"));
        kill(scene->pid, SIGKILL);
        RANK_CHECK(world, muster_queue_push(queue, &got, sizeof got, 0) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 was killed"));
        RANK_OK(world, muster_queue_drop(queue, NULL));
        RANK_OK(world, muster_queue_push(queue, &got, sizeof got, 0));
    } else {
        RANK_OK(world, muster_queue_pop(queue, &got, sizeof got, 0, &bytes));
    }
    RANK_OK(world, muster_queue_free(queue));
    return 0;
}

START_TEST(test_a_reader_is_stopped)
{
    run_scene((scene){ .victim = 2, .stops = true }, reader_stops);
}
END_TEST

/* ---- a storm ---- */

/* Queues that come and go, until any rank dies at a random moment; each reads exactly what was pushed. */
static int queues_until_death(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), got = 0, done = 0;
    scene *scene = arg;
    muster_status status = MUSTER_OK;
    size_t bytes;

    for (int round = 0; status == MUSTER_OK; round++) {
        int writer = round % SIZE;
        muster_queue *queue;

        status = muster_queue_create(world, writer, 2, 20000, &queue);
        for (int i = 0; i < 20 && status == MUSTER_OK; i++, done++) {
            static char entry[20000];

            if (rank == scene->victim && done == scene->at)
                die(scene);
            memcpy(entry, &i, sizeof i);
            status = rank == writer ? muster_queue_push(queue, entry, sizeof entry, 0)
                                    : muster_queue_pop(queue, entry, sizeof entry, 0, &bytes);
            memcpy(&got, entry, sizeof got);
            RANK_CHECK(world, status != MUSTER_OK || got == i);
        }
        if (status == MUSTER_OK) /* else it goes with the program */
            RANK_OK(world, muster_queue_free(queue));
    }
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    return 0;
}

START_TEST(test_a_storm)
{
    for (int i = 0; i < 24; i++)
        run_scene((scene){ .victim = i % SIZE, .at = 1 + i * 9, .slow = i % 3 == 0 }, queues_until_death);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue deaths");
    TCase *tests = tcase_create("queue deaths");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_reader_dies);
    tcase_add_test(tests, test_a_death_is_told_at_once);
    tcase_add_test(tests, test_the_writer_dies);
    tcase_add_test(tests, test_a_reader_is_stopped);
    tcase_add_test(tests, test_a_storm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
