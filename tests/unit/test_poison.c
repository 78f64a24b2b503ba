/* Poison alone: what is packed comes out again, the first reason wins everywhere, and no word of a cell that
 * someone may sleep on is left without its bit. */
#include "shm/wait/poison.h"

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "tests/harness/ranks.h"

#define SIZE 3

/* Cells of a group, none of them poisoned. */
typedef struct scene {
    mst_cell memory[SIZE];
    mst_cell *cells[SIZE];
    uint64_t none[SIZE];
} scene;

static scene *new_scene(void)
{
    scene *scene = shared_page(sizeof *scene);

    for (int i = 0; i < SIZE; i++) {
        scene->cells[i] = &scene->memory[i];
        scene->none[i] = mst_poison_none(2 * (uint64_t)(i + 1) + 1);
        mst_store64_rel(&scene->cells[i]->poison, scene->none[i]);
    }
    return scene;
}

static mst_poison poison_of(const scene *scene, int rank)
{
    return mst_poison_unpack(mst_load64_acq(&scene->cells[rank]->poison));
}

static void check_sequence(const mst_sequence_lines *sequence)
{
    ck_assert_uint_eq(mst_load32_acq(&sequence->even.word) & 1, 1);
    ck_assert_uint_eq(mst_load32_acq(&sequence->odd.word) & 1, 1);
}

START_TEST(test_every_word_that_is_slept_on_changes)
{
    scene *scene = new_scene();

    mst_poison_spread(scene->cells, scene->none, SIZE, &(mst_poison){ MST_POISON_LEFT, 2, 0 });
    for (int i = 0; i < SIZE; i++) {
        mst_cell *cell = scene->cells[i];

        check_sequence(&cell->collectives);
        check_sequence(&cell->splits);
        ck_assert_uint_eq(mst_load32_acq(&cell->doorbell.word) & 1, 1);
        ck_assert_uint_eq(mst_load32_acq(&cell->chunks_word) & 1, 1);
        ck_assert_uint_eq(mst_load32_acq(&cell->gathered[0].word) & 1, 1);
        ck_assert_uint_eq(mst_load32_acq(&cell->gathered[1].word) & 1, 1);
        ck_assert_uint_eq(mst_load32_acq(&cell->release.word) & 1, 1);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* Rank 0's cell decides, also where another reason was on its way and has come as far as that. */
START_TEST(test_the_first_reason_wins)
{
    scene *scene = new_scene();

    mst_poison_spread(scene->cells, scene->none, 1, &(mst_poison){ MST_POISON_SIGNALED, 1, 9 });
    mst_poison_spread(scene->cells, scene->none, SIZE, &(mst_poison){ MST_POISON_LATE, 0, 0 });
    for (int i = 0; i < SIZE; i++) {
        ck_assert_int_eq(poison_of(scene, i).kind, MST_POISON_SIGNALED);
        ck_assert_int_eq(poison_of(scene, i).rank, 1);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_a_later_group_of_a_cell_is_left_alone)
{
    scene *scene = new_scene();
    uint64_t later = mst_poison_none(101);

    mst_store64_rel(&scene->cells[1]->poison, later);
    mst_poison_spread(scene->cells, scene->none, SIZE, &(mst_poison){ MST_POISON_LEFT, 1, 0 });
    ck_assert_uint_eq(mst_load64_acq(&scene->cells[1]->poison), later);
    ck_assert_int_eq(poison_of(scene, 2).kind, MST_POISON_LEFT);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_what_is_packed_comes_out_again)
{
    static const int codes[] = { 0, 1, 9, 255, 65535 };
    scene *scene = new_scene();

    for (int kind = MST_POISON_NONE + 1; kind <= MST_POISON_DAMAGE; kind++)
        for (int rank = 0; rank < MST_RANKS_MAX; rank += 341)
            for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
                mst_poison poison = { (mst_poison_kind)kind, rank, codes[i] };

                mst_store64_rel(&scene->cells[0]->poison, scene->none[0]);
                mst_poison_spread(scene->cells, scene->none, 1, &poison);
                mst_poison found = poison_of(scene, 0);
                ck_assert(found.kind == poison.kind && found.rank == rank && found.code == codes[i]);
                ck_assert_int_ne(mst_poison_status(&found), MUSTER_OK);
            }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("poison");
    TCase *tests = tcase_create("poison");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_word_that_is_slept_on_changes);
    tcase_add_test(tests, test_the_first_reason_wins);
    tcase_add_test(tests, test_a_later_group_of_a_cell_is_left_alone);
    tcase_add_test(tests, test_what_is_packed_comes_out_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
