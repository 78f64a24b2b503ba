/* How a rank ended, in words: each kind says all that is known, in whatever room there is. */
#include "shm/wait/poison.h"
#include "tests/harness/ranks.h"

typedef struct expectation {
    muster_termination termination;
    const char *words;
} expectation;

static const expectation expected[] = {
    { { MUSTER_TERMINATION_NONE, 0 }, "has not ended, as far as is known" },
    { { MUSTER_TERMINATION_EXITED, 3 }, "exited with status 3" },
    { { MUSTER_TERMINATION_SIGNALED, 9 }, "was killed by signal 9 (Killed)" },
    { { MUSTER_TERMINATION_VANISHED, 0 }, "is gone (how it ended is not known)" },
    { { MUSTER_TERMINATION_EXECED, 0 }, "executed another program (exec)" },
    { { MUSTER_TERMINATION_CRASHED, 0 }, "crashed and is writing its core file" },
    { { (muster_termination_kind)6, 7 }, "is gone (how it ended is not known)" }, /* of another version */
};
#define EXPECTED (int)(sizeof expected / sizeof expected[0])

START_TEST(test_words)
{
    const expectation *now = &expected[_i];
    char text[64];

    for (size_t bytes = 1; bytes <= sizeof text; bytes++) {
        size_t whole = strlen(now->words), room = bytes - 1;

        memset(text, 'x', sizeof text);
        muster_termination_describe(now->termination, text, bytes);
        ck_assert_uint_eq(strlen(text), whole < room ? whole : room);
        ck_assert(strncmp(text, now->words, strlen(text)) == 0);
    }
}
END_TEST

/* What a group is broken by says as much as the termination that it was made of. */
START_TEST(test_there_and_back)
{
    for (int kind = MUSTER_TERMINATION_EXITED; kind <= MUSTER_TERMINATION_CRASHED; kind++) {
        muster_termination before = { (muster_termination_kind)kind, 9 };
        mst_poison poison = { mst_poison_of_termination(before), 1, before.code };
        muster_termination after = mst_poison_termination(&poison);

        ck_assert_int_eq(after.kind, before.kind);
        ck_assert_int_eq(after.code, before.code);
    }
    for (int kind = MST_POISON_LEFT; kind <= MST_POISON_DAMAGE; kind++) {
        mst_poison poison = { (mst_poison_kind)kind, 1, 9 };

        ck_assert_int_eq(mst_poison_termination(&poison).kind, MUSTER_TERMINATION_NONE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("termination");
    TCase *tests = tcase_create("termination");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_words, 0, EXPECTED);
    tcase_add_test(tests, test_there_and_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
