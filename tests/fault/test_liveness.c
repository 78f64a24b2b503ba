/*
 * Every way of learning of a death, and every way to end, told apart: each detection method of the ladder
 * (forced by MUSTER_LIVENESS) against a kill, an exit, another program in the process's place, and a crash.
 */
#define _GNU_SOURCE /* prlimit */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/arena/attachment.h"
#include "shm/death/terminations.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

static const char *const detections[] = { "futex", "tick", "pidfd", "launcher" };
#define DETECTIONS 4

static bool has_death_words(void)
{
    return strcmp(mst_os_park_name(), "futex") == 0;
}

typedef struct scene {
    const char *how; /* what the survivors' sentence must say */
    int way;
    bool report; /* the victim's crash is reported by its handler */
    _Atomic int victim_pid;
    _Atomic int without_threads; /* ranks that could start none */
    char said[8][200];
} scene;

enum { BY_SIGNAL = 0, BY_EXIT = 1000, BY_EXIT_0, BY_EXEC, BY_CRASH };

static void end_oneself(scene *scene)
{
    struct rlimit none = { 0, 0 };
    int *forbidden;

    scene->victim_pid = getpid();
    switch (scene->way) {
    case BY_EXIT:
        _exit(7);
    case BY_EXIT_0:
        _exit(0);
    case BY_EXEC:
        execlp("sleep", "sleep", "100", (char *)NULL);
        _exit(127);
    case BY_CRASH:
        setrlimit(RLIMIT_CORE, &none);
        forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *forbidden = 1;
        _exit(0);
    default:
        raise(scene->way);
    }
}

static int one_ends(muster_group *world, void *arg)
{
    scene *scene = arg;
    int rank = muster_group_rank(world), victim = muster_group_size(world) - 1;

    signal(SIGSEGV, SIG_DFL); /* AddressSanitizer's would exit */
    signal(SIGABRT, SIG_DFL);
    if (scene->report)
        RANK_OK(world, muster_report_crashes(world));
    RANK_OK(world, muster_barrier(world));
    if (rank == victim)
        end_oneself(scene);
    muster_status status = muster_barrier(world);
    snprintf(scene->said[rank], sizeof scene->said[rank], "%s", muster_error_detail());
    if (scene->way == BY_EXEC && rank == 0)
        kill(scene->victim_pid, SIGKILL);
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    return 0;
}

static void play(int way, const char *how, bool report)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report result = MUSTER_REPORT_INIT;

    for (int size = 2; size <= 5; size += 3) {
        char name[16];

        *scene = (struct scene){ .how = how, .way = way, .report = report };
        run_failing_ranks((rank_options){ .size = size }, one_ends, scene, &result);
        snprintf(name, sizeof name, "rank %d ", size - 1);
        for (int rank = 0; rank < size - 1; rank++)
            ck_assert_msg(strstr(scene->said[rank], how) && strstr(scene->said[rank], name),
                          "%s: rank %d of %d was told: %s", getenv("MUSTER_LIVENESS"), rank, size,
                          scene->said[rank]);
    }
    shared_page_free(scene, sizeof *scene);
}

START_TEST(test_each_detection_method_finds_each_end)
{
    setenv("MUSTER_LIVENESS", detections[_i], 1);
    play(SIGKILL, "was killed by signal 9", false);
    play(SIGUSR1, "was killed by signal 10", false);
    play(BY_EXIT, "exited with status 7", false);
    play(BY_EXIT_0, "exited with status 0 without leaving", false);
    play(BY_CRASH, "was killed by signal 11", false);
}
END_TEST

START_TEST(test_another_program_in_the_rank_s_place)
{
    if (!has_death_words())
        return;
    setenv("MUSTER_LIVENESS", detections[_i], 1); /* a process watch sees nothing: the process lives on */
    play(BY_EXEC, "executed another program", false);
}
END_TEST

START_TEST(test_a_crash_is_reported_by_its_handler)
{
    setenv("MUSTER_LIVENESS", "launcher", 1);
    play(BY_CRASH, "was killed by signal 11", true);
    play(SIGABRT, "was killed by signal 6", true);
}
END_TEST

/* ---- crashes that take long ---- */

static int crash_with_a_large_core(muster_group *world, void *arg)
{
    scene *scene = arg;
    size_t bytes = (size_t)256 << 20;
    struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
    int rank = muster_group_rank(world);

    if (rank == 1) {
        char *memory = malloc(bytes);

        RANK_CHECK(world, memory != NULL);
        memset(memory, 1, bytes);
        RANK_CHECK(world, setrlimit(RLIMIT_CORE, &all) == 0);
    }
    signal(SIGSEGV, SIG_DFL);
    RANK_OK(world, muster_barrier(world));
    if (rank == 1)
        raise(SIGSEGV);
    muster_status status = muster_barrier(world);
    snprintf(scene->said[rank], sizeof scene->said[rank], "%s", muster_error_detail());
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    return 0;
}

START_TEST(test_a_core_file_is_not_waited_for)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report result = MUSTER_REPORT_INIT;
    char folder[] = "/tmp/muster-test-core-XXXXXX", command[80];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    run_failing_ranks((rank_options){ .size = 2 }, crash_with_a_large_core, scene, &result);
    /* Which of the two depends on how fast the file is written. */
    ck_assert_msg(strstr(scene->said[0], "writing its core file") || strstr(scene->said[0], "signal 11"),
                  "rank 0 was told: %s", scene->said[0]);
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- what follows from an end ---- */

/* An end that is known ends the next call, also one that need not wait for anybody. */
static int call_after_an_end(muster_group *world, void *arg)
{
    const mst_geometry *geometry = &mst_group_of_const(world)->subarena->attachment->geometry;
    int rank = muster_group_rank(world);
    char x = 0;

    (void)arg;
    RANK_OK(world, muster_barrier(world));
    if (rank == 1)
        raise(SIGKILL);
    AWAIT(mst_termination_of(geometry, 1).kind != MUSTER_TERMINATION_NONE); /* the launcher sees it */
    RANK_CHECK(world, muster_send(&x, 1, MUSTER_UINT8, rank, 0, world) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 was killed by signal 9"));
    return 0;
}

START_TEST(test_a_known_end_ends_the_next_call)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3 }, call_after_an_end, NULL, &report);
    for (int rank = 0; rank < 3; rank += 2)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d", rank);
}
END_TEST

/* Its peers know that it has ended, and it writes all the same, for as long as it likes: as the other threads
 * of one that dies may, for a moment. */
static int end_and_go_on(muster_group *world, _Atomic int *done)
{
    const mst_attachment *attachment = mst_group_of_const(world)->subarena->attachment;

    mst_termination_record(&attachment->geometry, attachment->seat,
                           (muster_termination){ MUSTER_TERMINATION_CRASHED, 0 });
    for (int i = 0; i < 30000 && *done < muster_group_size(world) - 1; i++) /* unless one has failed */
        pass_time_ms(1);
    _exit(0);
}

static bool exits;
static _Atomic int *lingers; /* the rank's own: set in one that exits; NULL: it does not */

/* Runs after the library's, which leaves all groups: its peers know, and its other threads write all the
 * same. */
static void linger(void) __attribute__((destructor(101)));
static void linger(void)
{
    for (int i = 0; i < 30000 && lingers && *lingers < 2; i++)
        pass_time_ms(1);
}

static int exit_slowly(_Atomic int *done)
{
    lingers = done;
    exit(0);
}

/* Which cell a new group gets; the one that was freed may not be free for use yet. */
static int use_cell_of_child(muster_group *group, uint32_t *cell)
{
    muster_group *child;

    RANK_OK(group, muster_group_split(group, 0, -1, &child));
    *cell = mst_group_of_const(child)->subarena->own.cell;
    RANK_OK(child, muster_barrier(child));
    RANK_OK(child, muster_group_free(child));
    return 0;
}

static int use_memory_again(muster_group *world, void *arg)
{
    _Atomic int *done = arg;
    muster_group *group, *rest;
    uint32_t given_back, cell;

    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (muster_group_rank(world) == 1)
        return exits ? exit_slowly(done) : end_and_go_on(world, done);
    RANK_CHECK(group, muster_barrier(group) == MUSTER_ERR_PEER_DIED);
    given_back = mst_group_of_const(group)->subarena->own.cell;
    RANK_OK(group, muster_group_shrink(group, &rest));
    RANK_OK(group, muster_group_free(group));
    for (int i = 0; i < 10; i++) {
        if (use_cell_of_child(rest, &cell))
            return 1;
        RANK_CHECK(rest, cell != given_back);
    }
    ++*done;
    for (int32_t seen = 0, all = 0; !all;) { /* until the system has confirmed the end */
        if (use_cell_of_child(rest, &cell))
            return 1;
        seen |= cell == given_back;
        RANK_OK(rest, muster_all_min(&seen, &all, 1, MUSTER_INT32, rest));
    }
    RANK_OK(rest, muster_group_free(rest));
    return 0;
}

START_TEST(test_memory_is_used_again_when_an_end_is_confirmed)
{
    _Atomic int *done = shared_page(sizeof *done);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[3];

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3 }, use_memory_again, done, &report);
    for (int rank = 0; rank < 3; rank += 2)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d", rank);
    shared_page_free(done, sizeof *done);
}
END_TEST

START_TEST(test_memory_is_used_again_when_a_program_that_ends_has_ended)
{
    _Atomic int *done = shared_page(sizeof *done);

    setenv("MUSTER_LIVENESS", detections[_i], 1);
    exits = true;
    run_ranks(3, RANKS_AS_PROCESSES, use_memory_again, done);
    shared_page_free(done, sizeof *done);
}
END_TEST

/* ---- what the system does not offer ---- */

static int has_method(muster_group *world, void *arg)
{
    mst_detection expected = *(const mst_detection *)arg;

    RANK_OK(world, muster_barrier(world));
    RANK_CHECK(world, mst_group_of_const(world)->subarena->attachment->liveness.detection == expected);
    return 0;
}

START_TEST(test_the_best_detection_method_is_taken)
{
    mst_detection expected = has_death_words() ? MST_DETECTION_FUTEX : MST_DETECTION_TICK;

    run_ranks(3, RANKS_AS_PROCESSES, has_method, &expected);
    run_ranks(3, RANKS_AS_THREADS, has_method, &expected);
}
END_TEST

static int killed_in_a_world_without_threads(muster_group *world, void *arg)
{
    scene *scene = arg;

    RANK_CHECK(world,
               mst_group_of_const(world)->subarena->attachment->liveness.detection == MST_DETECTION_TICK);
    scene->without_threads++;
    return one_ends(world, arg);
}

/* RLIMIT_NPROC does not bind root, so the ranks are somebody else, with as many processes as they are. */
START_TEST(test_without_threads_the_dead_are_found_all_the_same)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report result = MUSTER_REPORT_INIT;
    struct rlimit few = { 3, 3 };

    if (geteuid() == 0) {
        ck_assert_int_eq(setgid(54321), 0);
        ck_assert_int_eq(setuid(54321), 0);
        ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* or /proc/self belongs to root */
    }
    if (under_thread_sanitizer() || setrlimit(RLIMIT_NPROC, &few) < 0)
        return;
    /* Rank 0 may start its thread before rank 1 is forked, which then is one too many: such a world is none.
     */
    for (int attempt = 0; attempt < 50 && scene->without_threads != 2; attempt++) {
        *scene = (struct scene){ .way = SIGKILL };
        run_failing_ranks((rank_options){ .size = 2 }, killed_in_a_world_without_threads, scene, &result);
    }
    ck_assert_int_eq(scene->without_threads, 2);
    ck_assert_msg(strstr(scene->said[0], "rank 1 was killed by signal 9"), "rank 0 was told: %s",
                  scene->said[0]);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_an_unknown_detection_method_is_refused)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.liveness = "telepathy";
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "expected futex, tick, pidfd or launcher"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("liveness");
    TCase *tests = tcase_create("liveness");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, test_each_detection_method_finds_each_end, 0, DETECTIONS);
    tcase_add_loop_test(tests, test_another_program_in_the_rank_s_place, 0, 2);
    tcase_add_test(tests, test_a_crash_is_reported_by_its_handler);
    tcase_add_test(tests, test_a_core_file_is_not_waited_for);
    tcase_add_loop_test(tests, test_a_known_end_ends_the_next_call, 0, DETECTIONS);
    tcase_add_loop_test(tests, test_memory_is_used_again_when_an_end_is_confirmed, 0, DETECTIONS);
    tcase_add_loop_test(tests, test_memory_is_used_again_when_a_program_that_ends_has_ended, 0, DETECTIONS);
    tcase_add_test(tests, test_the_best_detection_method_is_taken);
    tcase_add_test(tests, test_without_threads_the_dead_are_found_all_the_same);
    tcase_add_test(tests, test_an_unknown_detection_method_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
