/* Texts that users write: what is a time, a size, a descriptor, and what is not. */
#include "src/pure/config.h"
#include "tests/harness/ranks.h"

START_TEST(test_seconds)
{
    static const char *const bad[] = { "", "x", "1x", "-1", "0", "nan", "inf", "1e99", "+1", " 1", "1 " };
    int64_t ns = 0;

    ck_assert(mst_config_seconds("2.5", &ns) && ns == 2500000000);
    ck_assert(mst_config_seconds("30", &ns) && ns == 30000000000);
    ck_assert(mst_config_seconds(".001", &ns) && ns == 1000000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!mst_config_seconds(bad[i], &ns), "\"%s\" passes for a time", bad[i]);
}
END_TEST

START_TEST(test_bytes)
{
    static const char *const bad[] = { "",  "k", "1q", "-1", "1kk", "18446744073709551616", "99999999999G",
                                       " 1" };
    size_t bytes = 0;

    ck_assert(mst_config_bytes("4096", &bytes) && bytes == 4096);
    ck_assert(mst_config_bytes("64k", &bytes) && bytes == 65536);
    ck_assert(mst_config_bytes("2M", &bytes) && bytes == 2 << 20);
    ck_assert(mst_config_bytes("3g", &bytes) && bytes == 3ULL << 30);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!mst_config_bytes(bad[i], &bytes), "\"%s\" passes for a size", bad[i]);
}
END_TEST

START_TEST(test_descriptors)
{
    static const char *const bad[] = { "fd:", "fd:x", "fd:-1", "fd:1x", "/fd:1", "fd:99999999999", "3", "" };
    int fd = -1;

    ck_assert(mst_config_descriptor("fd:100", &fd) && fd == 100);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!mst_config_descriptor(bad[i], &fd), "\"%s\" passes for a descriptor", bad[i]);
}
END_TEST

/* A struct of an older, shorter version: what it does not have is zero. */
START_TEST(test_shorter_structs)
{
    muster_config given = MUSTER_CONFIG_INIT, config;

    given.size = 3;
    given.timeout_ns = 77;
    given.struct_size = offsetof(muster_config, timeout_ns);
    ck_assert_int_eq(mst_config_accept(&given, &config), MUSTER_OK);
    ck_assert_int_eq(config.size, 3);
    ck_assert_int_eq(config.timeout_ns, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");

    tcase_add_test(tests, test_seconds);
    tcase_add_test(tests, test_bytes);
    tcase_add_test(tests, test_descriptors);
    tcase_add_test(tests, test_shorter_structs);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
