/* Ranks whose counts for each other disagree: every pair, in all collectives that have counts by rank; and
 * what one rank alone is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

#define RANKS_MAX 8

/* ---- disagreements ---- */

typedef enum varied { AG, G, S, AA, RS, VARIED } varied;

/* A call in which all blocks have `count` elements, but in the opinion of `odd`, which counts one more
 * between it and `about`: as taker or, if it `gives`, as giver. Arrays are of one number per rank. */
static muster_status call_oddly(varied which, int odd, int about, bool gives, size_t count, int64_t *in,
                                int64_t *out, muster_group *group)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);
    size_t ins[RANKS_MAX], outs[RANKS_MAX];

    for (int r = 0; r < size; r++)
        ins[r] = outs[r] = count;
    if (rank == odd && which == AG && gives)
        outs[rank]++;
    else if (rank == odd)
        (gives ? ins : outs)[about]++;
    switch (which) {
    case AG: /* who gives more says so in its table, too */
        return muster_all_gatherv(in, outs[rank], out, outs, NULL, MUSTER_INT64, group);
    case G: /* the root is who takes */
        return muster_gatherv(in, gives && rank == odd ? count + 1 : count, out, outs, NULL, MUSTER_INT64,
                              gives ? about : odd, group);
    case S: /* the root is who gives */
        return muster_scatterv(in, ins, NULL, out, !gives && rank == odd ? count + 1 : count, MUSTER_INT64,
                               gives ? odd : about, group);
    case AA:
        return muster_all_to_allv(in, ins, NULL, out, outs, NULL, MUSTER_INT64, group);
    default:
        return muster_reduce_scatterv(in, gives ? ins : outs, out, MUSTER_INT64, MUSTER_SUM, group);
    }
}

/* Whether the sentence has the pair and both counts. A table that all should have alike is odd to all that
 * read it: then the pair is another one, but one of its ranks is the odd one. */
static bool names_pair(varied which, int odd, int about, bool gives, size_t count)
{
    char given[80], taken[80];
    int giver = gives ? odd : about, taker = gives ? about : odd;

    if (which == AG || which == RS)
        snprintf(given, sizeof given, "rank %d", odd);
    else
        snprintf(given, sizeof given, "rank %d gives %zu elements to rank %d", giver, count + (gives ? 1 : 0),
                 taker);
    snprintf(taken, sizeof taken, "takes %zu from rank", count + (gives ? 0 : 1));
    return strstr(muster_error_detail(), given) &&
           (which == AG || which == RS || strstr(muster_error_detail(), taken));
}

static int disagree_about(muster_group *world, varied which, int odd, int about, bool gives, size_t count)
{
    size_t all = (size_t)muster_group_size(world) * (count + 1);
    int64_t *in = calloc(all, sizeof *in), *out = calloc(all, sizeof *out);
    muster_group *group;

    RANK_CHECK(world, in && out);
    for (size_t i = 0; i < all; i++) {
        in[i] = 1;
        out[i] = 12345;
    }
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_CHECK(world, call_oddly(which, odd, about, gives, count, in, out, group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, names_pair(which, odd, about, gives, count));
    for (size_t i = 0; i < all; i++)
        RANK_CHECK(world, out[i] == 12345);
    RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, names_pair(which, odd, about, gives, count));
    RANK_OK(world, muster_group_free(group));
    free(in);
    free(out);
    return 0;
}

/* Every pair of ranks, from either side. */
static int disagree(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 30, 2000 };
    int size = muster_group_size(world), number = 0;

    (void)arg;
    for (varied which = 0; which < VARIED; which++)
        for (int odd = 0; odd < size; odd++)
            for (int about = 0; about < size; about++)
                for (int gives = 0; gives < 2; gives++)
                    if (about != odd && disagree_about(world, which, odd, about, gives, counts[number++ % 4]))
                        return 1;
    return 0;
}

START_TEST(test_every_pair_that_disagrees)
{
    for (int size = 2; size <= 4; size++)
        run_ranks(size, size == 3 && on_one_host() ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, disagree, NULL);
}
END_TEST

/* The same of operations that were started: they are looked at when all ranks have started them. */
static int disagree_started(muster_group *world, void *arg)
{
    int size = muster_group_size(world), rank = muster_group_rank(world), number = 0;

    (void)arg;
    for (int odd = 0; odd < size; odd++)
        for (int about = 0; about < size; about++, number++) {
            size_t ins[] = { 3, 3, 3 }, outs[] = { 3, 3, 3 };
            int64_t in[12] = { 0 }, out[12] = { 12345 };
            muster_request request;
            muster_group *group;

            if (about == odd)
                continue;
            if (rank == odd)
                (number % 2 ? ins : outs)[about]++;
            RANK_OK(world, muster_group_split(world, 0, -1, &group));
            RANK_OK(group,
                    muster_all_to_allv_start(in, ins, NULL, out, outs, NULL, MUSTER_INT64, group, &request));
            RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_MISMATCH);
            RANK_CHECK(world, names_pair(AA, odd, about, number % 2, 3));
            RANK_CHECK(world, out[0] == 12345);
            RANK_OK(world, muster_group_free(group));
        }
    return 0;
}

START_TEST(test_started_ones_that_disagree)
{
    run_ranks(3, RANKS_AS_THREADS, disagree_started, NULL);
}
END_TEST

/* Disagreements that cancel each other out in every sum. */
static int swap_counts(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    size_t ins[] = { 1, 1, 1 }, outs[] = { 1, 1, 1 };
    int64_t in[6] = { 0 }, out[6];

    (void)arg;
    if (rank == 0)
        ins[1] = 2;
    if (rank == 2)
        outs[0] = 2;
    RANK_CHECK(world, muster_all_to_allv(in, ins, NULL, out, outs, NULL, MUSTER_INT64, world) ==
                          MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 gives 2 elements to rank 1, and rank 1 takes 1"));
    return 0;
}

START_TEST(test_disagreements_that_cancel_out)
{
    run_ranks(3, RANKS_AS_THREADS, swap_counts, NULL);
}
END_TEST

/* ---- what is refused ---- */

static bool says(muster_status status, const char *words)
{
    if (status == MUSTER_ERR_INVALID && strstr(muster_error_detail(), words))
        return true;
    fprintf(stderr, "%d, and not \"%s\": %s\n", status, words, muster_error_detail());
    return false;
}

#define REFUSED(call, words) RANK_CHECK(world, says(call, words))

static int refuse(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t ones[RANKS_MAX], twos[RANKS_MAX], huge[RANKS_MAX], same[RANKS_MAX] = { 0 }, wrapping[RANKS_MAX];
    int32_t x[64] = { 0 }, y[64];

    (void)arg;
    for (int r = 0; r < n; r++) {
        ones[r] = 1;
        twos[r] = 2;
        huge[r] = SIZE_MAX / 2;
        wrapping[r] = SIZE_MAX - (size_t)r;
    }
    REFUSED(muster_all_gatherv(x, 1, y, NULL, NULL, MUSTER_INT32, world),
            "all_gatherv: the counts of the out buffer are NULL");
    REFUSED(muster_all_to_allv(x, NULL, NULL, y, ones, NULL, MUSTER_INT32, world),
            "all_to_allv: the counts of the in buffer are NULL");
    REFUSED(muster_reduce_scatterv(x, NULL, y, MUSTER_INT32, MUSTER_SUM, world),
            "reduce_scatterv(sum): the counts of the in buffer are NULL");
    REFUSED(muster_gatherv(x, 1, y, NULL, NULL, MUSTER_INT32, rank, world), "gatherv: the counts of the out");
    REFUSED(muster_scatterv(x, NULL, NULL, y, 1, MUSTER_INT32, rank, world),
            "scatterv: the counts of the in");
    REFUSED(muster_gatherv(x, 1, y, ones, NULL, MUSTER_INT32, n, world), "is not a rank");
    REFUSED(muster_all_gatherv(NULL, 1, y, ones, NULL, MUSTER_INT32, world), "the in buffer is NULL");
    REFUSED(muster_all_gatherv(x, 1, NULL, ones, NULL, MUSTER_INT32, world), "the out buffer is NULL");
    REFUSED(muster_all_gatherv(x, 3, y, ones, NULL, MUSTER_INT32, world),
            "gives itself 3 elements and takes 1");
    REFUSED(muster_all_to_allv(x, ones, NULL, y, twos, NULL, MUSTER_INT32, world),
            "gives itself 1 elements and takes 2");
    REFUSED(muster_all_to_allv(x, ones, NULL, x, ones, NULL, MUSTER_INT32, world), "overlap");
    REFUSED(muster_all_gatherv(x, 1, y, ones, wrapping, MUSTER_INT32, world), "more bytes than memory");
    REFUSED(muster_all_gatherv(x, SIZE_MAX / 2, y, huge, NULL, MUSTER_INT32, world),
            "more bytes than memory");
    REFUSED(muster_scan(x, x + 1, 4, MUSTER_INT32, MUSTER_SUM, world), "overlap");
    REFUSED(muster_scan(x, y, 4, MUSTER_INT32, (muster_op)99, world), "is not an op");
    if (n > 1) {
        int other = rank ? 0 : 1;

        REFUSED(muster_all_gatherv(x, 1, y, ones, same, MUSTER_INT32, world),
                "blocks 0 and 1 of the out buffer overlap");
        REFUSED(muster_all_gatherv(x + other, 1, x, ones, NULL, MUSTER_INT32, world), "overlap");
        REFUSED(muster_reduce_scatterv(x, ones, x + other, MUSTER_INT32, MUSTER_SUM, world), "overlap");
    }
    RANK_OK(world, muster_group_status(world));
    RANK_OK(world, muster_all_to_allv(x, ones, same, y, ones, NULL, MUSTER_INT32, world)); /* inputs may */
    return 0;
}

START_TEST(test_refusals)
{
    run_all_sizes(refuse, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counts");
    TCase *tests = tcase_create("counts by rank");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_pair_that_disagrees);
    tcase_add_test(tests, test_started_ones_that_disagree);
    tcase_add_test(tests, test_disagreements_that_cancel_out);
    tcase_add_test(tests, test_refusals);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
