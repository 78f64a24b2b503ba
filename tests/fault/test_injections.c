/* MUSTER_FAULT and MUSTER_CHAOS: what is asked for happens, to whom and when, and nothing else does. */
#define _GNU_SOURCE /* setenv */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/base/chaos.h"
#include "shm/base/injection.h"
#include "tests/harness/ranks.h"

/* ---- the text ---- */

static void expect_parsed(const char *text, int rank, int count)
{
    mst_injections injections;

    ck_assert_msg(mst_injections_parse(text, rank, &injections) == MUSTER_OK, "%s: %s", text,
                  muster_error_detail());
    ck_assert_int_eq(injections.count, count);
}

START_TEST(test_texts)
{
    static const char *const senseless[] = { "",
                                             "kill",
                                             "rank=1",
                                             "rank=1:op=1",
                                             "rank=1:op=1:",
                                             "rank=1:op=0:kill",
                                             "rank=-1:op=1:kill",
                                             "rank=1:op=1:die",
                                             "rank=1:op=1:kill,",
                                             "rank=1:op=1:kill;rank=2:op=1:kill",
                                             "rank=1:op=1:killed",
                                             "rank=1:op=99999999999999999999:kill",
                                             "rank=1:op=1:delay",
                                             "rank=1:op=1:delay=5",
                                             "rank=1:op=1:delay=5h",
                                             "rank=1:op=1:delay=99999s",
                                             "op=1:rank=1:kill" };
    mst_injections injections;

    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        ck_assert_msg(mst_injections_parse(senseless[i], 1, &injections) == MUSTER_ERR_INVALID, "%s",
                      senseless[i]);
        ck_assert_ptr_nonnull(strstr(muster_error_detail(), "rank=R:op=N:WHAT"));
    }
    expect_parsed(NULL, 0, 0);
    expect_parsed("rank=2:op=7:kill", 2, 1);
    expect_parsed("rank=2:op=7:kill", 1, 0);
    expect_parsed("rank=2:op=7:kill,rank=0:op=3:delay=50ms,rank=2:op=8:flip,rank=2:op=1:stop", 2, 3);
    ck_assert_int_eq(mst_injections_parse("rank=0:op=3:delay=50ms", 0, &injections), MUSTER_OK);
    ck_assert_int_eq(injections.all[0].delay_ns, 50 * 1000 * 1000);
    ck_assert_uint_eq(injections.all[0].operation, 3);
}
END_TEST

/* ---- what happens ---- */

enum { SIZE = 3, OPERATIONS = 12, STRUCK = 7 };

typedef struct account {
    _Atomic int done[SIZE];     /* operations */
    _Atomic bool delayed[SIZE]; /* there is chaos */
    _Atomic int wrong[SIZE];    /* results */
    _Atomic int stopped;        /* the process that stopped */
    _Atomic long late_us[SIZE]; /* what operation STRUCK took */
} account;

static long now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Operations of all kinds, of which the seventh is an all_sum, and the ninth a message to who is asked. */
static int run_operations(muster_group *world, void *arg)
{
    account *account = arg;
    int rank = muster_group_rank(world);
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *child;

    account->delayed[rank] = mst_chaos_seed != 0;
    for (int i = 1; i <= OPERATIONS; i++) {
        int32_t x[4] = { 1, 1, 1, 1 };
        long began_us = now_us();
        muster_status status = MUSTER_OK;

        if (i == 2) {
            status = muster_group_split(world, 0, -1, &child);
        } else if (i == 4) {
            status = muster_all_reduce_start(x, x, 4, MUSTER_INT32, MUSTER_SUM, world, &request);
            if (status == MUSTER_OK)
                status = muster_wait(&request, 0);
        } else if (i == 5) {
            status = muster_barrier(child);
        } else if (i == 9) {
            int32_t from[4] = { SIZE, SIZE, SIZE, SIZE };

            status = muster_sendrecv(from, 4, (rank + 1) % SIZE, 0, x, 4, (rank + SIZE - 1) % SIZE, 0,
                                     MUSTER_INT32, world, NULL);
        } else {
            status = muster_all_sum(x, x, 4, MUSTER_INT32, i % 2 ? world : child);
        }
        if (status != MUSTER_OK)
            return status == MUSTER_ERR_PEER_DIED ? 0 : 1;
        for (int at = 0; at < 4 && i != 2 && i != 5; at++)
            account->wrong[rank] += x[at] != SIZE;
        account->done[rank] = i;
        if (i == STRUCK)
            account->late_us[rank] = now_us() - began_us;
    }
    return 0;
}

static muster_status run_with(const char *fault, account *account, muster_report *report)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    setenv("MUSTER_FAULT", fault, 1);
    memset((void *)account, 0, sizeof *account);
    config.size = SIZE;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    muster_status status = muster_launch(&config, run_operations, account, report);
    unsetenv("MUSTER_FAULT");
    return status;
}

START_TEST(test_kill)
{
    account *account = shared_page(sizeof *account);
    muster_report report = MUSTER_REPORT_INIT;

    for (int operation = 1; operation <= OPERATIONS; operation++) {
        char fault[40];

        snprintf(fault, sizeof fault, "rank=1:op=%d:kill", operation);
        ck_assert_int_eq(run_with(fault, account, &report), MUSTER_ERR_PEER_DIED);
        ck_assert(report.first_failed == 1 && report.first.code == SIGKILL);
        ck_assert_int_eq(account->done[1], operation - 1);
    }
    shared_page_free(account, sizeof *account);
}
END_TEST

START_TEST(test_delay_and_flip)
{
    account *account = shared_page(sizeof *account);

    ck_assert_int_eq(run_with("rank=2:op=7:delay=30ms", account, NULL), MUSTER_OK);
    for (int rank = 0; rank < SIZE; rank++)
        ck_assert(account->done[rank] == OPERATIONS && account->wrong[rank] == 0);
    ck_assert_int_ge(account->late_us[2], 30000);

    ck_assert_int_eq(run_with("rank=1:op=7:flip", account, NULL), MUSTER_OK);
    ck_assert(account->wrong[0] == 0 && account->wrong[1] == 1 && account->wrong[2] == 0);
    ck_assert_int_eq(run_with("rank=1:op=9:flip,rank=1:op=4:flip,rank=0:op=5:flip", account, NULL),
                     MUSTER_OK);
    ck_assert(account->wrong[0] == 1 && account->wrong[1] == 2 && account->wrong[2] == 0);
    shared_page_free(account, sizeof *account);
}
END_TEST

/* ---- a received message's bit ---- */

enum { ROOM = 400000 };

/* What rank 0 sends, and rank 1 receives by a started operation, its second one. */
typedef struct flipped {
    bool posted; /* the receive is started before the message is sent */
    bool tested; /* it is completed by tests */
    int sent, room;
} flipped;

static muster_status complete(muster_request *request, bool tests)
{
    muster_status status = MUSTER_OK;
    bool done = false;

    if (!tests)
        return muster_wait(request, 0);
    while (status == MUSTER_OK && !done)
        status = muster_test(request, &done);
    return status;
}

/* Exactly one bit of the message has changed, and nothing behind it. */
static bool is_flipped_once(const unsigned char *in, int sent)
{
    int changed = 0;

    for (int i = 0; i < ROOM; i++)
        changed += in[i] == (i < sent ? 5 : 7) ? 0 : in[i] == (5 ^ 1) && i < sent ? 1 : 2;
    return changed == 1;
}

static int receive_flipped(muster_group *world, void *arg)
{
    static unsigned char in[ROOM], out[ROOM];
    const flipped *flipped = arg;
    muster_request request = MUSTER_REQUEST_INIT;
    muster_message came = MUSTER_MESSAGE_INIT;
    int rank = muster_group_rank(world);

    memset(out, 5, sizeof out);
    memset(in, 7, sizeof in);
    RANK_OK(world, muster_barrier(world));
    if (rank == 0 && !flipped->posted) /* small: it needs no receive to be over */
        RANK_OK(world, muster_send(out, (size_t)flipped->sent, MUSTER_UINT8, 1, 0, world));
    if (!flipped->posted)
        RANK_OK(world, muster_barrier(world));
    if (rank == 1)
        RANK_OK(world, muster_recv_start(in, (size_t)flipped->room, MUSTER_UINT8, 0, 0, world,
                                         flipped->sent < flipped->room ? &came : NULL, &request));
    if (flipped->posted)
        RANK_OK(world, muster_barrier(world));
    if (rank == 0 && flipped->posted)
        RANK_OK(world, muster_send(out, (size_t)flipped->sent, MUSTER_UINT8, 1, 0, world));
    if (rank != 1)
        return 0;
    RANK_OK(world, complete(&request, flipped->tested));
    RANK_CHECK(world, is_flipped_once(in, flipped->sent));
    return 0;
}

START_TEST(test_flip_of_a_started_receive)
{
    static const int sizes[][2] = { { 64, 64 }, { 8, 64 }, { 50000, 50000 }, { ROOM, ROOM } };
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 2;
    for (int i = 0; i < 16; i++) {
        const int *size = sizes[i / 4];
        flipped flipped = { i % 2, i / 2 % 2, size[0], size[1] };

        if (!flipped.posted && flipped.sent == ROOM)
            continue;
        setenv("MUSTER_FAULT", flipped.posted ? "rank=1:op=2:flip" : "rank=1:op=3:flip", 1);
        ck_assert_msg(muster_launch(&config, receive_flipped, &flipped, NULL) == MUSTER_OK, "case %d", i);
        unsetenv("MUSTER_FAULT");
    }
}
END_TEST

static int receive_shorter_than_its_room(muster_group *world, void *arg)
{
    static unsigned char in[ROOM], out[ROOM];
    muster_message came = MUSTER_MESSAGE_INIT;
    size_t sent = *(const size_t *)arg;

    memset(out, 5, sizeof out);
    memset(in, 7, sizeof in);
    if (muster_group_rank(world) == 0)
        return muster_send(out, sent, MUSTER_UINT8, 1, 0, world) == MUSTER_OK ? 0 : 1;
    RANK_OK(world, muster_recv(in, ROOM, MUSTER_UINT8, 0, 0, world, &came));
    RANK_CHECK(world, came.count == sent && is_flipped_once(in, (int)sent));
    return 0;
}

START_TEST(test_flip_of_a_message_that_is_shorter_than_its_room)
{
    static size_t sizes[] = { 8, 5000, 100000 };
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 2;
    setenv("MUSTER_FAULT", "rank=1:op=1:flip", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ck_assert_msg(muster_launch(&config, receive_shorter_than_its_room, &sizes[i], NULL) == MUSTER_OK,
                      "%zu bytes", sizes[i]);
    unsetenv("MUSTER_FAULT");
}
END_TEST

/* A rank of its own making stops, and goes on when it is told to. */
START_TEST(test_stop)
{
    muster_config config = MUSTER_CONFIG_INIT;
    int status;

    pid_t child = fork();
    if (child == 0) {
        muster_group *world;
        float x = 1;

        config.fault = "rank=0:op=2:stop";
        if (muster_attach(&config, &world) != MUSTER_OK || muster_barrier(world) != MUSTER_OK)
            _exit(1);
        _exit(muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world) == MUSTER_OK ? 3 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    kill(child, SIGCONT);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}
END_TEST

START_TEST(test_chaos_changes_no_result)
{
    account *account = shared_page(sizeof *account);
    char seed[16];

    for (int i = 1; i <= 10; i++) {
        snprintf(seed, sizeof seed, "%d", i);
        setenv("MUSTER_CHAOS", seed, 1);
        ck_assert_int_eq(run_with("rank=9:op=1:kill", account, NULL), MUSTER_OK);
        for (int rank = 0; rank < SIZE; rank++)
            ck_assert(account->done[rank] == OPERATIONS && account->wrong[rank] == 0 &&
                      account->delayed[rank]);
    }
    setenv("MUSTER_CHAOS", "much", 1);
    ck_assert_int_eq(run_with("rank=9:op=1:kill", account, NULL), MUSTER_ERR_PEER_DIED); /* each says why */
    unsetenv("MUSTER_CHAOS");
    shared_page_free(account, sizeof *account);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("injected faults");
    TCase *tests = tcase_create("injected faults");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_texts);
    tcase_add_test(tests, test_kill);
    tcase_add_test(tests, test_delay_and_flip);
    tcase_add_test(tests, test_flip_of_a_started_receive);
    tcase_add_test(tests, test_flip_of_a_message_that_is_shorter_than_its_room);
    tcase_add_test(tests, test_stop);
    tcase_add_test(tests, test_chaos_changes_no_result);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
