/*
 * Members that wait for one that will never come, since it has gone to shrink the group, or since its own
 * cell alone says that the group is broken: they get an error, and all meet in the shrink. In every kind of
 * call.
 */
#define _DEFAULT_SOURCE /* usleep */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

typedef struct absence {
    int absent;    /* the rank that does not come */
    int call;      /* what the others are in */
    bool poisoned; /* only the absent one's cell says that the group is broken; else: it has gone to shrink */
    _Atomic int told;
} absence;

enum { TINY_CALL, LARGE_CALL, RECEIVE_CALL, SEND_CALL, SPLIT_CALL, STARTED_CALL, CALLS };

static muster_status wait_in_vain(muster_group *group, const absence *absence)
{
    enum { MANY = 300000 };
    static _Thread_local int32_t x[MANY], y[MANY];
    muster_status status;
    muster_request request;
    muster_group *child;

    switch (absence->call) {
    case TINY_CALL:
        return muster_barrier(group);
    case LARGE_CALL:
        return muster_all_sum(x, y, MANY, MUSTER_INT32, group);
    case RECEIVE_CALL:
        return muster_recv(x, 1, MUSTER_INT32, absence->absent, 0, group, NULL);
    case SEND_CALL:
        return muster_send(x, MANY, MUSTER_INT32, absence->absent, 0, group);
    case SPLIT_CALL:
        return muster_group_split(group, 0, -1, &child);
    default:
        status = muster_all_reduce_start(x, y, MANY, MUSTER_INT32, MUSTER_SUM, group, &request);
        return status == MUSTER_OK ? muster_wait(&request, 0) : status;
    }
}

/* As if one that was to tell all had told this one alone. */
static void poison_own_cell(muster_group *group)
{
    const mst_subarena *subarena = mst_group_of_const(group)->subarena;
    uint64_t none = subarena->no_poison[group->rank];

    mst_cmpxchg64_sc(&subarena->cells[group->rank]->poison, none, none | MST_POISON_LAUNCHER);
}

static int be_absent(muster_group *world, muster_group *group, absence *absence)
{
    if (!absence->poisoned)
        return 0;
    poison_own_cell(group);
    RANK_CHECK(group, muster_barrier(group) == MUSTER_ERR_PEER_DIED);
    AWAIT(absence->told >= muster_group_size(world) - 1);
    return 0;
}

static int one_does_not_come(muster_group *world, void *arg)
{
    absence *absence = arg;
    muster_group *group, *rest;
    bool absent = muster_group_rank(world) == absence->absent;

    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (absent && be_absent(world, group, absence))
        return 1;
    if (!absent) {
        RANK_CHECK(group, wait_in_vain(group, absence) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(group, strstr(muster_error_detail(), absence->poisoned
                                                            ? "the launcher of these ranks is gone"
                                                            : "has called shrink or grow of the group"));
        absence->told++;
    }
    RANK_OK(group, muster_group_shrink(group, &rest)); /* and there all meet */
    muster_group_free(group);
    int32_t one = 1, sum = 0;
    RANK_OK(rest, muster_all_sum(&one, &sum, 1, MUSTER_INT32, rest));
    RANK_CHECK(rest, sum == muster_group_size(world));
    RANK_OK(rest, muster_group_free(rest));
    return 0;
}

START_TEST(test_nobody_waits_for_one_that_does_not_come)
{
    absence *absence = shared_page(sizeof *absence);

    for (int i = 0; i < 2 * CALLS; i++)
        for (int size = 2; size <= 4; size += 2) {
            *absence = (struct absence){ .absent = i % size, .call = i / 2, .poisoned = i % 2 };
            run_ranks(size, RANKS_AS_PROCESSES, one_does_not_come, absence);
            absence->told = 0;
            run_ranks(size, RANKS_AS_THREADS, one_does_not_come, absence);
        }
    shared_page_free(absence, sizeof *absence);
}
END_TEST

/* ---- who has come back ---- */

typedef struct return_early {
    bool interrupted; /* else its deadline ends the shrink */
    bool threads;
    _Atomic int back;
} return_early;

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

static muster_status give_up_shrinking(muster_group *group, bool interrupted)
{
    muster_group *none;

    muster_group_set_interrupt(group, interrupted ? at_once : NULL, NULL);
    muster_group_set_timeout(group, interrupted ? 0 : 30 * 1000 * 1000);
    muster_status status = muster_group_shrink(group, &none);
    muster_group_set_interrupt(group, NULL, NULL);
    muster_group_set_timeout(group, 0);
    return status;
}

static void let_others_look(const muster_group *world, const return_early *early)
{
    if (early->threads || under_thread_sanitizer())
        pass_time_ms(60); /* who is not alone in its process tells nobody */
    else
        await_checks(world, 1, 2);
}

/* The others had not come, and the group is well: whoever waits for it now waits for one that comes. */
static int one_gives_up_shrinking(muster_group *world, void *arg)
{
    return_early *early = arg;
    muster_group *group, *rest;

    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (muster_group_rank(world) == 0) {
        muster_status status = give_up_shrinking(group, early->interrupted);
        RANK_CHECK(group, status == (early->interrupted ? MUSTER_ERR_ABORTED : MUSTER_ERR_TIMED_OUT));
        early->back = 1;
    }
    AWAIT(early->back);
    if (muster_group_rank(world) == 0)
        let_others_look(world, early);
    RANK_OK(group, muster_barrier(group));
    muster_status status = muster_group_shrink(group, &rest);
    RANK_CHECK(group, status == MUSTER_OK);
    muster_group_free(rest);
    RANK_OK(group, muster_group_free(group));
    return 0;
}

START_TEST(test_one_that_gave_up_shrinking_is_waited_for)
{
    return_early *early = shared_page(sizeof *early);

    for (int interrupted = 0; interrupted < 2; interrupted++) {
        *early = (return_early){ .interrupted = interrupted };
        run_ranks(3, RANKS_AS_PROCESSES, one_gives_up_shrinking, early);
        *early = (return_early){ .interrupted = interrupted, .threads = true };
        run_ranks(3, RANKS_AS_THREADS, one_gives_up_shrinking, early);
    }
    shared_page_free(early, sizeof *early);
}
END_TEST

/* ---- whose word is damaged ---- */

enum { NO_KIND, UNKNOWN_KIND, OTHER_GENERATION, DAMAGES };

typedef struct damage {
    int which;
    _Atomic int told;
} damage;

static void damage_own_word(muster_group *group, int which)
{
    const mst_subarena *subarena = mst_group_of_const(group)->subarena;
    uint64_t none = subarena->no_poison[group->rank];
    const uint64_t words[DAMAGES] = { none | 1 << 4, none | 0xf, none ^ 1ULL << 40 };

    mst_store64_rel(&subarena->cells[group->rank]->poison, words[which]);
}

/* It sees that by itself, and enters no call any more; the others have to see it, too. */
static int one_has_a_damaged_word(muster_group *world, void *arg)
{
    bool absent = muster_group_rank(world) == 1;
    damage *damage = arg;
    muster_group *group;

    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (absent)
        damage_own_word(group, damage->which);
    RANK_CHECK(group, muster_barrier(group) == MUSTER_ERR_BAD_ARENA);
    damage->told++;
    AWAIT(damage->told >= muster_group_size(world)); /* nobody is told by one that leaves */
    RANK_OK(group, muster_group_free(group));
    return 0;
}

START_TEST(test_nobody_waits_for_one_whose_word_is_damaged)
{
    damage *damage = shared_page(sizeof *damage);

    for (int which = 0; which < DAMAGES; which++) {
        *damage = (struct damage){ .which = which };
        run_ranks(3, RANKS_AS_PROCESSES, one_has_a_damaged_word, damage);
        damage->told = 0;
        run_ranks(3, RANKS_AS_THREADS, one_has_a_damaged_word, damage);
    }
    shared_page_free(damage, sizeof *damage);
}
END_TEST

/* ---- in another group ---- */

/* Rank 0 dies, rank 2 learns of it in the world and shrinks that, while rank 1 waits for rank 2 in a group
 * that is well. */
static int wait_in_another_group(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *pair, *rest;
    char x = 0;

    (void)arg;
    RANK_OK(world, muster_group_split(world, rank > 0, -1, &pair));
    RANK_OK(world, muster_barrier(world));
    if (rank == 0)
        raise(SIGKILL);
    if (rank == 1) {
        RANK_CHECK(pair, muster_recv(&x, 1, MUSTER_UINT8, 1, 0, pair, NULL) == MUSTER_ERR_DEADLOCK);
        RANK_CHECK(pair, strstr(muster_error_detail(), "in shrink #1 of a group of 3 waits for 1"));
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    } else {
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    }
    RANK_OK(world, muster_group_shrink(world, &rest));
    RANK_CHECK(rest, muster_group_size(rest) == 2);
    RANK_OK(rest, muster_barrier(rest));
    RANK_OK(rest, muster_group_free(rest));
    RANK_OK(pair, muster_group_free(pair));
    return 0;
}

START_TEST(test_a_cycle_through_a_shrink_ends)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3 }, wait_in_another_group, NULL, &report);
    for (int rank = 1; rank < 3; rank++)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d", rank);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("absent");
    TCase *tests = tcase_create("absent");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_nobody_waits_for_one_that_does_not_come);
    tcase_add_test(tests, test_one_that_gave_up_shrinking_is_waited_for);
    tcase_add_test(tests, test_nobody_waits_for_one_whose_word_is_damaged);
    if (!under_thread_sanitizer()) /* it sees nothing between processes, and has threads of its own */
        tcase_add_test(tests, test_a_cycle_through_a_shrink_ends);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
