/* Staging: chunks of rounds that follow each other never touch, whatever their sizes and wherever they are
 * put, and all lie inside the block. */
#include "shm/group/staging.h"

#include <stdlib.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

typedef struct chunk {
    size_t begin, end;
} chunk;

static bool touch(chunk a, chunk b)
{
    return a.begin < b.end && b.begin < a.end;
}

static void run_staging(size_t block, bool oversubscribed, uint64_t seed)
{
    mst_attachment *attachment = calloc(1, sizeof *attachment);
    mst_subarena subarena = { .attachment = attachment };
    mst_staging staging = { .subarena = &subarena, .oversubscribed = oversubscribed };
    mst_staging_part last_part = MST_STAGING_RING;
    chunk last = { 0 };

    ck_assert_ptr_nonnull(attachment);
    attachment->geometry.staging_bytes = block;
    mst_staging_begin(&staging);
    for (int round = 0; round < 4000; round++) {
        uint64_t drawn = random_next(&seed);
        mst_staging_part part = drawn >> 40 & 1 ? MST_STAGING_SMALL : MST_STAGING_RING;
        size_t chunk_max = mst_staging_chunk_max(&staging, part);
        size_t bytes = drawn % 5 == 0 ? chunk_max : drawn % 5 == 1 ? 0 : (drawn >> 8) % (chunk_max + 1);
        chunk next = { staging.next[part], staging.next[part] + bytes };

        ck_assert_msg(next.end <= (part == MST_STAGING_SMALL ? 2 * MST_SMALL_BYTES : block),
                      "a chunk from %zu to %zu leaves its part, of a block of %zu", next.begin, next.end,
                      block);
        ck_assert_msg(part != last_part || !touch(last, next),
                      "chunks %zu to %zu and %zu to %zu overlap in a block of %zu", last.begin, last.end,
                      next.begin, next.end, block);
        mst_staging_turn(&staging, part, bytes);
        ck_assert_uint_eq(staging.last[part], next.begin);
        last = next;
        last_part = part;
    }
    free(attachment);
}

START_TEST(test_chunks_of_two_steps_never_touch)
{
    static const size_t blocks[] = { 8192, 65536, 2 << 20 };

    for (uint64_t seed = 1; seed < 20; seed++)
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            run_staging(blocks[i], false, seed);
            run_staging(blocks[i], true, seed);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("staging");
    TCase *tests = tcase_create("staging");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_chunks_of_two_steps_never_touch);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
