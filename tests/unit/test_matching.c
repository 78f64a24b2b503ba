/* Matching against a naive reference: every sequence of a few steps, and long random ones. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/pure/matching.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { SOURCES = 3, TAGS = 3, STEPS_MAX = 4000 };

typedef struct item {
    mst_match_node node; /* first */
    int name;
    bool waits;
} item;

/* The reference: receives and messages in order, looked through from the beginning. */
typedef struct naive {
    item *posted[STEPS_MAX], *unexpected[STEPS_MAX];
    int posted_count, unexpected_count, served;
} naive;

static bool matches(const mst_match_node *receive, int source, int tag)
{
    return (receive->source == MST_ANY || receive->source == source) &&
           (receive->tag == MST_ANY || receive->tag == tag);
}

static item *naive_arrive(naive *naive, int source, int tag)
{
    for (int i = 0; i < naive->posted_count; i++)
        if (naive->posted[i]->waits && matches(&naive->posted[i]->node, source, tag)) {
            naive->posted[i]->waits = false;
            return naive->posted[i];
        }
    return NULL;
}

static item *naive_find(const naive *naive, int source, int tag)
{
    for (int turn = 1; turn <= SOURCES; turn++) {
        int from = source == MST_ANY ? (naive->served + turn) % SOURCES : source;

        for (int i = 0; i < naive->unexpected_count; i++) {
            item *at = naive->unexpected[i];

            if (at->waits && at->node.source == from && (tag == MST_ANY || at->node.tag == tag))
                return at;
        }
    }
    return NULL;
}

typedef struct both {
    mst_matching matching;
    naive naive;
    item items[STEPS_MAX];
    int count;
} both;

static void receive(both *both, int source, int tag)
{
    item *found = naive_find(&both->naive, source, tag);

    ck_assert_ptr_eq(mst_matching_find(&both->matching, source, tag), found ? &found->node : NULL);
    if (found) {
        found->waits = false;
        mst_matching_take(&both->matching, &found->node);
        if (source == MST_ANY) {
            both->naive.served = found->node.source;
            mst_matching_serve(&both->matching, found->node.source);
        }
        return;
    }
    item *made = &both->items[both->count++];
    *made = (item){ .node = { .source = source, .tag = tag }, .waits = true };
    both->naive.posted[both->naive.posted_count++] = made;
    mst_matching_post(&both->matching, &made->node);
}

static void arrive(both *both, int source, int tag)
{
    item *found = naive_arrive(&both->naive, source, tag);

    ck_assert_ptr_eq(mst_matching_arrive(&both->matching, source, tag), found ? &found->node : NULL);
    if (found)
        return;
    item *made = &both->items[both->count++];
    *made = (item){ .node = { .source = source, .tag = tag }, .waits = true };
    both->naive.unexpected[both->naive.unexpected_count++] = made;
    mst_matching_keep(&both->matching, &made->node);
}

static void cancel(both *both, int at)
{
    if (at >= both->naive.posted_count || !both->naive.posted[at]->waits)
        return;
    both->naive.posted[at]->waits = false;
    mst_matching_unpost(&both->matching, &both->naive.posted[at]->node);
}

/* Step 0 ... CHOICES - 1: a receive, a message, or taking a receive back. */
enum { RECEIVES = (SOURCES + 1) * (TAGS + 1), MESSAGES = SOURCES * TAGS, CHOICES = RECEIVES + MESSAGES + 2 };

static void step(both *both, int choice)
{
    if (choice < RECEIVES)
        receive(both, choice / (TAGS + 1) - 1, choice % (TAGS + 1) - 1);
    else if (choice < RECEIVES + MESSAGES)
        arrive(both, (choice - RECEIVES) / TAGS, (choice - RECEIVES) % TAGS);
    else
        cancel(both, choice - RECEIVES - MESSAGES);
}

static void begin(both *both)
{
    both->count = both->naive.posted_count = both->naive.unexpected_count = both->naive.served = 0;
    ck_assert(mst_matching_init(&both->matching, SOURCES));
}

START_TEST(test_every_sequence_of_four_steps)
{
    static both both;

    for (int all = 0; all < CHOICES * CHOICES * CHOICES * CHOICES; all++) {
        begin(&both);
        for (int rest = all, i = 0; i < 4; i++, rest /= CHOICES)
            step(&both, rest % CHOICES);
        mst_matching_destroy(&both.matching);
    }
}
END_TEST

START_TEST(test_long_sequences)
{
    static both both;
    const char *seed = getenv("TEST_SEED");
    uint64_t state = seed ? strtoull(seed, NULL, 0) : 1;

    int runs = under_address_sanitizer() ? 20 : 200;

    for (int run = 0; run < runs; run++) {
        int receives_of_100 = 20 + (int)(random_next(&state) % 60); /* the one or the other piles up */

        begin(&both);
        for (int i = 0; i < STEPS_MAX - 1; i++) {
            bool posts = (int)(random_next(&state) % 100) < receives_of_100;

            step(&both, posts ? (int)(random_next(&state) % RECEIVES)
                              : RECEIVES + (int)(random_next(&state) % (MESSAGES + 2)));
        }
        mst_matching_destroy(&both.matching);
    }
}
END_TEST

START_TEST(test_a_table_of_many)
{
    enum { MANY = 20000 };
    mst_match_table table;
    mst_match_node *nodes = calloc(MANY, sizeof *nodes);

    ck_assert(nodes && mst_table_init(&table));
    for (int i = 0; i < MANY; i++) {
        nodes[i].source = i % 7;
        nodes[i].tag = i / 14; /* two of each */
        mst_table_insert(&table, &nodes[i]);
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(mst_table_find(&table, i % 7, i / 14), &nodes[i]); /* the first of the two */
        mst_table_remove(&table, &nodes[i]);
    }
    ck_assert_ptr_null(mst_table_find(&table, 0, 0));
    mst_table_destroy(&table);
    free(nodes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("matching");
    TCase *tests = tcase_create("matching");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_sequence_of_four_steps);
    tcase_add_test(tests, test_long_sequences);
    tcase_add_test(tests, test_a_table_of_many);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
