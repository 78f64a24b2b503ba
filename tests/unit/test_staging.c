/* The ring of staging: pieces of steps that follow each other never touch, whatever their sizes, and
 * all lie inside the ring. */
#include "shm/staging.h"

#include <stdlib.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

static void run_ring(size_t ring, bool halves, uint64_t seed)
{
    mst_attachment *attachment = calloc(1, sizeof *attachment);
    mst_subarena subarena = { .attachment = attachment };
    mst_staging staging = { .subarena = &subarena, .halves = halves };
    size_t last_bytes = 0;

    ck_assert_ptr_nonnull(attachment);
    attachment->geometry.staging_bytes = ring;
    size_t piece_max = mst_staging_piece_max(&staging);
    for (int step = 0; step < 4000; step++) {
        uint64_t drawn = random_next(&seed);
        size_t bytes = drawn % 5 == 0 ? piece_max : drawn % 5 == 1 ? 0 : (drawn >> 8) % (piece_max + 1);
        size_t begin = staging.next, end = begin + bytes;

        ck_assert_msg(end <= ring, "a piece of %zu at %zu leaves a ring of %zu", bytes, begin, ring);
        ck_assert_msg(step == 0 || end <= staging.last || begin >= staging.last + last_bytes,
                      "pieces %zu + %zu and %zu + %zu overlap in a ring of %zu", staging.last, last_bytes,
                      begin, bytes, ring);
        mst_staging_turn(&staging, bytes);
        ck_assert_uint_eq(staging.last, begin);
        last_bytes = bytes;
    }
    free(attachment);
}

START_TEST(test_pieces_of_two_steps_never_touch)
{
    static const size_t rings[] = { 8192, 65536, 2 << 20 };

    for (uint64_t seed = 1; seed < 20; seed++)
        for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
            run_ring(rings[i], false, seed);
            run_ring(rings[i], true, seed);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("staging");
    TCase *tests = tcase_create("staging");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_pieces_of_two_steps_never_touch);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
