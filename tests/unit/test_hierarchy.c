/* Which groups meet in two levels, and where their ranks meet: that every rank has its place, and where the
 * model draws the line. */
#include "shm/base/hierarchy.h"

#include <stdlib.h>
#include <string.h>

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

#define SIZE_MOST 1024

static uint32_t caches[SIZE_MOST];

/* `size` ranks, of which `each` in a row share a cache; 0: nobody knows where they are. */
static void place(int size, int each)
{
    for (int rank = 0; rank < size; rank++)
        caches[rank] = each ? (uint32_t)(rank / each) + 1 : 0;
}

static bool is_sound(const mst_hierarchy *hierarchy, int size)
{
    bool sound = hierarchy->begin[0] == 0 && hierarchy->begin[hierarchy->domains] == size;
    int longest = 0;

    for (int domain = 0; domain < hierarchy->domains; domain++) {
        int begin = hierarchy->begin[domain], end = hierarchy->begin[domain + 1];

        sound = sound && end > begin;
        longest = end - begin > longest ? end - begin : longest;
        for (int i = begin; i < end; i++) {
            int rank = hierarchy->order[i];

            sound = sound && rank >= 0 && rank < size && hierarchy->domain[rank] == domain &&
                    hierarchy->position[rank] == i - begin;
        }
    }
    return sound && hierarchy->longest == longest;
}

START_TEST(test_every_rank_has_one_place)
{
    for (int size = 1; size < 70; size++)
        for (int each = 0; each < 20; each++)
            for (int most = 1; most <= 32; most *= 2) {
                place(size, each);
                if (each == 19)
                    for (int rank = 0; rank < size; rank++)
                        caches[rank] = (uint32_t)rank % 5;
                mst_hierarchy *hierarchy = mst_hierarchy_of(caches, size, most);
                ck_assert_ptr_nonnull(hierarchy);
                ck_assert(is_sound(hierarchy, size));
                ck_assert_int_le(hierarchy->longest, most);
                free(hierarchy);
            }
}
END_TEST

/* 0: one level. */
static int domains_of(int size, bool oversubscribed)
{
    mst_hierarchy *hierarchy;

    ck_assert(mst_hierarchy_make(caches, size, oversubscribed, &hierarchy));
    if (!hierarchy)
        return 0;
    ck_assert(is_sound(hierarchy, size));
    ck_assert_int_lt(mst_hierarchy_ns(hierarchy, caches, &mst_line_times_default),
                     mst_hierarchy_flat_ns(caches, size, &mst_line_times_default));
    int domains = hierarchy->domains;
    free(hierarchy);
    return domains;
}

START_TEST(test_few_ranks_meet_in_one_level)
{
    for (int size = 1; size < MST_HIERARCHY_RANKS_MIN; size++)
        for (int each = 0; each < 17; each++) {
            place(size, each);
            ck_assert_int_eq(domains_of(size, false), 0);
        }
    place(32, 32);
    ck_assert_int_eq(domains_of(32, false), 0);
    place(32, 0);
    ck_assert_int_eq(domains_of(32, false), 0);
}
END_TEST

START_TEST(test_many_ranks_meet_in_two)
{
    static const int eaches[] = { 0, 8, 16, 64, SIZE_MOST };

    for (size_t i = 0; i < sizeof eaches / sizeof eaches[0]; i++)
        for (int size = 64; size <= 512; size *= 2) {
            place(size, eaches[i]);
            ck_assert_int_gt(domains_of(size, false), 1);
            ck_assert_int_eq(domains_of(size, true), 0); /* they see one line after the other anyway */
        }
    place(64, 8);
    ck_assert_int_eq(domains_of(64, false), 8);
    place(128, 16);
    ck_assert_int_eq(domains_of(128, false), 8);
}
END_TEST

/* Whether they share CPUs or not, and however few. */
START_TEST(test_a_pretended_topology_is_taken_as_it_is)
{
    for (int rank = 0; rank < 12; rank++)
        caches[rank] = MST_CACHE_PRETENDED | (uint32_t)(rank / 2 % 3);
    for (int shared = 0; shared < 2; shared++) {
        mst_hierarchy *hierarchy;

        ck_assert_int_eq(domains_of(2, shared), 0);
        ck_assert(mst_hierarchy_make(caches, 12, shared, &hierarchy));
        ck_assert_ptr_nonnull(hierarchy);
        ck_assert(is_sound(hierarchy, 12));
        ck_assert_int_eq(hierarchy->domains, 3);
        ck_assert_int_eq(hierarchy->longest, 4);
        ck_assert_int_eq(hierarchy->domain[6], 0);
        ck_assert_int_eq(hierarchy->position[6], 2);
        free(hierarchy);
    }
    caches[4] = 3; /* of a rank that does not pretend */
    ck_assert_int_eq(domains_of(12, true), 0);
}
END_TEST

/* What it is depends on the machine. That it is a CPU of the set's, or unknown, does not. */
START_TEST(test_where_this_process_is)
{
    uint64_t cpus[MST_CPUS_MAX / 64], none[MST_CPUS_MAX / 64] = { 0 };

    mst_os_cpus_allowed(cpus);
    ck_assert_uint_le(mst_os_last_cache(cpus), MST_CPUS_MAX);
    ck_assert_uint_eq(mst_os_last_cache(none), 0);
    for (int cpu = 0; cpu < MST_CPUS_MAX; cpu++) { /* a CPU of this machine shares its cache with itself */
        uint64_t one[MST_CPUS_MAX / 64] = { 0 };

        one[cpu / 64] = cpus[cpu / 64] & 1ULL << cpu % 64;
        ck_assert_uint_le(mst_os_last_cache(one), (uint32_t)cpu + 1);
    }
    memset(cpus, 0xff, sizeof cpus); /* no machine has a cache for so many */
    ck_assert_uint_eq(mst_os_last_cache(cpus), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hierarchy");
    TCase *tests = tcase_create("hierarchy");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_rank_has_one_place);
    tcase_add_test(tests, test_few_ranks_meet_in_one_level);
    tcase_add_test(tests, test_many_ranks_meet_in_two);
    tcase_add_test(tests, test_a_pretended_topology_is_taken_as_it_is);
    tcase_add_test(tests, test_where_this_process_is);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
