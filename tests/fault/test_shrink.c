/*
 * Survivors go on: whoever is left of a group, for whatever reason it broke, agrees on a new one that
 * works, under further deaths, down to a group of one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "shm/arena/attachment.h"
#include "src/onehost/group/group.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

/* That a group works, and is of those who are meant: the sum of 2^(rank in the world). */
static int check_works(muster_group *group, muster_group *world, uint64_t members)
{
    uint64_t mine = 1ULL << muster_group_rank(world), sum = 0, large[3000];

    RANK_OK(group, muster_all_sum(&mine, &sum, 1, MUSTER_UINT64, group));
    RANK_CHECK(group, sum == members);
    for (int i = 0; i < 3000; i++)
        large[i] = mine;
    RANK_OK(group, muster_all_sum(large, large, 3000, MUSTER_UINT64, group));
    RANK_CHECK(group, large[0] == members && large[2999] == members);
    for (int rank = 0, at = 0; rank < muster_group_size(world); rank++) {
        int expected = members >> rank & 1 ? at++ : -1;

        RANK_CHECK(group, muster_group_translate(world, rank, group) == expected);
        RANK_CHECK(group, expected < 0 || muster_group_translate(group, expected, world) == rank);
    }
    return 0;
}

static uint64_t all_of(const muster_group *group)
{
    return (1ULL << muster_group_size(group)) - 1;
}

/* ---- one after another ---- */

static int die_one_after_another(muster_group *world, void *arg)
{
    const int *order = arg;
    muster_group *group = world, *smaller;
    uint64_t living = all_of(world);

    for (int deaths = 0; deaths < muster_group_size(world) - 1; deaths++) {
        int victim = order[deaths] % muster_group_size(group);
        int in_world = muster_group_translate(group, victim, world);

        if (muster_group_rank(group) == victim)
            raise(SIGKILL);
        living &= ~(1ULL << in_world);
        RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_group_shrink(group, &smaller));
        RANK_CHECK(world, muster_group_status(smaller) == MUSTER_OK);
        if (check_works(smaller, world, living))
            return 1;
        if (group != world)
            muster_group_free(group);
        group = smaller;
    }
    RANK_CHECK(world, muster_group_size(group) == 1);
    return 0;
}

START_TEST(test_deaths_one_after_another_leave_one)
{
    int first[8] = { 0 }, last[8] = { 7, 6, 5, 4, 3, 2, 1, 0 }, mixed[8] = { 3, 0, 2, 5, 1, 1, 0, 0 };
    int *orders[] = { first, last, mixed };
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[8];

    for (int size = 2; size <= 8; size++)
        for (int i = 0; i < 3; i++) {
            int survivors = 0;

            report.terminations = terminations;
            run_failing_ranks((rank_options){ .size = size }, die_one_after_another, orders[i], &report);
            for (int rank = 0; rank < size; rank++)
                survivors +=
                    terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0;
            ck_assert_msg(survivors == 1, "%d ranks, order %d: %d survivors are content", size, i, survivors);
        }
}
END_TEST

/* ---- many at once, and while others shrink ---- */

typedef struct scene {
    int survivor;
    uint64_t seed;
    uint64_t doomed;    /* ranks that will be killed, sooner or later */
    uint64_t agreed[8]; /* by rank: the members that it got at last */
    int rounds[8];
} scene;

/* Works, and shrinks whenever somebody has died, until nobody is left who will. All must have reached the
 * same group then; on the way there, an operation may succeed on some ranks and fail on others. */
static int go_on_until_nobody_dies(muster_group *world, scene *scene)
{
    int rank = muster_group_rank(world);
    muster_group *group = world, *smaller;
    uint64_t mine = 1ULL << rank, sum = ~0ULL;

    while (sum & scene->doomed) {
        muster_status status = muster_all_sum(&mine, &sum, 1, MUSTER_UINT64, group);
        if (status == MUSTER_OK)
            continue;
        sum = ~0ULL;
        RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_group_shrink(group, &smaller));
        if (group != world)
            muster_group_free(group);
        group = smaller;
        scene->rounds[rank]++;
    }
    scene->agreed[rank] = sum;
    return 0;
}

static int all_but_one_die_at_once(muster_group *world, void *arg)
{
    scene *scene = arg;

    RANK_OK(world, muster_barrier(world));
    if (muster_group_rank(world) != scene->survivor)
        raise(SIGKILL);
    return go_on_until_nobody_dies(world, scene);
}

START_TEST(test_all_but_one_at_once_leave_a_group_of_one)
{
    muster_report report = MUSTER_REPORT_INIT;

    for (int size = 2; size <= 8; size++) {
        scene *scene = shared_page(sizeof *scene);

        scene->survivor = size / 2;
        scene->doomed = ~(1ULL << scene->survivor);
        run_failing_ranks((rank_options){ .size = size }, all_but_one_die_at_once, scene, &report);
        ck_assert_uint_eq(scene->agreed[scene->survivor], 1ULL << scene->survivor);
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

/* Some ranks get a timer that kills them within a few hundred microseconds: before, in and after shrink. */
static int die_while_shrinking(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    uint64_t state = scene->seed + (uint64_t)rank * 7919;

    RANK_OK(world, muster_barrier(world));
    if (scene->doomed >> rank & 1) {
        struct itimerval soon = { { 0, 0 }, { 0, (suseconds_t)(1 + random_next(&state) % 3000) } };

        signal(SIGALRM, SIG_DFL);
        setitimer(ITIMER_REAL, &soon, NULL);
    }
    if (rank == (scene->survivor + 1) % muster_group_size(world))
        raise(SIGKILL);
    return go_on_until_nobody_dies(world, scene);
}

START_TEST(test_deaths_while_shrinking)
{
    const char *wanted = getenv("TEST_SHRINKS"), *seed = getenv("TEST_SEED");
    int rounds = wanted ? atoi(wanted) : 150;
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[8];

    report.terminations = terminations;
    for (int i = 0; i < rounds; i++) {
        scene *scene = shared_page(sizeof *scene);
        int size = 3 + i % 6;

        scene->seed = seed ? strtoull(seed, NULL, 10) : (uint64_t)i * 1000003;
        scene->survivor = i % size;
        scene->doomed =
            ((scene->seed >> 3 | 1ULL << (scene->survivor + 1) % size) & ~(1ULL << scene->survivor)) &
            ((1ULL << size) - 1);
        run_failing_ranks((rank_options){ .size = size }, die_while_shrinking, scene, &report);
        uint64_t agreed = scene->agreed[scene->survivor];
        for (int rank = 0; rank < size; rank++) {
            bool content =
                terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0;

            ck_assert_msg(content || (scene->doomed >> rank & 1), "seed %llu: rank %d ended with %d",
                          (unsigned long long)scene->seed, rank, terminations[rank].code);
            ck_assert_msg(!content || scene->agreed[rank] == agreed, "seed %llu: rank %d: %llx, %llx",
                          (unsigned long long)scene->seed, rank, (unsigned long long)scene->agreed[rank],
                          (unsigned long long)agreed);
            ck_assert_msg(!content || (agreed >> rank & 1), "seed %llu: rank %d was left out",
                          (unsigned long long)scene->seed, rank);
        }
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

/* ---- without a death ---- */

static int shrink_after_other_errors(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    muster_group *again, *third;

    (void)arg;
    RANK_CHECK(world, muster_group_shrink(world, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_group_shrink(NULL, &again) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_group_shrink(world, &again)); /* of a group that is well: its twin */
    if (check_works(again, world, all_of(world)))
        return 1;
    RANK_OK(world, muster_barrier(world));
    if (size == 1)
        return muster_group_free(again) != MUSTER_OK;
    muster_group_abort(again, "a try");
    RANK_CHECK(world, muster_barrier(again) == MUSTER_ERR_ABORTED);
    RANK_OK(world, muster_group_shrink(again, &third));
    if (check_works(third, world, all_of(world)))
        return 1;
    muster_group_free(again);
    if (rank == 0) { /* who has left is not waited for */
        muster_group_free(third);
        return 0;
    }
    RANK_OK(world, muster_group_shrink(third, &again));
    if (check_works(again, world, all_of(world) & ~1ULL))
        return 1;
    muster_group_free(third);
    muster_group_free(again);
    return 0;
}

START_TEST(test_shrink_without_a_death)
{
    run_all_sizes(shrink_after_other_errors, NULL);
}
END_TEST

/* Each attempt has a list of its own, of which only the last two are kept. */
static int shrink_one_group_many_times(muster_group *world, void *arg)
{
    const mst_subarena *subarena = mst_group_of(world)->subarena;
    muster_group *next;
    size_t blocks = 0;

    (void)arg;
    for (int i = 0; i < 100; i++) {
        RANK_OK(world, muster_group_shrink(world, &next));
        RANK_OK(world, muster_barrier(next));
        muster_group_free(next);
        if (i == 1)
            blocks = subarena->block_count;
        RANK_CHECK(world, i < 1 || subarena->block_count == blocks);
    }
    return 0;
}

START_TEST(test_shrinks_of_one_group_free_their_lists)
{
    run_all_sizes(shrink_one_group_many_times, NULL);
}
END_TEST

static int shrink_many_times(muster_group *world, void *arg)
{
    muster_group *group = world, *next;

    (void)arg;
    for (int i = 0; i < 300; i++) {
        RANK_OK(world, muster_group_shrink(group, &next));
        if (group != world)
            muster_group_free(group);
        group = next;
        RANK_OK(world, muster_barrier(group));
    }
    muster_group_free(group);
    return 0;
}

START_TEST(test_many_shrinks_use_the_same_memory_again)
{
    rank_options options = { .size = 4, .arena_bytes = 4 * ((size_t)20 << 20) + ((size_t)200 << 20) };

    for (options.mode = RANKS_AS_PROCESSES; options.mode <= RANKS_AS_THREADS; options.mode++)
        run_ranks_with(options, shrink_many_times, NULL);
}
END_TEST

/* Ranks 2 and 3 shrink; each may give up before the other has come. */
static int one_never_shrinks(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    const char *both = rank == 2 ? "for ranks 1 3, which live" : "for ranks 1 2, which live";
    _Atomic int *told = arg;
    muster_group *smaller;

    if (rank == 0)
        return 0; /* an orderly end: it has left */
    if (rank == 1) {
        AWAIT(*told == 2); /* lives, and is elsewhere */
        return 0;
    }
    AWAIT(state_of_seat(world, 0) == MST_RANK_LEFT);
    do
        RANK_CHECK(world, muster_group_shrink(world, &smaller) == MUSTER_ERR_TIMED_OUT);
    while (strstr(muster_error_detail(), both));
    RANK_CHECK(world, strstr(muster_error_detail(), "for rank 1, which lives and has not called it"));
    (*told)++;
    return 0;
}

START_TEST(test_shrink_names_the_living_that_do_not_come)
{
    _Atomic int *told = shared_page(sizeof *told);

    run_ranks_with((rank_options){ .size = 4, .op_timeout_s = 0.3 }, one_never_shrinks, told);
    shared_page_free(told, sizeof *told);
}
END_TEST

/* Rank 0 has given up waiting for the other, more than once, when it comes: what it brought to the first
 * shrink is there still, and says that it has left. */
static int come_late(muster_group *world, void *arg)
{
    _Atomic int *attempts = arg;
    int rank = muster_group_rank(world);
    bool first = rank > 0;
    muster_status status;
    muster_group *group;

    AWAIT(rank == 0 || *attempts >= 3);
    do {
        *attempts += rank == 0;
        status = muster_group_shrink(world, &group);
        RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_TIMED_OUT);
        bool meets_it = first && status == MUSTER_OK;

        first = false;
        if (status != MUSTER_OK)
            continue;
        status = muster_barrier(group);
        if (meets_it) {
            RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED);
            RANK_CHECK(group, strstr(muster_error_detail(), "rank 0 left the group"));
        }
        muster_group_free(group);
    } while (status != MUSTER_OK);
    return 0;
}

START_TEST(test_who_gave_up_waiting_has_left)
{
    _Atomic int *attempts = shared_page(sizeof *attempts);

    run_ranks_with((rank_options){ .size = 2, .op_timeout_s = 0.3 }, come_late, attempts);
    shared_page_free(attempts, sizeof *attempts);
}
END_TEST

/* ---- the memory of the dead ---- */

#define BUFFER_BYTES ((size_t)64 << 20)

typedef struct hoard {
    char arena[64];
    uint64_t used_at_death, used_at_last;
} hoard;

/* What the group's arena takes. */
static uint64_t memory_used(const muster_group *group)
{
    struct stat st = { 0 };

    fstat(mst_group_of_const(group)->subarena->attachment->arena->held.fd, &st);
    return (uint64_t)st.st_blocks * 512;
}

/* Gives groups back until the memory has gone, too: the dead may take a moment to give up theirs. */
static uint64_t free_until(muster_group *group, uint64_t enough)
{
    for (int i = 0; i < 20000 && memory_used(group) > enough; i++) {
        muster_group *child;

        if (muster_group_split(group, muster_group_rank(group), -1, &child) != MUSTER_OK)
            break;
        muster_group_free(child);
    }
    return memory_used(group);
}

static int die_rich(muster_group *world, void *arg)
{
    muster_config config = MUSTER_CONFIG_INIT;
    hoard *hoard = arg;
    muster_group *other, *rest;
    void *buffer;

    config.arena = hoard->arena;
    config.rank = muster_group_rank(world);
    config.size = muster_group_size(world);
    RANK_OK(world, muster_attach(&config, &other));
    RANK_OK(other, muster_barrier(other));
    if (config.rank == 1) {
        RANK_OK(other, muster_alloc(other, BUFFER_BYTES, &buffer));
        memset(buffer, 1, BUFFER_BYTES);
        raise(SIGKILL);
    }
    RANK_CHECK(other, muster_barrier(other) == MUSTER_ERR_PEER_DIED);
    RANK_OK(other, muster_group_shrink(other, &rest));
    if (config.rank == 0)
        hoard->used_at_death = memory_used(rest);
    RANK_OK(rest, muster_barrier(rest));
    RANK_OK(other, muster_group_free(other));
    RANK_OK(rest, muster_barrier(rest));
    if (config.rank == 0)
        hoard->used_at_last = free_until(rest, BUFFER_BYTES / 4);
    else
        free_until(rest, BUFFER_BYTES / 4);
    muster_group_free(rest);
    return 0;
}

START_TEST(test_memory_of_the_dead_goes_back)
{
    hoard *hoard = shared_page(sizeof *hoard);
    muster_report report = MUSTER_REPORT_INIT;

    name_of_test(hoard->arena, sizeof hoard->arena, "hoard");
    run_failing_ranks((rank_options){ .size = 3 }, die_rich, hoard, &report);
    ck_assert_int_eq(report.first_failed, 1);
    ck_assert_uint_ge(hoard->used_at_death, BUFFER_BYTES); /* or this shows nothing */
    ck_assert_uint_le(hoard->used_at_last, BUFFER_BYTES / 4);
    shared_page_free(hoard, sizeof *hoard);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shrink");
    TCase *tests = tcase_create("shrink");

    tcase_set_timeout(tests, getenv("TEST_SHRINKS") ? 100000 : TEST_TIMEOUT_S);
    tcase_add_test(tests, test_shrink_without_a_death);
    tcase_add_test(tests, test_many_shrinks_use_the_same_memory_again);
    tcase_add_test(tests, test_shrinks_of_one_group_free_their_lists);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_test(tests, test_deaths_one_after_another_leave_one);
        tcase_add_test(tests, test_all_but_one_at_once_leave_a_group_of_one);
        tcase_add_test(tests, test_deaths_while_shrinking);
        tcase_add_test(tests, test_shrink_names_the_living_that_do_not_come);
        tcase_add_test(tests, test_who_gave_up_waiting_has_left);
    }
    tcase_add_test(tests, test_memory_of_the_dead_goes_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
