/* What a link brings from members on other hosts is bytes, of which nothing is believed: reasons, names and
 * statuses that nobody who keeps the rules would send. The hosts are pretended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/hosts/broken.h"
#include "src/hosts/making.h"
#include "src/hosts/record.h"
#include "src/pure/dtype.h"
#include "tests/harness/ranks.h"

/* ---- worlds ---- */

static const char *hosts; /* of the run */

typedef struct lines {
    char text[20][400];
    int count;
} lines;

static void add_line(muster_log_level level, const char *line, void *arg)
{
    lines *lines = arg;

    (void)level;
    if (lines->count < 20)
        snprintf(lines->text[lines->count++], sizeof lines->text[0], "%s", line);
}

static muster_status attach_over_hosts(const muster_group *ranks, const char *name, lines *log,
                                       muster_group **world)
{
    muster_config config = MUSTER_CONFIG_INIT;

    setenv("MUSTER_FAKE_HOSTS", hosts, 1);
    config.arena = name;
    config.rank = muster_group_rank(ranks);
    config.size = muster_group_size(ranks);
    config.attach_timeout_ns = -1;
    if (log) {
        config.log_level = MUSTER_LOG_WARN;
        config.log = add_line;
        config.log_arg = log;
    }
    return muster_attach(&config, world);
}

static void with_hosts(const char *value, int size, muster_rank_fn body)
{
    char name[64];

    name_of_test(name, sizeof name, "link");
    hosts = value;
    run_ranks(size, RANKS_AS_PROCESSES, body, name);
}

static bool can_be_shown(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* ---- reasons ---- */

/* Rank 1 tells what cannot be. All learn that the group is broken, and logs say so once, in one line. */
static int tell_nonsense(muster_group *ranks, void *arg)
{
    static lines log;
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, &log, &world));
    mst_link *link = mst_hosts_of(world)->link;
    mst_link_reason nonsense = { .status = (muster_status)99, .about = 77, .limit_ns = -1 };
    nonsense.termination = (muster_termination){ (muster_termination_kind)77, 5 };
    strcpy(nonsense.sentence, "two\nlines, \033[31mred\033[0m");
    if (muster_group_rank(world) == 1) {
        pass_time_ms(50); /* the others wait */
        link->methods->tell(link, &nonsense);
    }
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, muster_group_status(world) == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, strcmp(muster_error_detail(), "two?lines, ?[31mred?[0m") == 0);
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, info.rank == -1 && info.deadline_ns == 0);
    RANK_CHECK(world, info.termination.kind == MUSTER_TERMINATION_NONE && info.termination.code == 0);
    RANK_CHECK(world, muster_send(NULL, 0, MUSTER_UINT8, 0, 0, world) == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, log.count == 1 && can_be_shown(log.text[0]));
    RANK_CHECK(world, strstr(log.text[0], "a group of 3 is broken: two?lines"));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

/* Numbers that are none of this size are words. */
static int tell_great_numbers(muster_group *ranks, void *arg)
{
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    mst_link *link = mst_hosts_of(world)->link;
    if (muster_group_rank(world) == 1)
        link->mail->backend->abort_group(link->mail, "[4294967297 0 0 0 0] x");
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), "[4294967297 0 0 0 0] x"));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_reasons)
{
    with_hosts("0,0,1", 3, tell_nonsense);
    with_hosts("0,0,1", 3, tell_great_numbers);
}
END_TEST

/* ---- records and statuses ---- */

static const mst_link_methods *honest;

/* A link that changes what it sends. */
static muster_status send_nonsense(mst_link *link, int to, int tag, const void *from, size_t bytes,
                                   muster_request *transfer)
{
    static mst_hosts_record record;
    static mst_told told;

    if (tag == MST_LINK_COLLECTIVES && bytes == sizeof record) {
        memcpy(&record, from, bytes);
        record.op = MST_OP_USER;
        memset(record.op_name, 'x', sizeof record.op_name);
        record.op_name[1] = '\n';
        memset(record.factor, 'y', sizeof record.factor);
        from = &record;
    }
    if (tag == MST_LINK_SPLITS && bytes == sizeof told) {
        memcpy(&told, from, bytes);
        told.status = told.status == MUSTER_OK ? 1234 : told.status;
        from = &told;
    }
    return honest->send(link, to, tag, from, bytes, transfer);
}

/* From now on the link has these of its methods. */
static void lie(mst_link *link, mst_link_methods changed)
{
    static mst_link_methods methods;

    honest = link->methods;
    methods = *honest;
    methods.send = changed.send ? changed.send : methods.send;
    methods.where = changed.where ? changed.where : methods.where;
    methods.refusal = changed.refusal ? changed.refusal : methods.refusal;
    methods.tell = changed.tell ? changed.tell : methods.tell;
    methods.is_broken = changed.is_broken ? changed.is_broken : methods.is_broken;
    link->methods = &methods;
}

/* Rank 1 says that it has called an operation whose name has no end, and that its part of a group has failed
 * in a way that there is not. */
static int send_lies(muster_group *ranks, void *arg)
{
    char name[MUSTER_OP_NAME_BYTES + 1];
    muster_group *world, *child;
    int32_t x = 1;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 1)
        lie(mst_hosts_of(world)->link, (mst_link_methods){ .send = send_nonsense });
    RANK_CHECK(world, muster_group_split(world, 0, -1, &child) == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 could not make its part of a group"));
    muster_status status = muster_all_sum(&x, &x, 1, MUSTER_INT32, world);
    memset(name, 'x', sizeof name);
    name[1] = '?';
    memcpy(name + MUSTER_OP_NAME_BYTES - 1, ")", 2);
    if (muster_group_rank(world) == 0) {
        RANK_CHECK(world, status == MUSTER_ERR_MISMATCH && can_be_shown(muster_error_detail()));
        RANK_CHECK(world, strstr(muster_error_detail(), name) && !strchr(muster_error_detail(), 'y'));
    }
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_records_and_statuses)
{
    with_hosts("2", 2, send_lies);
}
END_TEST

/* ---- counts ---- */

/* Names a rank that there is not. */
static muster_status send_other_giver(mst_link *link, int to, int tag, const void *from, size_t bytes,
                                      muster_request *transfer)
{
    static uint64_t difference[3]; /* giver, given, taken */

    if (tag == MST_LINK_COLLECTIVES && bytes == sizeof difference) {
        memcpy(difference, from, bytes);
        difference[0] = ((uint64_t)1 << 40) + 5;
        from = difference;
    }
    return honest->send(link, to, tag, from, bytes, transfer);
}

static void say_nothing(mst_link *link, const mst_link_reason *reason)
{
    (void)link;
    (void)reason;
}

/* Rank 1 takes more than rank 0 gives, and says that it is another's. */
static int send_wrong_counts(muster_group *ranks, void *arg)
{
    size_t counts[2] = { 1, 1 };
    int32_t x = 1, all[3];
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 1) {
        counts[0] = 2;
        lie(mst_hosts_of(world)->link, (mst_link_methods){ .send = send_other_giver, .tell = say_nothing });
    }
    muster_status status = muster_all_gatherv(&x, 1, all, counts, NULL, MUSTER_INT32, world);
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH);
    if (muster_group_rank(world) == 0)
        RANK_CHECK(world, strcmp(muster_error_detail(), "the counts of the ranks do not agree") == 0);
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_counts)
{
    with_hosts("2", 2, send_wrong_counts);
}
END_TEST

/* ---- colors ---- */

/* Says that rank 1 has given another color. */
static muster_status send_other_color(mst_link *link, int to, int tag, const void *from, size_t bytes,
                                      muster_request *transfer)
{
    static mst_told all[3];

    if (tag == MST_LINK_SPLITS && bytes == sizeof all) {
        memcpy(all, from, bytes);
        all[1].color++;
        from = all;
    }
    return honest->send(link, to, tag, from, bytes, transfer);
}

/* Rank 0 passes on another color than rank 1 gave: that one finds out. */
static int pass_on_lies(muster_group *ranks, void *arg)
{
    muster_group *world, *child;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 0)
        lie(mst_hosts_of(world)->link, (mst_link_methods){ .send = send_other_color });
    RANK_CHECK(world, muster_group_split(world, 0, -1, &child) == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, strstr(muster_error_detail(),
                             "rank 1 gave color 0 and key 1, and rank 0 passed on color 1 and key 1"));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

/* Tells one color, and does what another one needs. */
static int tell_another_color(muster_group *world)
{
    mst_hosts_group *parent = mst_hosts_of(world);
    mst_told all[3] = { [1] = { .color = 1 } };
    mst_making making = { .parent = parent, .doing = "split" };
    muster_group *local;

    RANK_OK(world, mst_tell_all(&making, parent->link, all));
    RANK_OK(world, muster_group_split(parent->local, 0, 0, &local));
    RANK_OK(world, muster_group_free(local));
    all[1].status = MUSTER_OK;
    RANK_OK(world, mst_tell_all(&making, parent->link, all));
    RANK_CHECK(world, all[0].status == MUSTER_ERR_BAD_ARENA && all[2].status == MUSTER_OK);
    return 0;
}

/* Rank 1 has the place on its host of a member that the others do not list. The group is refused, and the
 * parent is whole. */
static int tell_lies(muster_group *ranks, void *arg)
{
    muster_group *world, *child;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 1) {
        if (tell_another_color(world))
            return 1;
    } else {
        RANK_CHECK(world, muster_group_split(world, 0, -1, &child) == MUSTER_ERR_BAD_ARENA);
        RANK_CHECK(world, strstr(muster_error_detail(),
                                 muster_group_rank(world) == 0
                                     ? "a group was to have 2 members, 1 of them on this host, and its parts "
                                       "have 2 and 2"
                                     : "rank 0 could not make its part of a group"));
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_colors)
{
    with_hosts("0,0,1", 3, pass_on_lies);
    with_hosts("0,0,1", 3, tell_lies);
}
END_TEST

/* ---- cost ---- */

static int looks;

static bool count_look(mst_link *link, mst_link_reason *reason)
{
    looks++;
    return honest->is_broken(link, reason);
}

/* What needs no wait does not look round: it asks the hidden groups for no more than a glance. */
static int send_to_oneself(muster_group *ranks, void *arg)
{
    muster_group *world;
    int32_t x = 0;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    RANK_OK(world, muster_barrier(world));
    lie(mst_hosts_of(world)->link, (mst_link_methods){ .is_broken = count_look });
    for (int i = 0; i < 100; i++) {
        RANK_OK(world, muster_send(&i, 1, MUSTER_INT32, muster_group_rank(world), 0, world));
        RANK_OK(world, muster_recv(&x, 1, MUSTER_INT32, muster_group_rank(world), 0, world, NULL));
        RANK_CHECK(world, x == i);
    }
    RANK_CHECK(world, looks == 0);
    RANK_OK(world, muster_group_status(world));
    RANK_CHECK(world, looks == 1);
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_glance_is_enough)
{
    with_hosts("2", 2, send_to_oneself);
}
END_TEST

/* ---- names of hosts ---- */

static const char *say_where(mst_link *link, int rank)
{
    (void)link;
    return rank == 1 ? "host b" : "host a";
}

/* Rank 0 waits for rank 1, which does not come. */
static int name_the_host(muster_group *ranks, void *arg)
{
    const char *words = "for rank 1 on host b";
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *world;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 0) {
        lie(mst_hosts_of(world)->link, (mst_link_methods){ .where = say_where });
        RANK_OK(world, muster_barrier_start(world, &request));
        RANK_CHECK(world, muster_wait(&request, 20000000) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), words));
    }
    AWAIT(muster_group_status(world) == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, strstr(muster_error_detail(), words));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_sentence_names_the_host)
{
    with_hosts("2", 2, name_the_host);
}
END_TEST

/* ---- threads that may not use the link ---- */

static const char *refuse(mst_link *link)
{
    (void)link;
    return "this thread reaches no other host";
}

/* Also such a thread learns what has broken the group here, which the link does not know yet; and then the
 * other hosts do. */
static int break_here(muster_group *ranks, void *arg)
{
    const char *words = "among the ranks of its host: rank 0 aborted the group: enough";
    muster_request request = MUSTER_REQUEST_INIT;
    muster_group *world;
    bool over;
    int x;

    RANK_OK(ranks, attach_over_hosts(ranks, arg, NULL, &world));
    if (muster_group_rank(world) == 0) {
        muster_group *local = mst_hosts_of(world)->local;

        RANK_OK(world, muster_recv_start(&x, 1, MUSTER_INT32, 2, 0, world, NULL, &request));
        lie(mst_hosts_of(world)->link, (mst_link_methods){ .refusal = refuse });
        RANK_CHECK(world, muster_test(&request, &over) == MUSTER_ERR_UNSUPPORTED);
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_UNSUPPORTED);
        local->backend->abort_group(local, "enough");
        RANK_CHECK(world, muster_test(&request, &over) == MUSTER_ERR_ABORTED);
        RANK_CHECK(world, strstr(muster_error_detail(), words));
    }
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), words));
    RANK_OK(world, muster_group_free(world));
    return 0;
}

START_TEST(test_a_thread_that_is_refused_learns_what_is_broken)
{
    with_hosts("0,0,1", 3, break_here);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_link");
    TCase *tests = tcase_create("hosts_link");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it sees nothing of processes */
        tcase_add_test(tests, test_reasons);
        tcase_add_test(tests, test_records_and_statuses);
        tcase_add_test(tests, test_counts);
        tcase_add_test(tests, test_colors);
        tcase_add_test(tests, test_a_glance_is_enough);
        tcase_add_test(tests, test_a_sentence_names_the_host);
        tcase_add_test(tests, test_a_thread_that_is_refused_learns_what_is_broken);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
