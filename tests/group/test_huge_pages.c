/*
 * Large pages for the arena, as root and as a user without privilege: a file that no path leads to, or memory
 * in small pages where the system refuses; and arenas that are made either way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/arena/arena.h"
#include "shm/port/huge.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"

enum { NOBODY = 65534, UNIT = 512 }; /* st_blocks */

static void check_file(int fd)
{
    char path[40], link[64] = "";
    struct stat st;

    ck_assert_int_eq(ftruncate(fd, (off_t)MST_ARENA_BYTES_DEFAULT), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert(S_ISREG(st.st_mode) && st.st_nlink == 0 && (st.st_mode & 0777) == 0600 &&
              st.st_uid == geteuid());
    ck_assert_int_eq(st.st_blocks, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ck_assert_int_gt(readlink(path, link, sizeof link - 1), 0);
    ck_assert_str_eq(link, "/memfd:muster (deleted)"); /* which muster ps looks for */
    unsigned char *at = mmap(NULL, 1 << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    at[5 << 20] = 1; /* one page, if there is a large one free */
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_gt(st.st_blocks, 0);
    ck_assert_int_le(st.st_blocks * UNIT, (long)MST_HUGE_PAGE_BYTES);
    ck_assert_int_eq(mst_os_memory_commit(at + (8 << 20), 3 << 20), 0);
    ck_assert_int_eq(mst_os_memory_release(at, 16 << 20), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_blocks, 0);
    ck_assert_int_eq(munmap(at, 1 << 30), 0);
}

/* Leaves no child and no descriptor behind, whatever comes of it. */
static void try_it(void)
{
    int before = count_entries("/proc/self/fd", ""), helped;
    const char *why = "";

    int fd = mst_os_object_create_huge(&why, &helped);
    if (fd >= 0) {
        ck_assert_int_eq(helped, geteuid() != 0);
        check_file(fd);
        close(fd);
    } else {
        printf("no large pages here: %s: %s\n", why, strerror(-fd));
        ck_assert_str_ne(why, "");
    }
    ck_assert_int_eq(count_entries("/proc/self/fd", ""), before);
    ck_assert_int_eq(waitpid(-1, NULL, __WALL), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(test_by_ourselves)
{
    try_it();
}
END_TEST

START_TEST(test_by_a_helper)
{
    if (geteuid() ==
        0) /* of this process, which Check has forked for the test; as if that user had started it */
        ck_assert(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
                  prctl(PR_SET_DUMPABLE, 1) == 0);
    try_it();
}
END_TEST

/* No handler of the program runs in a helper, and its own mask is as it was. */
START_TEST(test_signals_are_blocked)
{
    sigset_t before, after;
    char blocked = 0;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    int32_t child = mst_os_fork_unseen();
    if (child == 0) {
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        blocked =
            sigismember(&after, SIGTERM) && sigismember(&after, SIGALRM) && sigismember(&after, SIGUSR1);
        _exit(write(ends[1], &blocked, 1) == 1 ? 0 : 1);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(read(ends[0], &blocked, 1), 1);
    mst_os_end_unseen(child);
    ck_assert(blocked);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int signal = 1; signal < 32; signal++)
        ck_assert_int_eq(sigismember(&before, signal), sigismember(&after, signal));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- arenas ---- */

static int sum(muster_group *world, void *arg)
{
    size_t count = 1 << 20;
    float *x;

    (void)arg;
    RANK_OK(world, muster_alloc(world, count * sizeof *x, (void **)&x));
    for (size_t i = 0; i < count; i++)
        x[i] = (float)muster_group_rank(world);
    RANK_OK(world, muster_all_sum(x, x, count, MUSTER_FLOAT32, world));
    int size = muster_group_size(world);
    RANK_CHECK(world, x[0] == (float)(size * (size - 1) / 2) && x[count - 1] == x[0]);
    RANK_OK(world, muster_free(world, x));
    return 0;
}

static bool note_kind(int fd, void *arg)
{
    *(int *)arg = fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK;
    return true;
}

static void launch(const char *wanted, int size, int *sealed)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    config.size = size;
    config.arena = note_kind;
    config.arena_arg = sealed;
    wanted ? setenv("MUSTER_HUGE_PAGES", wanted, 1) : unsetenv("MUSTER_HUGE_PAGES");
    muster_status status = muster_launch(&config, sum, NULL, &report);
    ck_assert_msg(status == MUSTER_OK, "%s", report.summary[0] ? report.summary : muster_error_detail());
}

START_TEST(test_arenas_of_both_kinds)
{
    const char *why;
    int helped, sealed, fd = mst_os_object_create_huge(&why, &helped);

    launch("0", 2, &sealed);
    ck_assert(sealed);
    launch(NULL, 2, &sealed);
    ck_assert_int_eq(!sealed, fd >= 0 && mst_huge_pages_fit(2) && muster_cpu_count() >= 2);
    launch("1", muster_cpu_count() + 1, &sealed);
    ck_assert(sealed);
    mst_os_close(fd);
}
END_TEST

START_TEST(test_a_setting_that_makes_no_sense)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    setenv("MUSTER_HUGE_PAGES", "2M", 1);
    ck_assert_int_eq(muster_launch(&config, sum, NULL, NULL), MUSTER_ERR_INVALID);
    ck_assert_str_eq(muster_error_detail(), "MUSTER_HUGE_PAGES is \"2M\"; expected 1 or 0");
}
END_TEST

/* What says that it needs no seal, as no path leads to it, is refused if one does. */
START_TEST(test_a_path_leads_to_it)
{
    mst_arena_plan plan = { .size = 1 };
    mst_arena *arena;
    char name[40];

    snprintf(name, sizeof name, "/muster-test-huge-%d", (int)getpid());
    int fd = mst_os_object_create_named(name);
    ck_assert_int_ge(fd, 0);
    muster_status formatted = mst_arena_format(fd, &plan, MST_ARENA_HUGE),
                  linked = formatted == MUSTER_OK ? mst_arena_open(fd, 1, &arena) : formatted;
    mst_os_object_unlink(name);
    ck_assert_int_eq(formatted, MUSTER_OK);
    ck_assert_int_eq(linked, MUSTER_ERR_BAD_ARENA);
    ck_assert_int_eq(mst_arena_open(fd, 1, &arena), MUSTER_OK);
    mst_arena_close(arena);
    mst_os_close(fd);
}
END_TEST

/* Whoever has a writable descriptor can truncate it, as nothing is sealed: the job ends then, by SIGBUS of
 * whoever looks next, and nobody hangs. */
static int truncate_and_wait(muster_group *world, void *arg)
{
    (void)arg;
    if (muster_group_rank(world) == 0)
        RANK_CHECK(world, ftruncate(arena_of_job(), 0) == 0);
    while (muster_barrier(world) == MUSTER_OK)
        continue;
    return 1;
}

START_TEST(test_truncated)
{
    const char *why;
    int helped, status, fd = mst_os_object_create_huge(&why, &helped);
    pid_t child;

    if (fd < 0 || muster_cpu_count() < 2 || !mst_huge_pages_fit(2)) {
        printf("skipped: arenas have small pages here\n");
        return;
    }
    mst_os_close(fd);
    unsetenv("MUSTER_HUGE_PAGES");
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* ranks that outlive their launcher are ours */
    child = fork();
    if (child == 0) {
        muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

        config.size = 2;
        _exit(muster_launch(&config, truncate_and_wait, NULL, NULL) == MUSTER_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
                      (WIFEXITED(status) && WEXITSTATUS(status) == 1),
                  "the launcher ended with %#x", status);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("huge pages");
    TCase *tests = tcase_create("huge pages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_by_ourselves);
    tcase_add_test(tests, test_by_a_helper);
    tcase_add_test(tests, test_signals_are_blocked);
    tcase_add_test(tests, test_arenas_of_both_kinds);
    tcase_add_test(tests, test_a_setting_that_makes_no_sense);
    tcase_add_test(tests, test_a_path_leads_to_it);
    if (!under_address_sanitizer() && !under_thread_sanitizer()) /* which take SIGBUS for themselves */
        tcase_add_test(tests, test_truncated);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
