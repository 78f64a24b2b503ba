/* What src/wire does of frames: one process, to which this test gives the frames of others, well-formed or
 * not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "src/wire/early.h"
#include "tests/harness/alone.h"
#include "tests/harness/ranks.h"

static void expect_damage(muster_status status, int by, const char *words)
{
    ck_assert_int_eq(status, MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(mst_error_parts()->rank, by);
    ck_assert_msg(strstr(mst_error_sentence(), words) != NULL, "says: %s", mst_error_sentence());
}

/* ---- damage ---- */

START_TEST(test_a_frame_of_an_unknown_kind_is_damage)
{
    alone_begin(0, 3);
    alone_come(2, alone_head(2, (mst_wire_kind)99), NULL, 0);
    expect_damage(muster_group_status(alone.whole), 2, "rank 0 was sent by rank 2 what is no frame");
    alone_end();
    alone_begin(0, 3);
    alone_come(2, (mst_wire_head){ .kind = 99, .group = 5 }, NULL, 0);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_SYSTEM);
    ck_assert(strstr(mst_error_sentence(), "rank 2 of the job has sent what is no frame") != NULL);
    alone_end();
}
END_TEST

START_TEST(test_a_frame_in_the_name_of_another_member_is_damage)
{
    alone_begin(0, 3);
    alone_come(2, alone_head(1, MST_WIRE_GONE), NULL, 0);
    expect_damage(muster_group_status(alone.whole), 2, "rank 0 was sent by rank 2 what is no frame");
    alone_end();
}
END_TEST

/* Whose sender counts has a limit that it does not reach. */
START_TEST(test_more_small_messages_than_may_come_are_damage)
{
    const int limit = (int)(MST_WIRE_CREDIT_MAX / sizeof(mst_wire_head));

    alone_begin(0, 2);
    for (int i = 0; i < limit; i++)
        alone_come(1, alone_head(1, MST_WIRE_MESSAGE), NULL, 0);
    while (alone.taken < alone.coming_count)
        ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    for (int i = 0; i < limit; i++)
        ck_assert_int_eq(muster_recv(NULL, 0, MUSTER_UINT8, 1, 1, alone.whole, NULL), MUSTER_OK);
    for (int i = 0; i < limit; i++) /* again, as it has been told that they were received */
        alone_come(1, alone_head(1, MST_WIRE_MESSAGE), NULL, 0);
    while (alone.taken < alone.coming_count - 400) /* but for the last ones */
        ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    for (int i = 0; i < 400; i++)
        alone_come(1, alone_head(1, MST_WIRE_MESSAGE), NULL, 0);
    while (alone.taken < alone.coming_count)
        muster_group_status(alone.whole);
    expect_damage(muster_group_status(alone.whole), 1, "may not come now");
    alone_end();
}
END_TEST

/* ---- names ---- */

static void expect_words(const char *words)
{
    ck_assert_msg(strstr(mst_error_sentence(), words) != NULL, "says: %s", mst_error_sentence());
}

START_TEST(test_a_sentence_names_the_host)
{
    muster_request request;
    int number;

    alone_begin(0, 3);
    ck_assert_int_eq(muster_recv_start(&number, 1, MUSTER_INT32, 1, 1, alone.whole, NULL, &request),
                     MUSTER_OK);
    ck_assert_int_eq(muster_wait(&request, 1000000), MUSTER_ERR_TIMED_OUT);
    expect_words("for rank 1 on host b to send");
    alone_end();
    alone_begin(0, 3);
    alone_come(2, alone_head(2, MST_WIRE_GONE), NULL, 0);
    ck_assert_int_eq(muster_recv(&number, 1, MUSTER_INT32, 2, 1, alone.whole, NULL), MUSTER_ERR_PEER_DIED);
    expect_words("rank 2 on host c left the group");
    alone_end();
}
END_TEST

/* Of two ranks that disagree each is told of the other, and the rest of the first. */
START_TEST(test_a_pair_that_disagrees)
{
    static const struct {
        int about, pair, told_of;
    } cases[] = { { 0, 3, 2 }, { 2, 1, 2 }, { 1, 3, 1 }, { 0, 4, 0 }, { 0, -7, 0 }, { -1, 1, -1 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mst_wire_reason reason = { .status = MUSTER_ERR_MISMATCH,
                                   .about = cases[i].about,
                                   .pair = cases[i].pair,
                                   .text = "they disagree" };

        alone_begin(0, 3);
        alone_come(1, alone_head(1, MST_WIRE_BROKEN), &reason, sizeof reason);
        ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_MISMATCH);
        ck_assert_int_eq(mst_error_parts()->rank, cases[i].told_of);
        alone_end();
    }
}
END_TEST

/* ---- offers ---- */

static muster_request started[MST_WIRE_OFFERS_MAX + 16];
static int started_count;

/* Ends what nobody has waited for, with its group. */
static void end_started(muster_request *more, int count)
{
    bool over;

    ck_assert_int_eq(muster_group_abort(alone.whole, "the test is over"), MUSTER_OK);
    for (int i = 0; i < started_count; i++)
        muster_test(&started[i], &over);
    for (int i = 0; i < count; i++)
        muster_test(&more[i], &over);
    started_count = 0;
}

static muster_request start_large(int tag)
{
    static unsigned char large[2 * MST_WIRE_EAGER_BYTES];
    muster_request request;

    ck_assert_int_eq(muster_send_start(large, sizeof large, MUSTER_UINT8, 1, tag, alone.whole, &request),
                     MUSTER_OK);
    started[started_count++] = request;
    return request;
}

/* What is beyond it waits here, in order, until the receiver has accepted one, or asks. */
START_TEST(test_offers_that_nobody_accepts_have_a_limit)
{
    const int limit = MST_WIRE_OFFERS_MAX;
    muster_request small, first = start_large(0);
    mst_wire_head accepted = alone_head(1, MST_WIRE_ACCEPT);
    bool over;

    for (int tag = 1; tag < limit + 10; tag++)
        start_large(tag);
    ck_assert_int_eq(muster_send_start(&over, 1, MUSTER_UINT8, 1, 7, alone.whole, &small), MUSTER_OK);
    ck_assert_int_eq(alone_count(MST_WIRE_OFFER, -1), limit);
    accepted.id = alone.sent[0].id;
    alone_come(1, accepted, NULL, 0);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    ck_assert_int_eq(muster_test(&first, &over), MUSTER_OK);
    ck_assert(over);
    ck_assert_int_eq(alone_count(MST_WIRE_OFFER, -1), limit + 1);
    ck_assert_int_eq(alone.sent[alone.sent_count - 1].tag, 0); /* a part of the first */
    ck_assert_int_eq(alone_count(MST_WIRE_MESSAGE, -1), 0);
    alone_come(1, alone_head(1, MST_WIRE_WANTED), NULL, 0);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    ck_assert_int_eq(muster_test(&small, &over), MUSTER_OK);
    ck_assert(over);
    ck_assert_int_eq(alone_count(MST_WIRE_OFFER, -1), limit + 10);
    ck_assert_int_eq(alone.sent[alone.sent_count - 1].kind, MST_WIRE_MESSAGE); /* the last one */
    end_started(NULL, 0);
}
END_TEST

static void come_offers(int count)
{
    mst_wire_head head = alone_head(1, MST_WIRE_OFFER);

    head.bytes = 2 * MST_WIRE_EAGER_BYTES;
    for (int i = 0; i < count; i++)
        alone_come(1, head, NULL, 0);
    while (alone.taken < alone.coming_count)
        muster_group_status(alone.whole);
}

/* It has looked at all that is there, and something waits for another message. */
START_TEST(test_more_offers_are_asked_for_if_another_message_is_waited_for)
{
    muster_request any = MUSTER_REQUEST_INIT, first = MUSTER_REQUEST_INIT, other = MUSTER_REQUEST_INIT;
    bool found;
    int got;

    come_offers(MST_WIRE_OFFERS_MAX);
    ck_assert_int_eq(muster_recv_start(&got, 1, MUSTER_INT32, 2, 1, alone.whole, NULL, &first), MUSTER_OK);
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 0);
    ck_assert_int_eq(muster_recv_start(&got, 1, MUSTER_INT32, 1, 5, alone.whole, NULL, &other), MUSTER_OK);
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 1);
    come_offers(MST_WIRE_OFFERS_MAX); /* among them is none that it waits for */
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 2);
    ck_assert_int_eq(muster_cancel(&other, &found), MUSTER_OK);
    ck_assert(found);
    come_offers(MST_WIRE_OFFERS_MAX);
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 2);
    ck_assert_int_eq(muster_iprobe(1, 5, alone.whole, &found, NULL), MUSTER_OK);
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 3);
    ck_assert_int_eq(muster_recv_start(&got, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, 5, alone.whole, NULL, &any),
                     MUSTER_OK);
    come_offers(MST_WIRE_OFFERS_MAX);
    ck_assert_int_eq(alone_count(MST_WIRE_WANTED, -1), 4);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    end_started((muster_request[]){ any, first, other }, 3);
}
END_TEST

START_TEST(test_more_offers_than_may_come_are_damage)
{
    come_offers(MST_WIRE_OFFERS_MAX);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    come_offers(1);
    expect_damage(muster_group_status(alone.whole), 1, "may not come now");
}
END_TEST

/* Of messages of any size. */
START_TEST(test_a_rank_that_only_sends_looks_what_has_come)
{
    alone_come(1, alone_head(1, MST_WIRE_CREDIT), NULL, 0);
    for (int i = 0; i < MST_WIRE_SENDS_UNMOVED; i++)
        start_large(i);
    ck_assert_int_eq(alone.taken, alone.coming_count);
    end_started(NULL, 0);
}
END_TEST

/* What does not fit is not copied, and is over when it has been received. */
START_TEST(test_started_sends_to_oneself_have_a_limit)
{
    enum { COUNT = 4 * MST_WIRE_CREDIT_MAX / MST_WIRE_EAGER_BYTES };
    static unsigned char out[MST_WIRE_EAGER_BYTES], in[MST_WIRE_EAGER_BYTES];
    muster_request requests[COUNT];
    bool over;
    int at_once = 0;

    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(
            muster_send_start(out, sizeof out - 100, MUSTER_UINT8, 0, 1, alone.whole, &requests[i]),
            MUSTER_OK);
        ck_assert_int_eq(muster_test(&requests[i], &over), MUSTER_OK);
        at_once += over;
    }
    ck_assert_int_eq(at_once, MST_WIRE_CREDIT_MAX / MST_WIRE_EAGER_BYTES);
    out[0] = 5;
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(muster_recv(in, sizeof in - 100, MUSTER_UINT8, 0, 1, alone.whole, NULL), MUSTER_OK);
        ck_assert_int_eq(in[0], i < at_once ? 0 : 5);
        over = i < at_once;
        if (!over)
            ck_assert_int_eq(muster_test(&requests[i], &over), MUSTER_OK);
        ck_assert(over);
    }
}
END_TEST

static void begin_three(void)
{
    alone_begin(0, 3);
}

/* ---- numbers ---- */

static uint64_t hash_of(const int *ranks, int count)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (int i = 0; i < count; i++)
        hash = (hash ^ (uint32_t)ranks[i]) * 0x100000001b3ULL;
    return hash;
}

/* What rank 1 tells of a group of ranks 1 and 0. */
static void tell_number(uint64_t number)
{
    const uint64_t told[3] = { number, hash_of((int[]){ 1, 0 }, 2), 2ULL << 32 };
    mst_wire_head head = alone_head(1, MST_WIRE_MESSAGE);

    head.dtype = MUSTER_UINT64;
    head.tag = MST_WIRE_TAG_SUBSETS;
    head.bytes = sizeof told;
    alone_come(1, head, told, sizeof told);
}

START_TEST(test_the_number_of_a_new_group_is_checked)
{
    const uint64_t numbers[] = { 0,
                                 1ULL << 62,
                                 1ULL << 62 | 2,
                                 1ULL << 62 | 1ULL << 40 | 3,
                                 1ULL << 62 | 2ULL << 40 | 2,
                                 1ULL << 63 | 1ULL << 40 | 2 };
    muster_group *made;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        alone_begin(0, 3);
        tell_number(numbers[i]);
        expect_damage(muster_group_subset(alone.whole, (int[]){ 1, 0 }, 2, &made), 1,
                      "as the number of a new group, which it cannot be");
        alone_end();
    }
    alone_begin(0, 3);
    tell_number(1ULL << 62 | 1ULL << 40 | 2);
    ck_assert_int_eq(muster_group_subset(alone.whole, (int[]){ 1, 0 }, 2, &made), MUSTER_OK);
    tell_number(1ULL << 62 | 1ULL << 40 | 2); /* which is in use */
    expect_damage(muster_group_subset(alone.whole, (int[]){ 1, 0 }, 2, &made), 1, "which it cannot be");
    alone_end();
}
END_TEST

START_TEST(test_copies_have_different_numbers)
{
    muster_group *groups[6];

    alone_begin(0, 1);
    groups[0] = alone.whole;
    ck_assert_int_eq(muster_group_dup(alone.whole, &groups[1]), MUSTER_OK);
    ck_assert_int_eq(muster_group_dup(alone.whole, &groups[2]), MUSTER_OK);
    ck_assert_int_eq(muster_group_dup(groups[1], &groups[3]), MUSTER_OK);
    ck_assert_int_eq(muster_group_dup(groups[2], &groups[4]), MUSTER_OK);
    ck_assert_int_eq(muster_group_dup(groups[2], &groups[5]), MUSTER_OK);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(groups[i]->number, groups[k]->number);
    alone_end();
}
END_TEST

/* ---- frames that come early ---- */

static void come_early(uint64_t number)
{
    mst_wire_head head = alone_head(1, MST_WIRE_MESSAGE);

    head.source = 0; /* rank 1's place in it */
    head.group = number;
    head.parent = alone.whole->number;
    alone_come(1, head, NULL, 0);
}

START_TEST(test_what_comes_early_is_kept_until_its_group_is_there)
{
    const uint64_t number = 1ULL << 62 | 1ULL << 40 | 2;
    muster_group *made, *copy;

    alone_begin(0, 3);
    come_early(number);
    come_early(number + 1);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    ck_assert_ptr_nonnull(alone.wire->early);
    tell_number(number);
    ck_assert_int_eq(muster_group_subset(alone.whole, (int[]){ 1, 0 }, 2, &made), MUSTER_OK);
    ck_assert_int_eq(muster_recv(NULL, 0, MUSTER_UINT8, 0, 1, made, NULL), MUSTER_OK);
    muster_group_abort(alone.whole, "the copy is made all the same");
    come_early(number + 1);
    ck_assert_int_eq(muster_group_status(made), MUSTER_OK);
    ck_assert_int_eq(muster_group_dup(made, &copy), MUSTER_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(muster_recv(NULL, 0, MUSTER_UINT8, 0, 1, copy, NULL), MUSTER_OK);
    ck_assert_ptr_null(alone.wire->early);
    alone_end();
}
END_TEST

START_TEST(test_what_comes_for_a_group_whose_making_has_failed_is_dropped)
{
    const uint64_t number = 1ULL << 62 | 1ULL << 40 | 2;
    muster_group *made;

    alone_begin(0, 3);
    come_early(number);
    come_early(number + 1);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_OK);
    ck_assert_ptr_nonnull(alone.wire->early);
    tell_number(0);
    ck_assert_int_eq(muster_group_subset(alone.whole, (int[]){ 1, 0 }, 2, &made), MUSTER_ERR_BAD_ARENA);
    ck_assert_ptr_null(alone.wire->early);
    come_early(number);
    ck_assert_int_eq(muster_group_status(alone.whole), MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(alone.taken, alone.coming_count);
    ck_assert_ptr_null(alone.wire->early);
    alone_end();
}
END_TEST

/* ---- the end ---- */

/* Else its send would be over, and its bytes thrown away. */
START_TEST(test_nothing_of_a_message_goes_once_the_process_has_left)
{
    static unsigned char large[3 * MST_WIRE_EAGER_BYTES];
    muster_request request;
    mst_wire_head accepted;

    alone_begin(0, 2);
    ck_assert_int_eq(muster_send_start(large, sizeof large, MUSTER_UINT8, 1, 1, alone.whole, &request),
                     MUSTER_OK);
    ck_assert_int_eq(alone.sent[0].kind, MST_WIRE_OFFER);
    accepted = alone_head(1, MST_WIRE_ACCEPT);
    accepted.id = alone.sent[0].id;
    accepted.bytes = 1;
    mst_wire_leave(alone.wire);
    alone_come(1, accepted, NULL, 0);
    ck_assert(!mst_wire_is_quiet(alone.wire)); /* it takes what has come */
    ck_assert_int_eq(alone.taken, alone.coming_count);
    ck_assert(alone.wire->moving.first && alone.wire->moving.first->done ==
                                              0); /* a thread that waits for it is not told that it is over */
    ck_assert_int_eq(muster_wait(&request, 0), MUSTER_ERR_SYSTEM);
    ck_assert(strstr(mst_error_sentence(), "this rank has left the job") != NULL);
    for (int i = 0; i < alone.sent_count; i++)
        ck_assert_int_ne(alone.sent[i].kind, MST_WIRE_PART);
    alone_end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("wire");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_frame_of_an_unknown_kind_is_damage);
    tcase_add_test(tests, test_a_frame_in_the_name_of_another_member_is_damage);
    tcase_add_test(tests, test_more_small_messages_than_may_come_are_damage);
    tcase_add_test(tests, test_a_sentence_names_the_host);
    tcase_add_test(tests, test_a_pair_that_disagrees);
    tcase_add_test(tests, test_the_number_of_a_new_group_is_checked);
    tcase_add_test(tests, test_copies_have_different_numbers);
    tcase_add_test(tests, test_what_comes_early_is_kept_until_its_group_is_there);
    tcase_add_test(tests, test_what_comes_for_a_group_whose_making_has_failed_is_dropped);
    tcase_add_test(tests, test_nothing_of_a_message_goes_once_the_process_has_left);
    TCase *offers = tcase_create("offers");
    tcase_set_timeout(offers, TEST_TIMEOUT_S);
    tcase_add_checked_fixture(offers, begin_three, alone_end);
    tcase_add_test(offers, test_offers_that_nobody_accepts_have_a_limit);
    tcase_add_test(offers, test_more_offers_are_asked_for_if_another_message_is_waited_for);
    tcase_add_test(offers, test_more_offers_than_may_come_are_damage);
    tcase_add_test(offers, test_a_rank_that_only_sends_looks_what_has_come);
    tcase_add_test(offers, test_started_sends_to_oneself_have_a_limit);
    Suite *suite = suite_create("wire");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, offers);
    return run_suite(suite);
}
