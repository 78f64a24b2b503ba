/* Thresholds: which column a CPU gets, and that the file of those that were measured is taken only if it is
 * whole, ours and of this CPU. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "shm/base/thresholds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "src/onehost/choice.h"
#include "src/pure/threshold_setting.h"
#include "tests/harness/ranks.h"

static char home[100];

static void make_home(void)
{
    snprintf(home, sizeof home, "/tmp/muster-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(home));
    setenv("HOME", home, 1);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("MUSTER_TUNING");
}

static void remove_home(void)
{
    char command[240];

    snprintf(command, sizeof command, "chmod -R u+rwX %s; rm -rf %s", home, home);
    ck_assert_int_eq(system(command), 0);
}

static mst_choice choose(void)
{
    mst_choice choice;

    ck_assert_int_eq(mst_choice_make(&choice), MUSTER_OK);
    ck_assert(mst_thresholds_make_sense(&choice.thresholds));
    return choice;
}

/* Keeps thresholds that differ from the known ones, and returns them. */
static mst_thresholds keep_some(void)
{
    mst_choice choice = choose();
    mst_thresholds measured = choice.known;

    ck_assert(mst_threshold_set(&measured, "view_bytes_min", strlen("view_bytes_min"), "16k"));
    ck_assert(mst_threshold_set(&measured, "round_bytes_min", strlen("round_bytes_min"), "128k"));
    ck_assert_int_eq(mst_choice_keep(&choice, &measured), MUSTER_OK);
    return measured;
}

static size_t load(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, bytes, file);
    fclose(file);
    return length;
}

static void store(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
}

/* What a rank stages beside its flag has room there. */
START_TEST(test_payload)
{
    mst_thresholds thresholds;
    const mst_threshold_row *row = mst_threshold_row_of(0);

    ck_assert_str_eq(row->name, "payload_bytes_max");
    ck_assert_uint_eq(row->most, MST_PAYLOAD_BYTES);
    ck_assert_ptr_eq(mst_threshold_at(&thresholds, 0), &thresholds.payload_bytes_max);
}
END_TEST

START_TEST(test_every_column_makes_sense)
{
    static const char *const names[] = { "zen4", "icelake", "other" };
    static const uint64_t caches[] = { 0, 1 << 20, 32 << 20, (uint64_t)1 << 34 };
    mst_thresholds thresholds;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t c = 0; c < sizeof caches / sizeof caches[0]; c++) {
            ck_assert_str_eq(mst_thresholds_known(names[i], caches[c], &thresholds), names[i]);
            ck_assert(mst_thresholds_make_sense(&thresholds));
        }
    ck_assert_ptr_null(mst_thresholds_known("zen", 0, &thresholds));
    memset(&thresholds, 0, sizeof thresholds);
    ck_assert(!mst_thresholds_make_sense(&thresholds));
}
END_TEST

START_TEST(test_columns_of_cpus)
{
    static const struct {
        mst_cpu_kind cpu;
        const char *column;
    } cases[] = {
        { { .vendor = "AuthenticAMD", .family = 0x19, .model = 17 }, "zen4" },
        { { .vendor = "AuthenticAMD", .family = 0x1a }, "zen4" },
        { { .vendor = "AuthenticAMD", .family = 0x17 }, "other" },
        { { .vendor = "GenuineIntel", .family = 6, .model = 106, .quick_rep_movs = true }, "icelake" },
        { { .vendor = "GenuineIntel", .family = 6, .model = 85 }, "other" },
        { { .vendor = "aarch64" }, "other" },
        { { .vendor = "" }, "other" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(mst_thresholds_column(&cases[i].cpu), cases[i].column);
}
END_TEST

START_TEST(test_what_was_measured_is_used)
{
    make_home();
    ck_assert(!choose().used);
    ck_assert_str_eq(choose().why, "");
    mst_thresholds measured = keep_some();
    mst_choice choice = choose();
    ck_assert_msg(choice.used, "%s", choice.why);
    ck_assert_mem_eq(&choice.thresholds, &measured, sizeof measured);
    setenv("XDG_CACHE_HOME", "/nowhere/at/all", 1);
    ck_assert(!choose().used);
    setenv("XDG_CACHE_HOME", "relative", 1); /* which the specification has us ignore */
    ck_assert(choose().used);
    remove_home();
}
END_TEST

/* Whatever byte is another one, whatever length is missing: as if there were no file. */
START_TEST(test_damaged)
{
    char text[4096], changed[4096];

    make_home();
    keep_some();
    mst_choice choice = choose();
    size_t length = load(choice.path, text, sizeof text);
    for (size_t i = 0; i < length; i++) {
        static const char others[] = { '\0', '0', '=', '\n', '\x7f', (char)0xff };

        memcpy(changed, text, length);
        changed[i] = others[i % sizeof others] == text[i] ? '~' : others[i % sizeof others];
        store(choice.path, changed, length);
        mst_choice again = choose();
        ck_assert_msg(!again.used && again.why[0], "byte %zu was changed", i);
        ck_assert_mem_eq(&again.thresholds, &again.known, sizeof again.known);
        store(choice.path, text, i);
        ck_assert_msg(!choose().used, "of %zu bytes %zu were there", length, i);
    }
    store(choice.path, text, length);
    ck_assert(choose().used);
    FILE *file = fopen(choice.path, "a");
    fputs("\n", file);
    fclose(file);
    ck_assert(!choose().used);
    remove_home();
}
END_TEST

/* Files that are right in themselves, but with values of others. */
START_TEST(test_foreign)
{
    make_home();
    mst_choice choice = choose(), other = choice;
    mst_thresholds damaged = choice.known;

    other.cpu.model++;
    ck_assert_int_eq(mst_choice_keep(&other, &other.known), MUSTER_OK);
    ck_assert_str_eq(choose().why, "it is of another CPU");
    other = choice;
    other.cpu.last_cache_bytes++;
    ck_assert_int_eq(mst_choice_keep(&other, &other.known), MUSTER_OK);
    ck_assert_str_eq(choose().why, "it is of another CPU");
    damaged.view_bytes_min = 1; /* below what works */
    ck_assert_int_eq(mst_choice_keep(&choice, &damaged), MUSTER_OK);
    ck_assert_str_eq(choose().why, "it has thresholds of another version");
    remove_home();
}
END_TEST

/* In place of the file: a pipe without a writer, a folder, a file that others may write, one of 5 KiB. */
START_TEST(test_not_a_plain_file)
{
    char text[5000];

    make_home();
    keep_some();
    mst_choice choice = choose();
    ck_assert_int_eq(chmod(choice.path, 0666), 0);
    ck_assert_str_eq(choose().why, "it is not a plain file that only this user may write");
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(unlink(choice.path), 0);
    store(choice.path, text, sizeof text);
    chmod(choice.path, 0600);
    ck_assert_str_eq(choose().why, "it is too long");
    unlink(choice.path);
    ck_assert_int_eq(mkfifo(choice.path, 0600), 0);
    ck_assert(!choose().used);
    unlink(choice.path);
    ck_assert_int_eq(mkdir(choice.path, 0700), 0);
    ck_assert(!choose().used);
    ck_assert_int_ne(mst_choice_keep(&choice, &choice.known), MUSTER_OK);
    remove_home();
}
END_TEST

START_TEST(test_no_home)
{
    make_home();
    setenv("HOME", "", 1);
    mst_choice choice = choose();
    ck_assert(!choice.used && choice.path[0] == '\0');
    ck_assert_int_eq(mst_choice_keep(&choice, &choice.known), MUSTER_ERR_UNAVAILABLE);
    unsetenv("HOME");
    ck_assert(choose().path[0] == '\0');
    setenv("HOME", "/proc/nowhere", 1);
    choice = choose();
    ck_assert(!choice.used && choice.path[0]);
    ck_assert_int_ne(mst_choice_keep(&choice, &choice.known), MUSTER_OK);
    remove_home();
}
END_TEST

/* Several at once: a reader finds one of them, whole. */
START_TEST(test_writers_at_once)
{
    enum { WRITERS = 4, TURNS = 200 };
    int status;

    make_home();
    keep_some();
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0) {
            for (int turn = 0; turn < TURNS; turn++)
                keep_some();
            _exit(0);
        }
    for (int turn = 0; turn < TURNS; turn++)
        ck_assert_msg(choose().used, "%s", choose().why);
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert(choose().used);
    remove_home();
}
END_TEST

START_TEST(test_public_interface)
{
    muster_tuning tuning = MUSTER_TUNING_INIT, unset = { .struct_size = 0 };
    muster_threshold threshold = MUSTER_THRESHOLD_INIT;

    make_home();
    ck_assert_int_eq(muster_tuning_keep(NULL), MUSTER_OK);
    ck_assert_int_eq(muster_tuning_get(&tuning), MUSTER_OK);
    ck_assert_int_eq(tuning.source, MUSTER_TUNING_KNOWN);
    ck_assert_int_eq(access(tuning.path, F_OK), -1);
    ck_assert_int_eq(muster_tuning_keep("view_bytes_min=32k,libc_copy_bytes_min=4096"), MUSTER_OK);
    ck_assert_int_eq(muster_tuning_get(&tuning), MUSTER_OK);
    ck_assert_int_eq(tuning.source, MUSTER_TUNING_MEASURED);
    ck_assert_str_eq(tuning.path, choose().path);
    for (int number = 0; number < MST_THRESHOLD_COUNT; number++) {
        ck_assert_int_eq(muster_tuning_threshold(number, &threshold), MUSTER_OK);
        ck_assert(strcmp(threshold.name, "view_bytes_min") != 0 || threshold.used == 32768);
        ck_assert(strcmp(threshold.name, "round_bytes_min") != 0 || threshold.used == threshold.known);
    }
    ck_assert_int_eq(muster_tuning_threshold(MST_THRESHOLD_COUNT, &threshold), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_tuning_threshold(-1, &threshold), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_tuning_keep(NULL), MUSTER_OK);
    ck_assert(choose().used);
    ck_assert_int_eq(muster_tuning_keep("view_bytes_min=32k,nothing=1"), MUSTER_ERR_INVALID);
    ck_assert_str_eq(muster_error_detail(),
                     "\"nothing=1\" sets no threshold; expected NAME=BYTES, with the name of a threshold");
    ck_assert_int_eq(muster_tuning_get(&unset), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_tuning_get(NULL), MUSTER_ERR_INVALID);
    ck_assert_int_eq(chmod(tuning.path, 0622), 0);
    ck_assert_int_eq(muster_tuning_get(&tuning), MUSTER_OK);
    ck_assert_int_eq(tuning.source, MUSTER_TUNING_REFUSED);
    ck_assert_str_ne(tuning.why, "");
    remove_home();
}
END_TEST

START_TEST(test_variable)
{
    static const char *const bad[] = { "x",
                                       "cpu=",
                                       "cpu=zen",
                                       "file=x",
                                       "view_bytes_min",
                                       "view_bytes_min=",
                                       "view_bytes_min=1",
                                       "view_bytes_min=never",
                                       "none,=",
                                       "nothing=1" };
    mst_choice choice;

    make_home();
    keep_some();
    setenv("MUSTER_TUNING", "none", 1);
    choice = choose();
    ck_assert_mem_eq(&choice.thresholds, &choice.known, sizeof choice.known);
    setenv("MUSTER_TUNING", "view_bytes_min=4k", 1);
    choice = choose();
    ck_assert(choice.used);
    ck_assert_uint_eq(choice.thresholds.view_bytes_min, 4096);
    ck_assert_uint_eq(choice.thresholds.round_bytes_min, 128 << 10);
    setenv("MUSTER_TUNING", "libc_copy_bytes_min=never,cpu=icelake,round_bytes_min=8k", 1);
    choice = choose();
    ck_assert(!choice.used);
    ck_assert_str_eq(choice.column, "icelake");
    ck_assert_uint_eq(choice.thresholds.libc_copy_bytes_min, MST_NEVER);
    ck_assert_uint_eq(choice.thresholds.round_bytes_min, 8192);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("MUSTER_TUNING", bad[i], 1);
        ck_assert_int_eq(mst_choice_make(&choice), MUSTER_ERR_INVALID);
        ck_assert_msg(strstr(muster_error_detail(), "MUSTER_TUNING has"), "%s", muster_error_detail());
    }
    remove_home();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thresholds");
    TCase *tests = tcase_create("thresholds");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_payload);
    tcase_add_test(tests, test_every_column_makes_sense);
    tcase_add_test(tests, test_columns_of_cpus);
    tcase_add_test(tests, test_what_was_measured_is_used);
    tcase_add_test(tests, test_damaged);
    tcase_add_test(tests, test_foreign);
    tcase_add_test(tests, test_not_a_plain_file);
    tcase_add_test(tests, test_no_home);
    tcase_add_test(tests, test_writers_at_once);
    tcase_add_test(tests, test_public_interface);
    tcase_add_test(tests, test_variable);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
