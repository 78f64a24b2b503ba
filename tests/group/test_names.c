/*
 * Named arenas: a name that is taken by something else. What others made is left alone, whatever it is; what
 * is left of an arena whose ranks are all dead is taken over, at whatever point they were.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/base/layout.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"

static muster_config config_for(const char *name, int rank, int size)
{
    muster_config config = MUSTER_CONFIG_INIT;

    config.arena = name;
    config.rank = rank;
    config.size = size;
    config.attach_timeout_ns = 20000000000;
    return config;
}

/* How a forked rank that attaches by name and waits for the other ends, which is seen in its exit status. */
static pid_t start_rank(const char *name, int rank)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    muster_config config = config_for(name, rank, 2);
    muster_group *world;
    muster_status status = muster_attach(&config, &world);
    if (status == MUSTER_OK)
        status = muster_barrier(world);
    if (status != MUSTER_OK)
        fprintf(stderr, "rank %d: %s\n", rank, muster_error_detail());
    _exit((int)status);
}

static void expect_refusal(const char *name, muster_status status, const char *words)
{
    muster_config config = config_for(name, 0, 2);
    muster_group *world = NULL;

    muster_status got = muster_attach(&config, &world);
    ck_assert_msg(got == status, "%s: %s", muster_status_string(got), muster_error_detail());
    ck_assert_msg(strstr(muster_error_detail(), words), "no \"%s\" in: %s", words, muster_error_detail());
    ck_assert_ptr_null(world);
}

static int create(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(test_files_of_other_users_and_modes)
{
    char name[64];

    name_of_test(name, sizeof name, "planted");
    int fd = create(name);
    ck_assert_int_eq(fchmod(fd, 0666), 0);
    expect_refusal(name, MUSTER_ERR_PERMISSION, "0666");
    if (getuid() == 0) {
        ck_assert_int_eq(fchmod(fd, 0600), 0);
        ck_assert_int_eq(fchown(fd, 12345, 12345), 0);
        expect_refusal(name, MUSTER_ERR_PERMISSION, "user 12345");
    }
    shm_unlink(name);
    close(fd);
}
END_TEST

/* The user's own, of another program: nobody uses it at the moment, and it is not muster's to remove. */
START_TEST(test_files_that_are_no_arenas)
{
    static const char text[] = "muster! these are the user's bytes";
    char name[64], path[96], found[sizeof text];
    struct stat before, after;

    name_of_test(name, sizeof name, "other");
    snprintf(path, sizeof path, "/dev/shm%s", name);
    for (size_t bytes = 1; bytes <= sizeof text; bytes++) {
        int fd = create(name);
        ck_assert_int_eq(pwrite(fd, text, bytes, 0), (ssize_t)bytes);
        expect_refusal(name, MUSTER_ERR_BAD_ARENA, "is not a muster arena");
        ck_assert(fstat(fd, &before) == 0 && stat(path, &after) == 0);
        ck_assert(before.st_ino == after.st_ino && after.st_size == (off_t)bytes);
        ck_assert_int_eq(pread(fd, found, sizeof found, 0), (ssize_t)bytes);
        ck_assert_mem_eq(found, text, bytes);
        shm_unlink(name);
        close(fd);
    }
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_refusal(name, MUSTER_ERR_BAD_ARENA, "is not a muster arena");
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* Whoever created it was killed before there was more. */
START_TEST(test_unfinished_arenas)
{
    static const uint64_t mark = MST_MAKING_MAGIC;
    char name[64];

    name_of_test(name, sizeof name, "unfinished");
    for (int bytes = 0; bytes <= 1 << 20; bytes += 1 << 19) {
        int fd = create(name), status;
        ck_assert(bytes == 0 || pwrite(fd, &mark, sizeof mark, 0) == sizeof mark);
        ck_assert_int_eq(ftruncate(fd, bytes), 0);
        close(fd);
        pid_t ranks[] = { start_rank(name, 0), start_rank(name, 1) };
        for (int rank = 0; rank < 2; rank++) {
            ck_assert_int_eq(waitpid(ranks[rank], &status, 0), ranks[rank]);
            ck_assert_int_eq(status, 0);
        }
        ck_assert_int_eq(shm_unlink(name), -1);
    }
}
END_TEST

/* An arena whose name is a pipe's by now: who would remove the arena does not wait for somebody at its other
 * end. */
START_TEST(test_name_that_is_a_pipe)
{
    char name[64], path[96];

    name_of_test(name, sizeof name, "pipe");
    snprintf(path, sizeof path, "/dev/shm%s", name);
    int fd = create(name);
    mst_os_held held = mst_os_hold(fd);
    ck_assert(mst_os_object_has_name(&held, name));
    ck_assert_int_eq(shm_unlink(name), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert(!mst_os_object_has_name(&held, name));
    expect_refusal(name, MUSTER_ERR_BAD_ARENA, "is not a muster arena");
    ck_assert_int_eq(unlink(path), 0);
    mst_os_held_close(&held);
}
END_TEST

/* What is no name of a file, or would look like something else where it is shown; and the longest. */
START_TEST(test_names_that_are_none)
{
    char name[252];

    expect_refusal("/.", MUSTER_ERR_INVALID, "one slash");
    expect_refusal("/..", MUSTER_ERR_INVALID, "one slash");
    expect_refusal("/a\nb", MUSTER_ERR_INVALID, "no control characters");
    expect_refusal("/a\033[2J", MUSTER_ERR_INVALID, "no control characters");
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    expect_refusal(name, MUSTER_ERR_INVALID, "has 251 characters: expected at most 250");
    name[sizeof name - 2] = '\0';
    muster_config config = config_for(name, 0, 1);
    muster_group *world;
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tests = tcase_create("names");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_names_that_are_none);
    tcase_add_test(tests, test_files_of_other_users_and_modes);
    tcase_add_test(tests, test_files_that_are_no_arenas);
    tcase_add_test(tests, test_unfinished_arenas);
    tcase_add_test(tests, test_name_that_is_a_pipe);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
