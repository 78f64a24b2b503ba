/*
 * A rank gone wild: one of them flips random bits of the arena, anywhere in the control lines and the
 * heaps' beginnings, while all work. The others may get wrong data and any error, but never a bad access
 * (this is for AddressSanitizer's build above all), and never a wait beyond the deadline. Words of which it
 * is known who finds that they cannot be true are damaged one by one, too.
 *
 * TEST_DAMAGES: how many worlds; TEST_SEED: the first seed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/arena/attachment.h"
#include "src/onehost/group/group.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { SIZE = 3, FLOATS = 30000, FLIPS = 300 };

typedef struct scene {
    uint64_t seed;
    _Atomic int ready;      /* ranks that have a group to damage */
    _Atomic int done[SIZE]; /* by rank: reached its end */
} scene;

static float in[FLOATS], out[SIZE * FLOATS];
static const size_t gathered[SIZE] = { FLOATS, FLOATS / 2, FLOATS / 3 }, few[SIZE] = { 3, 3, 3 };

/* ---- the wild one ---- */

typedef struct wild {
    const mst_geometry *geometry;
    const scene *scene;
} wild;

/* Control words are few among many bytes, so they are hit more often. */
static uint64_t pick_place(const mst_geometry *geometry, uint64_t *state)
{
    uint32_t rank = (uint32_t)(random_next(state) % SIZE);

    switch (random_next(state) % 6) {
    case 0:
        return random_next(state) % sizeof(mst_header);
    case 1:
        return MST_ENTRIES_OFFSET + random_next(state) % (SIZE * sizeof(mst_rank_entry));
    case 2:
        return mst_layout_heap_begin(geometry, rank) + random_next(state) % (1 << 20);
    default:
        return mst_layout_cell_offset(geometry, rank, (uint32_t)(random_next(state) % 2)) +
               random_next(state) % sizeof(mst_cell);
    }
}

static void *flip(void *arg)
{
    const wild *wild = arg;
    uint64_t state = wild->scene->seed;

    while (wild->scene->ready < SIZE) /* until nobody's split is still under way */
        sched_yield();
    for (int i = 0; i < FLIPS; i++) {
        unsigned char *at = wild->geometry->base + pick_place(wild->geometry, &state);
        double nap_ms = (double)(random_next(&state) % 200000) / 1e6;

        atomic_fetch_xor((_Atomic unsigned char *)at, (unsigned char)(1 << random_next(&state) % 8));
        pass_time_ms(nap_ms);
    }
    return NULL;
}

/* ---- the others ---- */

static muster_status work(muster_group *world, muster_group *child, uint64_t round)
{
    int rank = muster_group_rank(world), next = (rank + 1) % SIZE, before = (rank + SIZE - 1) % SIZE;
    muster_group *made = NULL;
    muster_status status;

    switch (round % 8) {
    case 0:
        return muster_all_sum(in, out, 1, MUSTER_FLOAT32, world);
    case 1:
        return muster_all_sum(in, out, FLOATS, MUSTER_FLOAT32, child);
    case 2:
        return muster_all_gather(in, out, FLOATS, MUSTER_FLOAT32, world);
    case 3:
        return muster_sendrecv(in, FLOATS, next, 0, out, FLOATS, before, 0, MUSTER_FLOAT32, world, NULL);
    case 4:
        status = muster_group_split(child, 0, -1, &made);
        muster_group_free(made);
        return status;
    case 5: /* large ones, of which the root alone knows how many rounds they take; and small ones */
        return muster_gatherv(in, FLOATS / (size_t)(rank + 1), out, gathered, NULL, MUSTER_FLOAT32, 0, world);
    case 6:
        return muster_all_gatherv(in, 3, out, few, NULL, MUSTER_FLOAT32, child);
    default:
        return muster_barrier(child);
    }
}

static int work_among_damage(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world);
    wild wild = { &mst_group_of_const(world)->subarena->attachment->geometry, scene };
    muster_group *child = NULL, *rest = NULL;
    muster_status status = MUSTER_OK;
    pthread_t thread;

    RANK_OK(world, muster_group_split(world, 0, -1, &child));
    scene->ready++;
    if (rank == 0)
        RANK_CHECK(world, pthread_create(&thread, NULL, flip, &wild) == 0);
    for (uint64_t round = 0; round < 400 && status == MUSTER_OK; round++)
        status = work(world, child, round);
    if (status != MUSTER_OK)
        RANK_CHECK(world, muster_error_detail()[0]); /* in words */
    muster_group_status(world);
    if (status != MUSTER_OK && muster_group_shrink(child, &rest) == MUSTER_OK)
        muster_barrier(rest);
    if (rank == 0)
        pthread_join(thread, NULL);
    muster_group_free(rest);
    muster_group_free(child);
    scene->done[rank] = 1;
    return 0;
}

START_TEST(test_no_bad_access_and_no_endless_wait)
{
    const char *wanted = getenv("TEST_DAMAGES"), *seed = getenv("TEST_SEED");
    int worlds = wanted ? atoi(wanted) : 30;
    uint64_t base = seed ? strtoull(seed, NULL, 10) : 7;

    for (int i = 0; i < worlds; i++) {
        scene *scene = shared_page(sizeof *scene);
        muster_report report = MUSTER_REPORT_INIT;
        muster_termination terminations[SIZE];

        scene->seed = base + (uint64_t)i;
        report.terminations = terminations;
        run_failing_ranks((rank_options){ .size = SIZE, .op_timeout_s = 0.5, .staging_bytes = 65536 },
                          work_among_damage, scene, &report);
        for (int rank = 0; rank < SIZE; rank++)
            ck_assert_msg(scene->done[rank], "seed %llu: rank %d ended %d, %d",
                          (unsigned long long)scene->seed, rank, terminations[rank].kind,
                          terminations[rank].code);
        shared_page_free(scene, sizeof *scene);
    }
}
END_TEST

/* ---- one word ---- */

enum { LARGE = 25000 }; /* floats, of which the receiver must ask for the rest */

/* The receiver finds that more answers have been read than it has given. */
static int answers_that_were_never_given(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_status status;

    (void)arg;
    if (rank == 0)
        RANK_OK(world, muster_send(in, 1, MUSTER_FLOAT32, 1, 0, world));
    else
        RANK_OK(world, muster_recv(out, 1, MUSTER_FLOAT32, 0, 0, world, NULL)); /* then it has found it */
    if (rank == 0) {
        status = muster_send(in, LARGE, MUSTER_FLOAT32, 1, 0, world);
    } else {
        mst_store64_rel(&mst_group_of(world)->channels.incoming[0].channel->answers_taken, 5);
        status = muster_recv(out, LARGE, MUSTER_FLOAT32, 0, 0, world, NULL);
    }
    RANK_CHECK(world, status == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, strstr(muster_error_detail(), "an impossible count of answers that rank 0 has read"));
    return 0;
}

START_TEST(test_an_impossible_count_of_answers)
{
    run_ranks(2, RANKS_AS_PROCESSES, answers_that_were_never_given, NULL);
    run_ranks(2, RANKS_AS_THREADS, answers_that_were_never_given, NULL);
}
END_TEST

/* An entry before the ring that says what no such entry can be, in its stamp or of its tag. */
typedef struct lie {
    bool is_short;
    mst_entry_kind kind;
    size_t bytes;
    int tag;
} lie;

static int a_slot_says(muster_group *world, void *arg)
{
    muster_message came = MUSTER_MESSAGE_INIT;
    const lie *lie = arg;

    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_send(in, 1, MUSTER_FLOAT32, 1, 0, world));
        RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_BAD_ARENA);
        return 0;
    }
    RANK_OK(world, muster_recv(out, 1, MUSTER_FLOAT32, 0, 0, world, NULL)); /* then there is a channel */
    const mst_channel_end *end = &mst_group_of(world)->channels.incoming[0];
    mst_entry *entry = lie->is_short ? mst_entry_short_slot(end->channel, end->number)
                                     : mst_entry_slot(end->channel, end->number);
    entry->tag = lie->tag;
    entry->type = MUSTER_FLOAT32;
    mst_store64_rel(&entry->stamp, mst_stamp_pack(end->number, lie->kind, lie->bytes));
    int tag = lie->tag < 0 ? MUSTER_ANY_TAG : lie->tag;
    muster_status status = muster_recv(out, FLOATS, MUSTER_FLOAT32, 0, tag, world, &came);
    RANK_CHECK(world, status == MUSTER_ERR_BAD_ARENA);
    return 0;
}

START_TEST(test_an_entry_that_its_slot_cannot_have)
{
    static const lie lies[] = { { true, MST_ENTRY_WHOLE, 4000, 0 },
                                { true, MST_ENTRY_WHOLE, MST_SHORT_SLOT_BYTES, 0 },
                                { true, MST_ENTRY_VIEW, 0, 0 },
                                { false, MST_ENTRY_WHOLE, MST_SLOT_BYTES, 0 },
                                { false, MST_ENTRY_FIRST, 40, 0 },
                                { false, MST_ENTRY_WHOLE, 4, MUSTER_ANY_TAG }, /* which only receives have */
                                { false, MST_ENTRY_WHOLE, 4, -2 },
                                { true, MST_ENTRY_WHOLE, 4, MUSTER_ANY_TAG } };

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        run_ranks(2, RANKS_AS_PROCESSES, a_slot_says, (void *)(uintptr_t)&lies[i]);
}
END_TEST

/* ---- what a rank says of its stream ---- */

/* Rank 2 comes last. Meanwhile the length of rank 0's stream is overwritten, by which nobody else can know
 * how many rounds there will be: all are told, and none waits for rounds that never come. */
static int head_is_overwritten(muster_group *world, void *arg)
{
    const uint64_t *flip = arg;
    int rank = muster_group_rank(world);
    muster_status status;

    RANK_OK(world,
            muster_gatherv(in, FLOATS / (size_t)(rank + 1), out, gathered, NULL, MUSTER_FLOAT32, 0, world));
    RANK_OK(world, muster_barrier(world));
    if (rank == 2) {
        mst_sequence next = mst_group_of_const(world)->collectives;

        next.round++;
        AWAIT(mst_sequence_has_arrived(&next, 0));
        mst_varied_head *head = (mst_varied_head *)(uintptr_t)mst_sequence_arrival(&next, 0)->payload;
        head->bytes ^= *flip;
    }
    status = muster_gatherv(in, FLOATS / (size_t)(rank + 1), out, gathered, NULL, MUSTER_FLOAT32, 1, world);
    RANK_CHECK(world, status == MUSTER_ERR_BAD_ARENA);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 says"));
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_BAD_ARENA);
    return 0;
}

START_TEST(test_the_length_of_a_stream_is_overwritten)
{
    static const uint64_t flips[] = { 1, 1 << 18, 1ULL << 40, 1ULL << 63, FLOATS * sizeof(float) };

    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++)
        run_ranks_with((rank_options){ .size = SIZE, .staging_bytes = 65536 }, head_is_overwritten,
                       (void *)(uintptr_t)&flips[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damage");
    TCase *tests = tcase_create("damage");

    tcase_set_timeout(tests, getenv("TEST_DAMAGES") ? 100000 : TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) /* flipping bits is a race, and that is the point */
        tcase_add_test(tests, test_no_bad_access_and_no_endless_wait);
    tcase_add_test(tests, test_an_impossible_count_of_answers);
    tcase_add_test(tests, test_an_entry_that_its_slot_cannot_have);
    tcase_add_test(tests, test_the_length_of_a_stream_is_overwritten);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
