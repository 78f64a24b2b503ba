/*
 * Names of groups, and errors in parts: who is told of which rank, operation, group and limit, in the
 * sentence, in muster_last_error, and to those who look from outside.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

static muster_error_info latest(void)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    muster_last_error(&info);
    return info;
}

/* ---- names ---- */

static int names(muster_group *world, void *arg)
{
    const char *longest = "0123456789012345678901234567890"; /* 31 bytes */
    char text[40];
    muster_group *copy;

    (void)arg;
    RANK_CHECK(world, strcmp(muster_group_name(world), "") == 0 && strcmp(muster_group_name(NULL), "") == 0);
    RANK_OK(world, muster_group_set_name(world, "tp:0"));
    RANK_CHECK(world, strcmp(muster_group_name(world), "tp:0") == 0);
    RANK_OK(world, muster_group_dup(world, &copy));
    RANK_CHECK(world, strcmp(muster_group_name(copy), "") == 0); /* a name is of one group */
    RANK_OK(world, muster_group_set_name(copy, longest));
    RANK_CHECK(world, strcmp(muster_group_name(copy), longest) == 0);
    snprintf(text, sizeof text, "%s1", longest);
    RANK_CHECK(world, muster_group_set_name(copy, text) == MUSTER_ERR_INVALID &&
                          strstr(muster_error_detail(), "32 bytes"));
    RANK_CHECK(world, muster_group_set_name(copy, "two\nlines") == MUSTER_ERR_INVALID &&
                          strstr(muster_error_detail(), "control character"));
    RANK_CHECK(world, muster_group_set_name(copy, "eight bits: \302\233") == MUSTER_ERR_INVALID &&
                          strstr(muster_error_detail(), "control character, 0x9b"));
    RANK_CHECK(world, muster_group_set_name(NULL, "x") == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strcmp(muster_group_name(copy), longest) == 0);
    RANK_OK(world, muster_group_set_name(copy, "µ")); /* any other bytes */
    RANK_OK(world, muster_group_set_name(copy, NULL));
    RANK_CHECK(world, strcmp(muster_group_name(copy), "") == 0);
    RANK_OK(world, muster_group_free(copy));
    return 0;
}

START_TEST(test_names)
{
    run_ranks(2, RANKS_AS_THREADS, names, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, names, NULL);
}
END_TEST

/* What others see: the name, and a number that is the same on all members. */
static int seen_from_outside(muster_group *world, void *arg)
{
    muster_inspection seen = MUSTER_INSPECTION_INIT;
    int found = 0, rank = muster_group_rank(world);
    muster_group *copy;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &copy));
    RANK_OK(world, muster_group_set_name(copy, rank == 0 ? "first" : "other"));
    RANK_OK(world, muster_barrier(copy));
    RANK_OK(world, muster_inspect(arena_of_job(), &seen));
    for (int i = 0; i < seen.call_count; i++) {
        const muster_seen_call *call = seen.calls[i];

        if (call->world)
            RANK_CHECK(world, call->group_name[0] == '\0');
        else
            found += strcmp(call->group_name, call->group_rank == 0 ? "first" : "other") == 0;
    }
    muster_inspection_free(&seen);
    RANK_CHECK(world, found == 2);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(copy));
    return 0;
}

START_TEST(test_seen_from_outside)
{
    run_ranks(2, RANKS_AS_PROCESSES, seen_from_outside, NULL);
}
END_TEST

typedef struct tally {
    int named, unnamed;
} tally;

static void count_names(const muster_record *record, void *arg)
{
    tally *tally = arg;

    if (strcmp(record->call, "barrier") != 0)
        return;
    tally->named += strcmp(record->group_name, "pp:1") == 0;
    tally->unnamed += record->group_name[0] == '\0';
}

/* Also when the group has been freed, as long as its cell is nobody else's. */
static int recorded(muster_group *world, void *arg)
{
    muster_records *records;
    muster_group *copy;
    tally tally = { 0, 0 };

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &copy));
    RANK_OK(world, muster_group_set_name(copy, "pp:1"));
    for (int i = 0; i < 3; i++)
        RANK_OK(world, muster_barrier(copy));
    RANK_OK(world, muster_group_free(copy));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_records_open(arena_of_job(), &records));
    RANK_OK(world, muster_records_read(records, count_names, &tally, NULL));
    muster_records_close(records);
    RANK_CHECK(world, tally.named == 6 && tally.unnamed >= 1);
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_recorded)
{
    run_ranks(2, RANKS_AS_PROCESSES, recorded, NULL);
}
END_TEST

/* ---- errors of one rank's own ---- */

static int own_errors(muster_group *world, void *arg)
{
    muster_error_info info;
    float x = 1;

    (void)arg;
    info = latest();
    RANK_CHECK(world, info.status == MUSTER_OK && info.rank == -1);
    RANK_CHECK(world, muster_all_sum(&x, &x, 1, (muster_dtype)99, world) == MUSTER_ERR_INVALID);
    info = latest();
    RANK_CHECK(world, info.status == MUSTER_ERR_INVALID && info.rank == -1 && info.deadline_ns == 0);
    RANK_CHECK(world, strcmp(info.operation, "all_sum") == 0);
    RANK_CHECK(world, info.termination.kind == MUSTER_TERMINATION_NONE);
    RANK_CHECK(world, muster_last_error(NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "MUSTER_ERROR_INFO_INIT"));
    return 0;
}

START_TEST(test_own_errors)
{
    run_ranks(1, RANKS_AS_THREADS, own_errors, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, own_errors, NULL);
}
END_TEST

/* The call that failed is the one that the program made: of a started operation the one that started it, or
 * waited for it. */
static int calls_of_started(muster_group *world, void *arg)
{
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    size_t index;
    bool done;
    float x = 1;

    (void)arg;
    RANK_CHECK(world,
               muster_all_sum_start(&x, NULL, 1, MUSTER_FLOAT32, world, requests) == MUSTER_ERR_INVALID &&
                   strcmp(latest().operation, "all_sum_start") == 0);
    RANK_CHECK(world, strncmp(muster_error_detail(), "all_sum_start: the out buffer is NULL", 37) == 0);
    RANK_CHECK(world, muster_reduce_start(&x, &x, 1, MUSTER_FLOAT32, MUSTER_PROD, 7, world, requests) ==
                              MUSTER_ERR_INVALID &&
                          strcmp(latest().operation, "reduce_start(prod)") == 0);
    RANK_CHECK(world, muster_barrier_start(world, NULL) == MUSTER_ERR_INVALID &&
                          strcmp(latest().operation, "barrier_start") == 0);
    RANK_CHECK(world,
               muster_barrier(NULL) == MUSTER_ERR_INVALID && strcmp(latest().operation, "barrier") == 0);
    RANK_CHECK(world, muster_send(&x, 1, MUSTER_FLOAT32, 0, 0, NULL) == MUSTER_ERR_INVALID &&
                          strcmp(latest().operation, "send") == 0);
    RANK_CHECK(world,
               muster_wait(requests, 0) == MUSTER_ERR_INVALID && strcmp(latest().operation, "wait") == 0);
    RANK_CHECK(world,
               muster_test(requests, &done) == MUSTER_ERR_INVALID && strcmp(latest().operation, "test") == 0);
    RANK_CHECK(world, muster_wait_any(requests, 2, 0, NULL) == MUSTER_ERR_INVALID &&
                          strcmp(latest().operation, "wait_any") == 0);
    RANK_CHECK(world, muster_wait_any(requests, 2, -1, &index) == MUSTER_ERR_INVALID &&
                          strcmp(latest().operation, "wait_any") == 0);
    RANK_OK(world, muster_recv_start(&x, 1, MUSTER_FLOAT32, 0, 1, world, NULL, requests));
    RANK_CHECK(world, muster_wait_all(requests, 2, 1000000) == MUSTER_ERR_TIMED_OUT &&
                          strcmp(latest().operation, "wait_all") == 0);
    RANK_CHECK(world,
               muster_all_sum_start(&x, &x, 1, MUSTER_FLOAT32, world, requests) == MUSTER_ERR_TIMED_OUT &&
                   strcmp(latest().operation, "all_sum_start") == 0);
    return 0;
}

START_TEST(test_calls_of_started)
{
    run_ranks(1, RANKS_AS_THREADS, calls_of_started, NULL);
    run_ranks(1, RANKS_AS_PROCESSES, calls_of_started, NULL);
}
END_TEST

/* ---- errors of the group ---- */

/* All ranks learn of the same rank and limit, by the sentence and by the parts. */
static int one_is_late(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_error_info info;
    _Atomic int *looks = arg;
    muster_group *group;
    void *nowhere;
    int32_t x = 1;

    RANK_OK(world, muster_group_dup(world, &group));
    RANK_OK(world, muster_group_set_name(group, "tp:0"));
    RANK_CHECK(world, muster_all_max(&x, NULL, 1, MUSTER_INT32, group) == MUSTER_ERR_INVALID);
    info = latest(); /* a refusal says of which group, too */
    RANK_CHECK(world, strcmp(info.group_name, "tp:0") == 0 && info.group != 0);
    RANK_CHECK(world, strstr(muster_error_detail(), "group \"tp:0\": all_max: the out buffer is NULL"));
    RANK_CHECK(world, muster_group_set_timeout(group, -1) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strcmp(latest().operation, "set_timeout") == 0);
    RANK_CHECK(world, muster_group_split(group, -7, 0, &world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strcmp(latest().operation, "split") == 0);
    RANK_CHECK(world, muster_alloc(group, (size_t)1 << 50, &nowhere) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, strcmp(latest().operation, "alloc") == 0 && latest().rank == rank);
    RANK_CHECK(world,
               strcmp(latest().group_name, "tp:0") == 0 && strstr(muster_error_detail(), "group \"tp:0\": "));
    RANK_OK(world, muster_group_set_timeout(group, rank == 0 ? 20000000 : 0));
    if (rank == 1)
        RANK_OK(world, muster_group_set_interrupt(group, count_looks, arg));
    if (rank == 0)
        AWAIT(*looks > 0); /* rank 1 is there */
    if (rank != 2)
        RANK_CHECK(world, muster_all_max(&x, &x, 1, MUSTER_INT32, group) == MUSTER_ERR_TIMED_OUT);
    else
        while (muster_group_status(group) == MUSTER_OK)
            pass_time_ms(1);
    info = latest();
    RANK_CHECK(world, info.status == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, strstr(muster_error_detail(), "group \"tp:0\": rank 0 waited 0.02 s"));
    RANK_CHECK(world, strcmp(info.group_name, "tp:0") == 0 && info.group != 0);
    RANK_CHECK(world, strcmp(info.operation, rank == 2 ? "" : "all_max") == 0);
    RANK_CHECK(world, info.rank == 2 && info.deadline_ns == 20000000);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_one_is_late)
{
    _Atomic int *looks = shared_page(sizeof *looks);

    run_ranks(3, RANKS_AS_THREADS, one_is_late, looks);
    *looks = 0;
    run_ranks(3, RANKS_AS_PROCESSES, one_is_late, looks);
    shared_page_free(looks, sizeof *looks);
}
END_TEST

static int disagree(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    int64_t x[2] = { 1, 2 };
    muster_error_info info;

    (void)arg;
    RANK_CHECK(world, muster_all_sum(x, x, rank == 1 ? 2 : 1, MUSTER_INT64, world) == MUSTER_ERR_MISMATCH);
    info = latest();
    RANK_CHECK(world, info.rank == (rank == 1 && tells_of_the_other() ? 0 : 1));
    RANK_CHECK(world, strcmp(info.operation, "all_sum") == 0);
    RANK_CHECK(world, strncmp(muster_error_detail(), "rank 0 called", 13) == 0); /* the world has no name */
    return 0;
}

static int aborted(muster_group *world, void *arg)
{
    char reason[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx enough";
    int rank = muster_group_rank(world);
    muster_error_info info;

    (void)arg;
    if (rank == 1)
        RANK_OK(world, muster_group_abort(world, reason));
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), reason)); /* all of it */
    info = latest();
    RANK_CHECK(world, info.rank == 1 && info.status == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strcmp(info.operation, "barrier") == 0);
    return 0;
}

/* Words of the program's end up on terminals, on other ranks' too. */
static int aborted_in_lines(muster_group *world, void *arg)
{
    (void)arg;
    if (muster_group_rank(world) == 1)
        RANK_OK(world, muster_group_abort(world, "two\nlines, \033[2Jand \302\233eight bits, \302\265"));
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), ": two?lines, ?[2Jand ??eight bits, \302\265"));
    return 0;
}

static int one_leaves(muster_group *world, void *arg)
{
    muster_error_info info;
    muster_group *group;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, muster_group_dup(group, &group) == MUSTER_ERR_PEER_DIED);
        info = latest();
        RANK_CHECK(world, info.rank == 1 && info.termination.kind == MUSTER_TERMINATION_NONE);
        RANK_CHECK(world, strcmp(info.operation, "dup") == 0);
    }
    RANK_OK(world, muster_group_free(group));
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_reasons)
{
    for (int mode = RANKS_AS_PROCESSES; mode <= RANKS_AS_THREADS; mode++) {
        run_ranks(3, (rank_mode)mode, disagree, NULL);
        run_ranks(3, (rank_mode)mode, aborted, NULL);
        run_ranks(3, (rank_mode)mode, aborted_in_lines, NULL);
        run_ranks(2, (rank_mode)mode, one_leaves, NULL);
    }
}
END_TEST

/* ---- errors that are reported after a wait ---- */

static bool fail_meanwhile(void *arg)
{
    muster_last_error(NULL); /* an error: the thread's latest */
    ++*(_Atomic int *)arg;
    return false;
}

/* Rank 0 is about to get an error that it must wait to report, since the others have to know: rank 1 comes
 * when the interrupt function of rank 0 has had an error of its own. */
static void come_late(const muster_group *world, const _Atomic int *asked)
{
    int before = *asked;

    if (muster_group_rank(world) == 1)
        AWAIT(*asked > before);
}

static int fail_after_a_wait(muster_group *world, void *arg)
{
    static muster_group *copies[4096];
    static char bytes[3][600000];
    int rank = muster_group_rank(world), made = 0;
    muster_group *group;
    muster_share *share;
    void *buffer;

    RANK_OK(world, muster_group_dup(world, &group));
    if (rank == 0)
        RANK_OK(world, muster_group_set_interrupt(group, fail_meanwhile, arg));
    RANK_OK(world, muster_barrier(world));
    come_late(world, arg);
    RANK_CHECK(world, muster_share_create(group, rank == 0 ? SIZE_MAX : 1, &share) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, rank == 1 || strstr(muster_error_detail(), "it is more than any arena can hold"));
    for (size_t room = 1 << 20; rank == 0 && room; room /= 2) /* until its heap is full */
        while (muster_alloc(world, room, &buffer) == MUSTER_OK)
            ;
    RANK_OK(world, muster_barrier(world));
    come_late(world, arg);
    RANK_CHECK(world, muster_all_gather(bytes[2], bytes, sizeof bytes[0], MUSTER_UINT8, group) ==
                          MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, rank == 1 || strstr(muster_error_detail(), "does not fit into this rank's"));
    while (muster_group_dup(world, &copies[made]) == MUSTER_OK)
        made++;
    come_late(world, arg);
    RANK_CHECK(world, muster_group_split(group, 0, -1, &copies[made]) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, strstr(muster_error_detail(), "4096 groups, which is the maximum"));
    while (made > 0)
        RANK_OK(world, muster_group_free(copies[--made]));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_errors_after_a_wait)
{
    void *asked = shared_page(sizeof(_Atomic int));

    run_ranks_with((rank_options){ .size = 2, .arena_bytes = 192 << 20 }, fail_after_a_wait, asked);
    shared_page_free(asked, sizeof(_Atomic int));
}
END_TEST

/* A group has the limit of the one that it was made of; and what the error is about is nobody's in the next.
 */
static int one_is_late_in_a_copy(muster_group *world, void *arg)
{
    muster_group *group, *copy;
    int64_t limit_ns = 20000000;

    (void)arg;
    RANK_OK(world, make_within(world, &limit_ns, muster_group_dup, &group, &copy));
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, muster_barrier(copy) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, latest().rank == 1 && strcmp(latest().operation, "barrier") == 0);
        RANK_CHECK(world, latest().deadline_ns == limit_ns);
        RANK_CHECK(world, muster_group_set_timeout(world, -1) == MUSTER_ERR_INVALID);
        RANK_CHECK(world, latest().rank == -1 && strcmp(latest().operation, "set_timeout") == 0 &&
                              latest().group == 0);
    }
    AWAIT(muster_group_status(copy) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_group_free(copy));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_one_is_late_in_a_copy)
{
    run_ranks(2, RANKS_AS_PROCESSES, one_is_late_in_a_copy, NULL);
}
END_TEST

/* ---- deaths ---- */

static int one_dies(muster_group *world, void *arg)
{
    static const int others[2] = { 2, 1 };
    muster_error_info info;
    muster_group *pair, *all;

    (void)arg;
    RANK_OK(world, muster_group_set_name(world, "all of us"));
    RANK_OK(world, muster_group_split(world, 0, -muster_group_rank(world), &all));
    if (muster_group_rank(world) == 0)
        kill(getpid(), SIGKILL);
    RANK_CHECK(world, muster_group_split(world, 0, -1, &pair) == MUSTER_ERR_PEER_DIED);
    info = latest();
    RANK_CHECK(world, info.rank == 0 && info.termination.kind == MUSTER_TERMINATION_SIGNALED);
    RANK_CHECK(world, info.termination.code == SIGKILL && strcmp(info.operation, "split") == 0);
    RANK_CHECK(world, strcmp(info.group_name, "all of us") == 0);
    RANK_CHECK(world, strstr(muster_error_detail(), "group \"all of us\": rank 0 was killed by signal 9"));
    /* A subset of those who live is of a broken group. */
    RANK_CHECK(world, muster_group_subset(world, others, 2, &pair) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strcmp(latest().operation, "subset") == 0);
    /* In the other group it has another number. */
    RANK_CHECK(world, muster_barrier(all) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, latest().rank == muster_group_translate(world, 0, all));
    return 0;
}

START_TEST(test_one_dies)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3 }, one_dies, NULL, &report);
    ck_assert_int_eq(terminations[0].code, SIGKILL);
    for (int rank = 1; rank < 3; rank++)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d", rank);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tests = tcase_create("errors");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_own_errors);
    tcase_add_test(tests, test_calls_of_started);
    tcase_add_test(tests, test_one_is_late);
    tcase_add_test(tests, test_reasons);
    if (on_one_host()) { /* where ranks can be looked at, die, and be told from each other */
        tcase_add_test(tests, test_seen_from_outside);
        tcase_add_test(tests, test_recorded);
        tcase_add_test(tests, test_errors_after_a_wait);
        tcase_add_test(tests, test_one_is_late_in_a_copy);
        tcase_add_test(tests, test_one_dies);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
