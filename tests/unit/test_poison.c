/* Poison alone: what is packed comes out again, the first reason wins everywhere, and no word of a cell that
 * someone may sleep on is left without its bit. */
#include "shm/poison.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/layout.h"
#include "tests/harness/ranks.h"

#define SIZE 3

static void check_lane(const mst_lane_lines *lane)
{
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(mst_load32_acq(&lane->arrivals[i].word) & 1, 1);
}

START_TEST(test_every_word_that_is_slept_on_changes)
{
    mst_cell *memory = shared_page(SIZE * sizeof *memory), *cells[SIZE];
    mst_poison poison = { MST_POISON_LEFT, 2, 0 };

    for (int i = 0; i < SIZE; i++)
        cells[i] = &memory[i];
    mst_poison_spread(cells, SIZE, &poison);
    for (int i = 0; i < SIZE; i++) {
        check_lane(&cells[i]->steps);
        check_lane(&cells[i]->splits);
        for (int place = 0; place < MST_STARTED_MAX; place++)
            check_lane(&cells[i]->started[place].lane);
        ck_assert_uint_eq(mst_load32_acq(&cells[i]->bell.word) & 1, 1);
        ck_assert_uint_eq(mst_load32_acq(&cells[i]->pieces_rung) & 1, 1);
    }
    shared_page_free(memory, SIZE * sizeof *memory);
}
END_TEST

/* Rank 0's cell decides, also where another reason was on its way and has come as far as that. */
START_TEST(test_the_first_reason_wins)
{
    mst_cell *memory = shared_page(SIZE * sizeof *memory), *cells[SIZE];
    mst_poison first = { MST_POISON_SIGNALED, 1, 9 }, second = { MST_POISON_LATE, 0, 0 };

    for (int i = 0; i < SIZE; i++)
        cells[i] = &memory[i];
    mst_store64_rel(&cells[0]->poison, mst_poison_pack(&first));
    mst_poison_spread(cells, SIZE, &second);
    for (int i = 0; i < SIZE; i++)
        ck_assert_uint_eq(mst_load64_acq(&cells[i]->poison), mst_poison_pack(&first));
    shared_page_free(memory, SIZE * sizeof *memory);
}
END_TEST

START_TEST(test_what_is_packed_comes_out_again)
{
    static const int codes[] = { 0, 1, 9, 255, 65535 };

    for (int kind = MST_POISON_NONE + 1; kind <= MST_POISON_DAMAGE; kind++)
        for (int rank = 0; rank < MST_RANKS_MAX; rank += 341)
            for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
                mst_poison poison = { (mst_poison_kind)kind, rank, codes[i] };
                mst_poison found = mst_poison_unpack(mst_poison_pack(&poison));

                ck_assert(found.kind == poison.kind && found.rank == rank && found.code == codes[i]);
                ck_assert_int_ne(mst_poison_status(&found), MUSTER_OK);
            }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("poison");
    TCase *tests = tcase_create("poison");

    tcase_add_test(tests, test_every_word_that_is_slept_on_changes);
    tcase_add_test(tests, test_the_first_reason_wins);
    tcase_add_test(tests, test_what_is_packed_comes_out_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
