/* Ranks whose counts for each other disagree: every pair, in all collectives that have counts by rank; and
 * what one rank alone is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

#define RANKS_MAX 8

/* ---- disagreements ---- */

typedef enum varied { AG, G, S, AA, RS, VARIED } varied;

/* Counts of blocks of `count` elements, but in the opinion of `odd`, which counts one more between it and
 * `about`: as taker or, if it `gives`, as giver. Arrays are of one number per rank. */
typedef struct odd_call {
    varied which;
    int odd, about;
    bool gives;
    size_t count, ins[RANKS_MAX], outs[RANKS_MAX];
} odd_call;

static odd_call make_odd(varied which, int odd, int about, bool gives, size_t count, int rank)
{
    odd_call made = { which, odd, about, gives, count, { 0 }, { 0 } };

    for (int r = 0; r < RANKS_MAX; r++)
        made.ins[r] = made.outs[r] = count;
    if (rank == odd && which == AG && gives)
        made.outs[rank]++;
    else if (rank == odd)
        (gives ? made.ins : made.outs)[about]++;
    return made;
}

static muster_status call_oddly(const odd_call *c, int64_t *in, int64_t *out, muster_group *group)
{
    int rank = muster_group_rank(group);
    const size_t *ins = c->ins, *outs = c->outs;
    size_t own = rank == c->odd ? c->count + 1 : c->count;

    switch (c->which) {
    case AG: /* who gives more says so in its table, too */
        return muster_all_gatherv(in, outs[rank], out, outs, NULL, MUSTER_INT64, group);
    case G: /* the root is who takes */
        return muster_gatherv(in, c->gives ? own : c->count, out, outs, NULL, MUSTER_INT64,
                              c->gives ? c->about : c->odd, group);
    case S: /* the root is who gives */
        return muster_scatterv(in, ins, NULL, out, c->gives ? c->count : own, MUSTER_INT64,
                               c->gives ? c->odd : c->about, group);
    case AA:
        return muster_all_to_allv(in, ins, NULL, out, outs, NULL, MUSTER_INT64, group);
    default:
        return muster_reduce_scatterv(in, c->gives ? ins : outs, out, MUSTER_INT64, MUSTER_SUM, group);
    }
}

static muster_status start_oddly(const odd_call *c, int64_t *in, int64_t *out, muster_group *group,
                                 muster_request *request)
{
    int rank = muster_group_rank(group);
    const size_t *ins = c->ins, *outs = c->outs;
    size_t own = rank == c->odd ? c->count + 1 : c->count;

    switch (c->which) {
    case AG:
        return muster_all_gatherv_start(in, outs[rank], out, outs, NULL, MUSTER_INT64, group, request);
    case G:
        return muster_gatherv_start(in, c->gives ? own : c->count, out, outs, NULL, MUSTER_INT64,
                                    c->gives ? c->about : c->odd, group, request);
    case S:
        return muster_scatterv_start(in, ins, NULL, out, c->gives ? c->count : own, MUSTER_INT64,
                                     c->gives ? c->odd : c->about, group, request);
    case AA:
        return muster_all_to_allv_start(in, ins, NULL, out, outs, NULL, MUSTER_INT64, group, request);
    default:
        return muster_reduce_scatterv_start(in, c->gives ? ins : outs, out, MUSTER_INT64, MUSTER_SUM, group,
                                            request);
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

/* Whether the error is about the one that gives, and there about the one that takes: of the sentence's pair,
 * each is told of the other. */
static bool is_about_other(const muster_group *group)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    const char *backend = getenv("TEST_BACKEND"),
               *pair = strstr(muster_error_detail(), " of the group, rank ");
    bool is_of_tests = backend && strcmp(backend, "threads") == 0; /* it says the same to all */
    int giver = -1, taker = -1;

    muster_last_error(&info);
    return pair &&
           sscanf(pair, " of the group, rank %d gives %*u elements to rank %d", &giver, &taker) == 2 &&
           info.rank == (muster_group_rank(group) == giver && !is_of_tests ? taker : giver);
}

/* Of operations that were started the counts are looked at when all ranks have started them. */
static muster_status run_oddly(const odd_call *c, bool starts, int64_t *in, int64_t *out, muster_group *group)
{
    muster_request request = MUSTER_REQUEST_INIT;

    if (!starts)
        return call_oddly(c, in, out, group);
    muster_status status = start_oddly(c, in, out, group, &request);
    return status == MUSTER_OK ? muster_wait(&request, 0) : status;
}

static int disagree_about(muster_group *world, varied which, int odd, int about, bool gives, size_t count,
                          bool starts)
{
    odd_call call = make_odd(which, odd, about, gives, count, muster_group_rank(world));
    size_t all = (size_t)muster_group_size(world) * (count + 1);
    int64_t *in = calloc(all, sizeof *in), *out = calloc(all, sizeof *out);
    muster_group *group;

    RANK_CHECK(world, in && out);
    for (size_t i = 0; i < all; i++) {
        in[i] = 1;
        out[i] = 12345;
    }
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_CHECK(world, run_oddly(&call, starts, in, out, group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, names_pair(which, odd, about, gives, count) && is_about_other(group));
    for (size_t i = 0; i < all; i++)
        RANK_CHECK(world, out[i] == 12345);
    RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, names_pair(which, odd, about, gives, count) && is_about_other(group));
    RANK_OK(world, muster_group_free(group));
    free(in);
    free(out);
    return 0;
}

/* Every pair of ranks, from either side. arg: they start the operations. */
static int disagree(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 30, 2000 };
    int size = muster_group_size(world), number = 0;

    for (varied which = 0; which < VARIED; which++)
        for (int odd = 0; odd < size; odd++)
            for (int about = 0; about < size; about++)
                for (int gives = 0; gives < 2; gives++)
                    if (about != odd &&
                        disagree_about(world, which, odd, about, gives, counts[number++ % 4], arg != NULL))
                        return 1;
    return 0;
}

START_TEST(test_every_pair_that_disagrees)
{
    for (int size = 2; size <= 4; size++)
        run_ranks(size, size == 3 && on_one_host() ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, disagree, NULL);
}
END_TEST

START_TEST(test_started_ones_that_disagree)
{
    bool starts = true;

    run_ranks(3, RANKS_AS_THREADS, disagree, &starts);
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
    size_t half[RANKS_MAX], far[RANKS_MAX]; /* of what memory can have; beyond that */
    int32_t x[64] = { 0 }, y[64];

    (void)arg;
    for (int r = 0; r < n; r++) {
        ones[r] = 1;
        twos[r] = 2;
        huge[r] = SIZE_MAX / 2;
        wrapping[r] = SIZE_MAX - (size_t)r;
        half[r] = PTRDIFF_MAX / sizeof *x / 2;
        far[r] = PTRDIFF_MAX / sizeof *x + (size_t)r;
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
    REFUSED(muster_all_gatherv(x, 1, y, ones, far, MUSTER_INT32, world), "out buffer are more bytes");
    REFUSED(muster_all_gatherv(x, far[0] + 1, y, ones, NULL, MUSTER_INT32, world),
            "in buffer are more bytes");
    if (n > 2) /* together */
        REFUSED(muster_all_to_allv(x, half, same, y, ones, NULL, MUSTER_INT32, world),
                "in buffer are more bytes");
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

/* ---- calls that seem to be repeated ---- */

/* The same buffers and numbers as in the call before: in another array, with that one overwritten; and
 * without the displacements that it had, which were other ones. */
static int call_again(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t first[RANKS_MAX], second[RANKS_MAX], turned[RANKS_MAX];
    int32_t x = rank + 1, y[RANKS_MAX];

    (void)arg;
    for (int r = 0; r < n; r++) {
        first[r] = second[r] = 1;
        turned[r] = (size_t)(n - 1 - r);
    }
    RANK_OK(world, muster_all_gatherv(&x, 1, y, first, NULL, MUSTER_INT32, world));
    memset(first, 0, sizeof first);
    memset(y, 0, sizeof y);
    RANK_OK(world, muster_all_gatherv(&x, 1, y, second, NULL, MUSTER_INT32, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, y[r] == r + 1);
    RANK_OK(world, muster_all_gatherv(&x, 1, y, second, turned, MUSTER_INT32, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, y[r] == n - r);
    RANK_OK(world, muster_all_gatherv(&x, 1, y, second, NULL, MUSTER_INT32, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, y[r] == r + 1);
    return 0;
}

START_TEST(test_calls_that_seem_repeated)
{
    run_all_sizes(call_again, NULL);
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
    tcase_add_test(tests, test_calls_that_seem_repeated);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
