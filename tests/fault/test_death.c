/*
 * Ranks that die or leave: every survivor's call returns PEER_DIED with the rank and how it ended, in
 * every group that contains it and in no other; never a hang, never OK for an operation that the dead
 * rank did not enter.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "shm/death/terminations.h"
#include "src/launch/cause.h"
#include "src/onehost/group/group.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

/* What each survivor tells the test. */
typedef struct account {
    muster_status status;
    char detail[200];
    uint32_t entered; /* operations entered by this rank */
    uint32_t done;    /* operations that returned OK */
} account;

typedef struct scene {
    account *accounts; /* by rank, shared */
    int victim;
    int way; /* a signal, or 0: exit with status 7 */
    int operation;
    uint64_t seed;
} scene;

static void tell(scene *scene, int rank, muster_status status)
{
    scene->accounts[rank].status = status;
    snprintf(scene->accounts[rank].detail, sizeof scene->accounts[rank].detail, "%s", muster_error_detail());
}

static void end_oneself(const scene *scene)
{
    if (scene->way > 0)
        raise(scene->way);
    _exit(7);
}

/* ---- by operation ---- */

enum { OPERATIONS = 6 };

static muster_status one_operation(int operation, muster_group *group, int victim)
{
    static _Thread_local float x[20000];
    static _Thread_local float y[8 * 20000];
    int rank = muster_group_rank(group), n = muster_group_size(group);
    muster_group *child;

    switch (operation) {
    case 0:
        return muster_barrier(group);
    case 1:
        return muster_all_sum(x, x, 1, MUSTER_FLOAT32, group);
    case 2:
        return muster_all_sum(x, x, 20000, MUSTER_FLOAT32, group);
    case 3:
        return muster_all_gather(x, y, 20000, MUSTER_FLOAT32, group);
    case 4:
        return muster_group_split(group, 0, -1, &child);
    default: /* a message that the victim never sends */
        return muster_recv(x, 1, MUSTER_FLOAT32, rank == victim ? (victim + 1) % n : victim, 0, group, NULL);
    }
}

static int die_before_operation(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);

    RANK_OK(world, muster_barrier(world));
    if (rank == scene->victim)
        end_oneself(scene);
    tell(scene, rank, one_operation(scene->operation, world, scene->victim));
    /* sticky, with the same story */
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, muster_group_status(world) == MUSTER_ERR_PEER_DIED);
    return 0;
}

static void check_story(const scene *scene, int size, const char *how)
{
    char name[32];

    snprintf(name, sizeof name, "rank %d ", scene->victim);
    for (int rank = 0; rank < size; rank++) {
        const account *account = &scene->accounts[rank];

        if (rank == scene->victim)
            continue;
        ck_assert_msg(account->status == MUSTER_ERR_PEER_DIED, "operation %d, rank %d: %s (%s)",
                      scene->operation, rank, muster_status_string(account->status), account->detail);
        bool says_how = strstr(account->detail, how) || /* the kernel may still be at that */
                        (scene->way == SIGABRT && strstr(account->detail, "writing its core file"));
        ck_assert_msg(strstr(account->detail, name) && says_how, "rank %d says: %s", rank, account->detail);
    }
}

START_TEST(test_death_before_every_operation)
{
    static const struct {
        int way;
        const char *how;
    } ways[] = { { SIGKILL, "signal 9" }, { SIGABRT, "signal 6" }, { 0, "status 7" } };
    muster_report report = MUSTER_REPORT_INIT;
    const size_t bytes = 8 * sizeof(account);

    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++)
        for (int size = 2; size <= 5; size++) {
            scene scene = { shared_page(bytes), (int)((size_t)size + w) % size, ways[w].way, _i, 0 };

            run_failing_ranks((rank_options){ .size = size }, die_before_operation, &scene, &report);
            check_story(&scene, size, ways[w].how);
            ck_assert_int_eq(report.first_failed, scene.victim);
            shared_page_free(scene.accounts, bytes);
        }
}
END_TEST

/* ---- groups that contain the dead rank, and groups that do not ---- */

static int groups_of_the_dead(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *with, *without, *nested;
    int32_t x = 1;

    (void)arg;
    /* 0 1 2 3 4: rank 2 dies. `with`: 0 2 4; `without`: 1 3. */
    RANK_OK(world, muster_group_split(world, rank % 2, -1, rank % 2 ? &without : &with));
    if (rank % 2 == 0)
        RANK_OK(world, muster_group_split(with, 0, -1, &nested));
    if (rank == 2)
        raise(SIGKILL);
    if (rank % 2) {
        for (int i = 0; i < 2000; i++) /* undisturbed, before, while and after */
            RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, without));
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_barrier(without));
        return 0;
    }
    RANK_CHECK(world, muster_barrier(nested) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, muster_barrier(with) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 was killed by signal 9"));
    return 0;
}

START_TEST(test_poison_reaches_every_group_of_the_dead_and_no_other)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[5];

    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 5 }, groups_of_the_dead, NULL, &report);
    for (int rank = 0; rank < 5; rank++)
        ck_assert_msg(rank == 2 ? terminations[rank].kind == MUSTER_TERMINATION_SIGNALED
                                : terminations[rank].kind == MUSTER_TERMINATION_EXITED &&
                                      terminations[rank].code == 0,
                      "rank %d ended with %d", rank, terminations[rank].code);
}
END_TEST

/* ---- leaving ---- */

static int leave_early(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *group;
    int32_t x = 1;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, group));
    if (rank == 1) {
        RANK_OK(world, muster_group_free(group));
    } else {
        RANK_CHECK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, group) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 left the group"));
        RANK_OK(world, muster_group_free(group));
    }
    RANK_OK(world, muster_barrier(world)); /* the world is whole */
    return 0;
}

START_TEST(test_leaving_a_group_others_need)
{
    run_ranks(3, RANKS_AS_THREADS, leave_early, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, leave_early, NULL);
}
END_TEST

/* A rank that has sent all and ended in order is not missed by those who only receive. */
static int send_and_go(muster_group *world, void *arg)
{
    int32_t x = 42;

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_send(&x, 1, MUSTER_INT32, 1, 0, world));
        return 0;
    }
    AWAIT(state_of_seat(world, 0) == MST_RANK_LEFT);
    x = 0;
    RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, 0, 0, world, NULL));
    RANK_CHECK(world, x == 42);
    return 0;
}

START_TEST(test_what_was_sent_before_leaving_arrives)
{
    run_ranks(2, RANKS_AS_PROCESSES, send_and_go, NULL);
    run_ranks(2, RANKS_AS_THREADS, send_and_go, NULL);
}
END_TEST

/* ---- a stopped rank is not dead ---- */

static int stop_for_a_while(muster_group *world, void *arg)
{
    pid_t *pids = arg;
    int rank = muster_group_rank(world);
    int32_t x = 1;

    pids[rank] = getpid();
    RANK_OK(world, muster_barrier(world));
    if (rank == 0) {
        kill(pids[1], SIGSTOP);
        if (under_thread_sanitizer()) /* where nobody tells */
            pass_time_ms(400);
        else
            await_checks(world, 2, 1);
        kill(pids[1], SIGCONT);
    }
    RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, world));
    RANK_CHECK(world, x == muster_group_size(world));
    return 0;
}

START_TEST(test_a_stopped_rank_is_not_dead)
{
    pid_t *pids = shared_page(4096);

    run_ranks(3, RANKS_AS_PROCESSES, stop_for_a_while, pids);
    shared_page_free(pids, 4096);
}
END_TEST

/* ---- random kills ---- */

/*
 * The victim counts the operations it enters and the others those that returned OK; nobody may have
 * an OK for an operation that the victim never entered.
 */
static int work_until_broken(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    account *own = &scene->accounts[rank];
    uint64_t state = scene->seed;

    for (uint32_t i = 0; i < 100000; i++) {
        int operation = (int)(random_next(&state) % 4);
        volatile uint32_t *entered = &own->entered; /* the kill may come at any instruction */

        *entered = i + 1;
        muster_status status = one_operation(operation, world, scene->victim);
        if (status != MUSTER_OK) {
            tell(scene, rank, status);
            return 0;
        }
        own->done = i + 1;
        if (rank == scene->victim && i == (uint32_t)scene->operation)
            raise(SIGKILL);
        if (rank == 0 && i == 3) /* at no particular moment of the victim's */
            kill(*(pid_t *)(scene->accounts + 8), SIGKILL);
    }
    return 1;
}

static int publish_pid_and_work(muster_group *world, void *arg)
{
    scene *scene = arg;

    if (muster_group_rank(world) == scene->victim)
        *(pid_t *)(scene->accounts + 8) = getpid();
    RANK_OK(world, muster_barrier(world));
    return work_until_broken(world, arg);
}

START_TEST(test_random_kills)
{
    const char *text = getenv("TEST_KILLS"); /* scripts/soak makes it many thousands */
    int kills = text ? atoi(text) : 60;
    const size_t bytes = 8 * sizeof(account) + sizeof(pid_t);
    static const int sizes[] = { 2, 3, 4, 8 };
    muster_report report = MUSTER_REPORT_INIT;

    for (int i = 0; i < kills; i++) {
        int size = sizes[i % 4];
        scene scene = { shared_page(bytes), 1 + i % (size - 1), SIGKILL, i % 5 ? 1000000 : i,
                        (uint64_t)i + 99 };

        run_failing_ranks((rank_options){ .size = size, .staging_bytes = i % 2 ? 8192 : 0 },
                          publish_pid_and_work, &scene, &report);
        check_story(&scene, size, "signal 9");
        for (int rank = 0; rank < size; rank++)
            ck_assert_msg(scene.accounts[rank].done <= scene.accounts[scene.victim].entered,
                          "kill %d: rank %d finished operation %u, the dead rank entered %u", i, rank,
                          scene.accounts[rank].done, scene.accounts[scene.victim].entered);
        shared_page_free(scene.accounts, bytes);
    }
}
END_TEST

/* It takes long to die, and the others, who learn of it at once, are gone first. `arg`: by an exit. */
static int die_slowly(muster_group *world, void *arg)
{
    size_t bytes = under_address_sanitizer() || under_thread_sanitizer() ? 1 << 26 : 1 << 29;

    if (muster_group_rank(world) == 2) {
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory != MAP_FAILED)
            memset(memory, 1, bytes);
        RANK_OK(world, muster_barrier(world));
        if (!arg)
            raise(SIGKILL);
        _exit(3);
    }
    RANK_OK(world, muster_barrier(world));
    return muster_barrier(world) == MUSTER_ERR_PEER_DIED ? 7 : 8;
}

START_TEST(test_the_first_to_fail_is_the_cause)
{
    for (int i = 0; i < 8; i++) {
        bool exits = i % 2;
        rank_options options = { .size = 4 };
        muster_report report = MUSTER_REPORT_INIT;

        run_failing_ranks(options, die_slowly, exits ? &options : NULL, &report);
        ck_assert_msg(report.first_failed == 2, "rank %d: %s", report.first_failed, report.summary);
        ck_assert_int_eq(report.exit_status, exits ? 3 : 128 + SIGKILL);
        ck_assert_ptr_nonnull(
            strstr(report.summary, exits ? "rank 2 exited with status 3" : "rank 2 was killed by signal 9"));
    }
}
END_TEST

/* ---- who was first ---- */

/* Whose ends the launcher sees in one turn, and of which the ranks have noted nothing. */
START_TEST(test_of_two_ends_at_once_the_kill_is_the_cause)
{
    mst_rank_process killed = { .termination = { MUSTER_TERMINATION_SIGNALED, SIGKILL } };
    mst_rank_process exited = { .termination = { MUSTER_TERMINATION_EXITED, 3 } };

    ck_assert(mst_cause_is_likelier(&exited, NULL));
    ck_assert(mst_cause_is_likelier(&killed, &exited));
    ck_assert(!mst_cause_is_likelier(&exited, &killed));
    ck_assert(!mst_cause_is_likelier(&killed, &killed)); /* the first that is seen */
}
END_TEST

enum { FIRST = 3, SECOND = 1 }; /* to end, and because of that */

static void await_termination(const muster_group *world, uint32_t rank)
{
    AWAIT(mst_termination_of(&mst_group_of_const(world)->subarena->attachment->geometry, rank).kind !=
          MUSTER_TERMINATION_NONE);
}

/* The others were busy elsewhere until both had ended: the lower rank is only the consequence. */
static int end_one_after_the_other(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *pair;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank % 2, -1, &pair));
    RANK_OK(world, muster_barrier(world));
    if (rank == FIRST)
        raise(SIGKILL);
    if (rank == SECOND) {
        RANK_CHECK(pair, muster_barrier(pair) == MUSTER_ERR_PEER_DIED);
        _exit(9);
    }
    await_termination(world, FIRST);
    await_termination(world, SECOND);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 3 was killed by signal 9"));
    return 0;
}

START_TEST(test_the_first_to_end_is_named)
{
    static const char *const detections[] = { "tick", "pidfd",
                                              "launcher" }; /* no thread tells all groups at once */
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[4];

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 4 }, end_one_after_the_other, NULL, &report);
    for (int rank = 0; rank < 4; rank += 2)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d ended %d, %d", rank, terminations[rank].kind, terminations[rank].code);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("death");
    TCase *tests = tcase_create("death and leaving");

    tcase_set_timeout(tests, getenv("TEST_KILLS") ? 100000 : TEST_TIMEOUT_S * 4);
    if (!under_thread_sanitizer()) /* processes die here, and show it nothing */
        tcase_add_loop_test(tests, test_death_before_every_operation, 0, OPERATIONS);
    if (!under_thread_sanitizer())
        tcase_add_test(tests, test_poison_reaches_every_group_of_the_dead_and_no_other);
    tcase_add_test(tests, test_leaving_a_group_others_need);
    tcase_add_test(tests, test_what_was_sent_before_leaving_arrives);
    tcase_add_test(tests, test_a_stopped_rank_is_not_dead);
    tcase_add_test(tests, test_the_first_to_fail_is_the_cause);
    tcase_add_test(tests, test_of_two_ends_at_once_the_kill_is_the_cause);
    if (!under_thread_sanitizer())
        tcase_add_loop_test(tests, test_the_first_to_end_is_named, 0, 3);
    if (!under_thread_sanitizer())
        tcase_add_test(tests, test_random_kills);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
