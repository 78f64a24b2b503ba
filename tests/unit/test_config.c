/* Texts that users write: what is a time, a size, a descriptor, and what is not. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "src/pure/config.h"

#include <stdlib.h>
#include <string.h>

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

/* A struct of a later, longer version: what we do not know must be at its default. */
START_TEST(test_longer_structs)
{
    struct {
        muster_config known;
        char later[40];
    } given = { .known = MUSTER_CONFIG_INIT };
    muster_config config;

    given.known.struct_size = sizeof given;
    ck_assert_int_eq(mst_config_accept(&given.known, &config), MUSTER_OK);
    for (size_t i = 0; i < sizeof given.later; i++) {
        given.later[i] = 1;
        ck_assert_int_eq(mst_config_accept(&given.known, &config), MUSTER_ERR_INVALID);
        ck_assert_msg(strstr(muster_error_detail(), "later version"), "%s", muster_error_detail());
        given.later[i] = 0;
    }
}
END_TEST

/* What lies in a struct that nobody has initialised is no size. */
START_TEST(test_sizes_that_are_none)
{
    static const size_t sizes[] = { 0, sizeof(size_t), 4097, SIZE_MAX };
    muster_config given = MUSTER_CONFIG_INIT, config;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        given.struct_size = sizes[i];
        ck_assert_int_eq(mst_config_accept(&given, &config), MUSTER_ERR_INVALID);
        ck_assert_msg(strstr(muster_error_detail(), "MUSTER_CONFIG_INIT"), "%s", muster_error_detail());
    }
    ck_assert_int_eq(mst_config_accept(NULL, &config), MUSTER_ERR_INVALID);
}
END_TEST

/* Zero is the default in every field, so that a struct of a size alone is one of defaults. */
START_TEST(test_defaults)
{
    static const muster_config given = MUSTER_CONFIG_INIT;
    static const muster_launch_config given_launch = MUSTER_LAUNCH_CONFIG_INIT;
    muster_launch_config launch_config;
    muster_config config;

    for (size_t i = sizeof given.struct_size; i < sizeof given; i++)
        ck_assert_int_eq(((const unsigned char *)&given)[i], 0);
    for (size_t i = sizeof given.struct_size; i < sizeof given_launch; i++)
        ck_assert_int_eq(((const unsigned char *)&given_launch)[i], 0);
    ck_assert_int_eq(mst_config_accept(&given, &config), MUSTER_OK);
    ck_assert_int_eq(config.size, 1);
    ck_assert_int_eq(mst_launch_config_accept(&given_launch, &launch_config), MUSTER_OK);
    ck_assert_int_eq(launch_config.size, 1);
}
END_TEST

/* A world of no ranks is a mistake where somebody has said so. */
START_TEST(test_no_ranks)
{
    muster_config config = MUSTER_CONFIG_INIT;

    setenv("MUSTER_ARENA", "/of-nobody", 1);
    setenv("MUSTER_RANK", "0", 1);
    setenv("MUSTER_SIZE", "0", 1);
    ck_assert_int_eq(mst_config_from_environment(&config), MUSTER_ERR_INVALID);
    ck_assert_msg(strstr(muster_error_detail(), "MUSTER_SIZE is 0"), "%s", muster_error_detail());
    setenv("MUSTER_SIZE", "1", 1);
    ck_assert_int_eq(mst_config_from_environment(&config), MUSTER_OK);
    ck_assert_int_eq(config.size, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_seconds);
    tcase_add_test(tests, test_bytes);
    tcase_add_test(tests, test_descriptors);
    tcase_add_test(tests, test_shorter_structs);
    tcase_add_test(tests, test_longer_structs);
    tcase_add_test(tests, test_sizes_that_are_none);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_no_ranks);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
