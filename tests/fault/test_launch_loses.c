/*
 * While muster_launch waits for ranks, another thread of its process closes all descriptors that it does not
 * know, and what takes the numbers is never ready: empty pipes. The ranks' ends are seen all the same.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { TAKEN = 300 };

static _Atomic int *ranks_run, *taken; /* in memory that all share */
static pid_t launching;                /* thread */

/* Whether the thread sleeps in a system call, as it does when it waits for all ranks. */
static bool is_asleep(void)
{
    char path[60], state = '?';

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)launching);
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file)
        fclose(file);
    return read && state == 'S';
}

static void *take_numbers(void *arg)
{
    int fds[2];

    (void)arg;
    AWAIT(*ranks_run == 2 && is_asleep());
    for (int fd = 3; fd < TAKEN; fd++)
        close(fd);
    do
        if (pipe(fds) != 0)
            _exit(99);
    while (fds[1] < TAKEN);
    *taken = 1;
    return NULL;
}

static int wait_for_it(muster_group *world, void *kills)
{
    RANK_OK(world, muster_barrier(world));
    ++*ranks_run;
    AWAIT(*taken);
    if (kills && muster_group_rank(world) == 1)
        raise(SIGKILL);
    return 0;
}

static int launch(bool prefixed, bool kills)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    pthread_t thread;

    signal(SIGTERM, SIG_DFL); /* Check's handler, in a rank, would kill the test */
    config.size = 2;
    config.prefix_output = prefixed;
    launching = gettid();
    RANK_CHECK(NULL, pthread_create(&thread, NULL, take_numbers, NULL) == 0);
    muster_status status = muster_launch(&config, wait_for_it, kills ? &config : NULL, NULL);
    pthread_join(thread, NULL);
    RANK_CHECK(NULL, status == (kills ? MUSTER_ERR_PEER_DIED : MUSTER_OK));
    return 0;
}

START_TEST(test_numbers_are_taken_while_it_waits)
{
    int status;

    ranks_run = shared_page(2 * sizeof *ranks_run);
    taken = ranks_run + 1;
    pid_t child = fork();
    if (child == 0)
        _exit(launch(_i & 1, _i & 2));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "it ended with %#x", (unsigned)status);
    shared_page_free(ranks_run, 2 * sizeof *ranks_run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch loses");
    TCase *tests = tcase_create("descriptors");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) /* which has descriptors of its own */
        tcase_add_loop_test(tests, test_numbers_are_taken_while_it_waits, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
