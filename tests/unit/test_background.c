/* Tasks in the background of waits: who makes their progress, and who is told that there is some to make. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "shm/wait/progress_thread.h"
#include "shm/wait/wait.h"
#include "tests/harness/ranks.h"

/* A rank's background, and a task whose progress can be held up. */
typedef struct scene {
    mst_background background;
    mst_eventcount doorbell;
    mst_task task;
    _Atomic uint32_t held; /* 1: progress does not return */
    _Atomic uint32_t calls;
    _Atomic uint32_t left; /* how often it will say that there is more, */
    bool lists_itself;
    mst_eventcount awaited;
    pthread_t waiting;       /* a thread that waits for that */
    _Atomic uint32_t others; /* calls by other threads than that one */
} scene;

#define ENDLESS UINT32_MAX /* until told otherwise */

static mst_task_state progress(void *arg, bool insists)
{
    scene *scene = arg;

    (void)insists;
    if (!pthread_equal(pthread_self(), scene->waiting))
        mst_add32_sc(&scene->others, 1);
    mst_add32_sc(&scene->calls, 1);
    while (mst_load32_acq(&scene->held)) /* without a pause: the test's threads wait for each other */
        pass_time_ms(0.01);
    if (scene->lists_itself)
        mst_background_list(&scene->background, &scene->task);
    uint32_t left = mst_load32_acq(&scene->left);
    if (left != 0 && left != ENDLESS)
        mst_store32_rel(&scene->left, left - 1);
    return left ? MST_TASK_MORE : MST_TASK_OVER;
}

static void set_up(scene *scene)
{
    *scene = (struct scene){ .task = { .progress = progress, .arg = scene } };
    mst_background_init(&scene->background, mst_eventcount_parking(&scene->doorbell));
}

static uint32_t rings_of(scene *scene)
{
    return mst_load32_acq(&scene->doorbell.word) / 2;
}

START_TEST(test_a_task_is_listed_until_it_is_over)
{
    scene scene;

    set_up(&scene);
    ck_assert(mst_background_is_empty(&scene.background));
    ck_assert(mst_background_progress(&scene.background, true));
    scene.left = 2;
    mst_background_list(&scene.background, &scene.task);
    mst_background_list(&scene.background, &scene.task);
    for (uint32_t i = 1; i <= 3; i++) {
        ck_assert(!mst_background_is_empty(&scene.background));
        ck_assert(mst_background_progress(&scene.background, false));
        ck_assert_uint_eq(scene.calls, i);
    }
    ck_assert(mst_background_is_empty(&scene.background));
    mst_background_list(&scene.background, &scene.task);
    mst_background_remove(&scene.background, &scene.task);
    mst_background_remove(&scene.background, &scene.task);
    ck_assert(mst_background_progress(&scene.background, true));
    ck_assert_uint_eq(scene.calls, 3);
    mst_background_destroy(&scene.background);
}
END_TEST

/* What is listed while its progress finds nothing more to do stays listed. */
START_TEST(test_a_task_that_is_listed_again)
{
    scene scene;

    set_up(&scene);
    scene.lists_itself = true;
    mst_background_list(&scene.background, &scene.task);
    ck_assert(mst_background_progress(&scene.background, false));
    ck_assert(!mst_background_is_empty(&scene.background));
    scene.lists_itself = false;
    ck_assert(mst_background_progress(&scene.background, false));
    ck_assert(mst_background_is_empty(&scene.background));
    mst_background_destroy(&scene.background);
}
END_TEST

static void *make_progress(void *arg)
{
    scene *scene = arg;

    mst_background_progress(&scene->background, false);
    return NULL;
}

/* Who is about to sleep and finds another thread at it is woken when that one has let go: it may have looked
 * before. */
START_TEST(test_who_sleeps_is_woken)
{
    for (int insists = 0; insists < 2; insists++) {
        pthread_t thread;
        scene scene;

        set_up(&scene);
        scene.held = 1;
        scene.left = 10;
        scene.doorbell.sleepers = 1; /* ourselves */
        mst_background_list(&scene.background, &scene.task);
        ck_assert_int_eq(pthread_create(&thread, NULL, make_progress, &scene), 0);
        AWAIT(mst_load32_acq(&scene.calls) == 1);
        ck_assert(!mst_background_progress(&scene.background, insists));
        ck_assert_uint_eq(rings_of(&scene), 0);
        mst_store32_rel(&scene.held, 0);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(rings_of(&scene), (unsigned)insists);
        ck_assert(mst_background_progress(&scene.background, insists)); /* and it can look itself then */
        ck_assert_uint_eq(scene.calls, 2);
        ck_assert_uint_eq(rings_of(&scene), (unsigned)insists);
        mst_background_destroy(&scene.background);
    }
}
END_TEST

/* ---- the progress thread ---- */

START_TEST(test_the_thread_is_woken)
{
    mst_progress_thread thread = { .wanted = true };
    _Atomic uint32_t own_threads = 0;
    scene scene;

    set_up(&scene);
    mst_progress_thread_stop(&thread); /* it was never started */
    ck_assert_int_eq(mst_progress_thread_start(&thread, &scene.background, &own_threads), 0);
    ck_assert_uint_eq(own_threads, 1);
    scene.left = ENDLESS;
    mst_background_list(&scene.background, &scene.task);
    for (int i = 0; i < 200; i++) {
        AWAIT(mst_load32_acq(&scene.doorbell.sleepers) == 1);
        uint32_t before = mst_load32_acq(&scene.calls);
        mst_eventcount_ring(&scene.doorbell);
        AWAIT(mst_load32_acq(&scene.calls) > before);
    }
    mst_store32_rel(&scene.left, 0); /* it takes the task off, and sleeps elsewhere */
    mst_eventcount_ring(&scene.doorbell);
    AWAIT(mst_background_is_empty(&scene.background));
    AWAIT(mst_load32_acq(&scene.background.idle.sleepers) == 1);
    ck_assert_uint_eq(mst_load32_acq(&scene.doorbell.sleepers), 0);
    mst_progress_thread_stop(&thread);
    ck_assert_uint_eq(own_threads, 0);
    mst_progress_thread_stop(&thread);
    mst_background_destroy(&scene.background);
}
END_TEST

/* While a thread of the program waits, it is that one's turn. */
START_TEST(test_the_thread_stands_back)
{
    mst_progress_thread thread = { .wanted = true };
    _Atomic uint32_t own_threads = 0;
    scene scene;

    set_up(&scene);
    scene.left = ENDLESS;
    ck_assert_int_eq(mst_progress_thread_start(&thread, &scene.background, &own_threads), 0);
    for (int i = 0; i < 200; i++) {
        mst_background_enter(&scene.background);
        mst_background_list(&scene.background, &scene.task);
        mst_eventcount_ring(&scene.doorbell);
        AWAIT(mst_load32_acq(&scene.background.idle.sleepers) == 1 &&
              mst_load32_acq(&scene.doorbell.sleepers) == 0);
        uint32_t before = mst_load32_acq(&scene.calls);
        mst_background_leave(&scene.background);
        AWAIT(mst_load32_acq(&scene.calls) > before);
    }
    mst_progress_thread_stop(&thread);
    mst_background_destroy(&scene.background);
}
END_TEST

static bool has_come(const void *arg)
{
    const scene *scene = arg;

    return mst_count_reached(&scene->awaited.word, 1);
}

static void *sleep_long(void *arg)
{
    scene *scene = arg;
    mst_waiter waiter = { .background = &scene->background,
                          .interruption = mst_eventcount_parking(&scene->doorbell) };

    mst_wait_until(&waiter, mst_eventcount_parking(&scene->awaited), has_come, scene, -1);
    return NULL;
}

/* What holds a thread up, in its signal handler. */
static _Atomic uint32_t holds, is_held;

static void be_held(int signal)
{
    int error = errno;

    (void)signal;
    mst_store32_rel(&is_held, 1);
    while (mst_load32_acq(&holds))
        pass_time_ms(0.01);
    mst_store32_rel(&is_held, 0);
    errno = error;
}

static void let_go(void)
{
    mst_store32_rel(&holds, 0);
    AWAIT(!mst_load32_acq(&is_held));
}

/* Holds the sleeper up in its sleep, in which it has left the background. A tick may have come first. */
static void hold_in_sleep(scene *scene)
{
    for (;;) {
        AWAIT(mst_load32_acq(&scene->awaited.sleepers) == 1 &&
              mst_load32_acq(&scene->background.waiting) == 0);
        mst_store32_rel(&holds, 1);
        ck_assert_int_eq(pthread_kill(scene->waiting, SIGUSR1), 0);
        AWAIT(mst_load32_acq(&is_held));
        if (mst_load32_acq(&scene->background.waiting) == 0)
            return;
        let_go();
    }
}

/* A sleeper that began when there was nothing to do sleeps on its own word alone: until its next tick, which
 * does not come while it is held up, it makes no progress. */
START_TEST(test_the_thread_does_not_rely_on_a_sleeper)
{
    enum { ROUNDS = 20 };
    const struct sigaction action = { .sa_handler = be_held };
    mst_progress_thread thread = { .wanted = true };
    _Atomic uint32_t own_threads = 0;
    scene scene;

    set_up(&scene);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(mst_progress_thread_start(&thread, &scene.background, &own_threads), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        mst_store32_rel(&scene.awaited.word, 0);
        ck_assert_int_eq(pthread_create(&scene.waiting, NULL, sleep_long, &scene), 0);
        hold_in_sleep(&scene);
        mst_background_list(&scene.background, &scene.task);
        AWAIT(mst_background_is_empty(&scene.background));
        let_go();
        mst_eventcount_advance(&scene.awaited);
        pthread_join(scene.waiting, NULL);
    }
    ck_assert_uint_eq(mst_load32_acq(&scene.calls), ROUNDS);
    ck_assert_uint_eq(mst_load32_acq(&scene.others), ROUNDS);
    mst_progress_thread_stop(&thread);
    mst_background_destroy(&scene.background);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("background");
    TCase *tests = tcase_create("background");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_task_is_listed_until_it_is_over);
    tcase_add_test(tests, test_a_task_that_is_listed_again);
    tcase_add_test(tests, test_who_sleeps_is_woken);
    tcase_add_test(tests, test_the_thread_is_woken);
    tcase_add_test(tests, test_the_thread_stands_back);
    if (!under_thread_sanitizer()) /* which puts handlers off until the sleep is over */
        tcase_add_test(tests, test_the_thread_does_not_rely_on_a_sleeper);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
