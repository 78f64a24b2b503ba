/* Names of calls: whatever is called, with whatever operation, fits where errors and records have it. */
#include <string.h>

#include "src/onehost/coll/describe.h"
#include "src/pure/collective.h"
#include "src/pure/dtype.h"
#include "tests/harness/ranks.h"

static void expect_to_fit(const char *name)
{
    ck_assert_msg(name[0] && strlen(name) < MUSTER_CALL_NAME_BYTES, "%s", name);
}

START_TEST(test_names_of_collectives_fit)
{
    char name[400], longest[MUSTER_OP_NAME_BYTES];

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (uint32_t collective = 0; collective < MST_COLLECTIVE_COUNT; collective++)
        for (int op = 0; op < MST_OP_CODES; op++) {
            mst_collective_name(collective, (muster_op)op, NULL, name, sizeof name);
            expect_to_fit(name);
            mst_collective_name(collective, (muster_op)op, longest, name, sizeof name);
            expect_to_fit(name);
            mst_collective_start_name(collective, (muster_op)op, longest, name, sizeof name);
            expect_to_fit(name);
            ck_assert_uint_lt(strlen(mst_op_name((muster_op)op)), MUSTER_OP_NAME_BYTES);
        }
}
END_TEST

START_TEST(test_names_of_other_calls_fit)
{
    mst_doing doing = { .kind = MST_DOING_SEND };
    char name[400];

    for (mst_doing_name(&doing, name, sizeof name); strcmp(name, "?") != 0;
         mst_doing_name(&doing, name, sizeof name)) {
        expect_to_fit(name);
        doing.kind++;
    }
    ck_assert_uint_eq(doing.kind, MST_DOING_MESSAGES + 1); /* each has one */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls");
    TCase *tests = tcase_create("names");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_names_of_collectives_fit);
    tcase_add_test(tests, test_names_of_other_calls_fit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
