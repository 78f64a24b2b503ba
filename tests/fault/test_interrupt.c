/* Waits that the program interrupts: the call ends, and nobody is left waiting for it. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

typedef struct scene {
    _Atomic int asked;
    _Atomic int begun; /* what is to be interrupted: until then nothing is */
    _Atomic int over;  /* rank 0 is out of its wait */
} scene;

static bool after_three(void *arg)
{
    scene *scene = arg;

    return scene->begun && ++scene->asked >= 3;
}

static bool never(void *arg)
{
    scene *scene = arg;

    scene->asked++;
    return false;
}

static void wait_until_it_is_over(const scene *scene)
{
    while (!scene->over)
        sched_yield();
}

static int interrupt_a_barrier(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *child;
    bool first = muster_group_rank(world) == 0;

    RANK_OK(world, muster_group_set_interrupt(world, first ? after_three : never, scene));
    RANK_OK(world, muster_group_split(world, 0, -1, &child));
    if (first)
        scene->begun = 1; /* the split may have waited as long, too */
    else
        wait_until_it_is_over(scene);
    RANK_CHECK(child, muster_barrier(child) == MUSTER_ERR_ABORTED);
    RANK_CHECK(child, strstr(muster_error_detail(), "rank 0 was interrupted") != NULL);
    scene->over = 1;
    if (first)
        RANK_OK(world, muster_group_set_interrupt(world, NULL, NULL));
    RANK_OK(world, muster_barrier(world)); /* another group is as it was */
    muster_group_free(child);
    return 0;
}

static int interrupt_a_shrink(muster_group *world, void *arg)
{
    scene *scene = arg;
    muster_group *smaller;
    bool first = muster_group_rank(world) == 0;

    if (!first) {
        wait_until_it_is_over(scene);
        return 0;
    }
    scene->begun = 1;
    RANK_OK(world, muster_group_set_interrupt(world, after_three, scene));
    RANK_CHECK(world, muster_group_shrink(world, &smaller) == MUSTER_ERR_ABORTED);
    RANK_CHECK(world, strstr(muster_error_detail(), "interrupted in shrink") != NULL);
    scene->over = 1;
    return 0;
}

static void play(muster_rank_fn body)
{
    for (int mode = on_one_host() ? RANKS_AS_PROCESSES : RANKS_AS_THREADS; mode <= RANKS_AS_THREADS; mode++) {
        scene *scene = shared_page(sizeof *scene);

        run_ranks(3, (rank_mode)mode, body, scene);
        ck_assert_int_ge(scene->asked, 3);
        shared_page_free(scene, sizeof *scene);
    }
}

START_TEST(test_a_collective)
{
    play(interrupt_a_barrier);
}
END_TEST

START_TEST(test_shrink)
{
    play(interrupt_a_shrink);
}
END_TEST

/* A rank that nobody joins; the name goes with it. */
START_TEST(test_attaching)
{
    scene scene = { .begun = 1 };
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world = NULL;
    char name[60];

    snprintf(name, sizeof name, "/muster-interrupt-%d", (int)getpid());
    config.arena = name;
    config.size = 2;
    config.attach_timeout_ns = -1;
    config.interrupt = after_three;
    config.interrupt_arg = &scene;
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_ERR_ABORTED);
    ck_assert_ptr_nonnull(strstr(muster_error_detail(), "interrupted while it waited for all to attach"));
    ck_assert_ptr_null(world);
    ck_assert_int_eq(scene.asked, 3);
    ck_assert_int_eq(shm_unlink(name), -1);

    muster_set_interrupt(after_three, &scene); /* and by the environment */
    setenv("MUSTER_ARENA", name, 1);
    setenv("MUSTER_RANK", "1", 1);
    setenv("MUSTER_SIZE", "2", 1);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_ERR_ABORTED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interrupt");
    TCase *tests = tcase_create("interrupt");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_collective);
    if (on_one_host()) { /* which alone can shrink; and a name in shared memory */
        tcase_add_test(tests, test_shrink);
        tcase_add_test(tests, test_attaching);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
