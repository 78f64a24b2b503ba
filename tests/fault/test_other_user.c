/*
 * Another user of the machine: cannot read, join, stop or break a job, and what he plants under a job's name
 * is refused in words. Needs root, to be two other users; without it there is nothing to see here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { OWNER = 65534, OTHER = 65533 };

typedef struct scene {
    char name[64];
    _Atomic pid_t rank;      /* of the job, to be attacked */
    _Atomic int attack_over; /* 1: nothing worked; 2: something did */
} scene;

static void become(uid_t user)
{
    if (setgroups(0, NULL) < 0 || setgid(user) < 0 || setuid(user) < 0)
        _exit(99);
    prctl(PR_SET_DUMPABLE, 1); /* as for a program that was started by that user */
}

static pid_t run_as(uid_t user, int (*run)(scene *scene), scene *scene)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become(user);
        _exit(run(scene));
    }
    return child;
}

static void expect_success(pid_t child)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a process ended with %#x", status);
}

/* ---- what he tries ---- */

static bool refused(long result, const char *what)
{
    if (result < 0 && (errno == EACCES || errno == EPERM))
        return true;
    fprintf(stderr, "%s: %ld, %s\n", what, result, strerror(errno));
    return false;
}

static bool process_refuses(pid_t pid)
{
    char path[64], bytes[16];
    struct iovec here = { bytes, sizeof bytes }, there = { bytes, sizeof bytes };
    bool all = true;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    all &= refused(open(path, O_RDONLY | O_DIRECTORY), path);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    all &= refused(open(path, O_RDWR), path);
    snprintf(path, sizeof path, "/proc/%d/map_files", (int)pid);
    all &= refused(open(path, O_RDONLY | O_DIRECTORY), path);
    all &= refused(kill(pid, SIGSTOP), "kill");
    all &= refused(process_vm_readv(pid, &here, 1, &there, 1, 0), "process_vm_readv");
    int watch = (int)syscall(SYS_pidfd_open, pid, 0);
    for (int fd = 0; watch >= 0 && fd < 200; fd++)
        all &= refused(syscall(SYS_pidfd_getfd, watch, fd, 0), "pidfd_getfd") || errno == EBADF;
    return all;
}

static int attack_process(scene *scene)
{
    while (scene->rank == 0)
        sched_yield();
    bool refuses = process_refuses(scene->rank);
    scene->attack_over = refuses ? 1 : 2;
    return !refuses;
}

static bool name_refuses(const scene *scene)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    while (shm_open(scene->name, O_RDONLY, 0) >= 0 || errno == ENOENT) /* until it is there */
        sched_yield();
    config.arena = scene->name;
    config.rank = 1;
    config.size = 2;
    bool all = refused(shm_open(scene->name, O_RDWR, 0), "shm_open");
    all &= refused(shm_unlink(scene->name), "shm_unlink");
    if (muster_attach(&config, &world) != MUSTER_ERR_PERMISSION) {
        fprintf(stderr, "attach: %s\n", muster_error_detail());
        all = false;
    }
    return all;
}

static int attack_name(scene *scene)
{
    bool refuses = name_refuses(scene);

    scene->attack_over = refuses ? 1 : 2;
    return !refuses;
}

/* ---- the job ---- */

static int work_until_it_is_over(muster_group *world, void *arg)
{
    scene *scene = arg;
    int32_t over = 0;

    while (!over) {
        if (muster_group_rank(world) == 1)
            scene->rank = getpid();
        over = scene->attack_over;
        RANK_OK(world, muster_all_max(&over, &over, 1, MUSTER_INT32, world));
    }
    return 0;
}

static int launch_job(scene *scene)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = 2;
    return muster_launch(&config, work_until_it_is_over, scene, NULL) != MUSTER_OK;
}

START_TEST(test_processes_and_their_arena)
{
    scene *scene = shared_page(sizeof *scene);

    if (geteuid() == 0) {
        pid_t job = run_as(OWNER, launch_job, scene), other = run_as(OTHER, attack_process, scene);

        expect_success(other);
        expect_success(job);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* Rank 0 waits under the name while it is attacked; then rank 1 comes, and all is well. */
static int meet_by_name(scene *scene, int rank)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.arena = scene->name;
    config.rank = rank;
    config.size = 2;
    RANK_OK(NULL, muster_attach(&config, &world));
    RANK_OK(world, muster_barrier(world));
    return muster_group_free(world) != MUSTER_OK;
}

static int come_first(scene *scene)
{
    return meet_by_name(scene, 0);
}

static int come_later(scene *scene)
{
    while (!scene->attack_over)
        sched_yield();
    return meet_by_name(scene, 1);
}

START_TEST(test_names)
{
    scene *scene = shared_page(sizeof *scene);

    name_of_test(scene->name, sizeof scene->name, "owned");
    if (geteuid() == 0) {
        pid_t first = run_as(OWNER, come_first, scene), other = run_as(OTHER, attack_name, scene);
        pid_t later = run_as(OWNER, come_later, scene);

        expect_success(other);
        expect_success(first);
        expect_success(later);
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* ---- what he plants ---- */

static int plant_object(scene *scene)
{
    umask(0);
    int fd = shm_open(scene->name, O_RDWR | O_CREAT | O_EXCL, 0666);
    return fd < 0 || ftruncate(fd, 1 << 20) < 0;
}

static int plant_link(scene *scene)
{
    char path[100];

    snprintf(path, sizeof path, "/dev/shm%s", scene->name);
    return symlink("/etc/passwd", path) < 0;
}

static int remove_plant(scene *scene)
{
    return shm_unlink(scene->name) < 0;
}

static int find_the_plant(scene *scene)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world;

    config.arena = scene->name;
    config.rank = 0;
    config.size = 2;
    config.attach_timeout_ns = 2000LL * 1000 * 1000;
    RANK_CHECK(NULL, muster_attach(&config, &world) == MUSTER_ERR_PERMISSION);
    RANK_CHECK(NULL, strstr(muster_error_detail(), scene->name) != NULL);
    return 0;
}

START_TEST(test_plants)
{
    static int (*const plants[])(scene *) = { plant_object, plant_link };
    scene *scene = shared_page(sizeof *scene);

    name_of_test(scene->name, sizeof scene->name, "planted");
    for (int i = 0; i < 2 && geteuid() == 0; i++) {
        expect_success(run_as(OTHER, plants[i], scene));
        expect_success(run_as(OWNER, find_the_plant, scene));
        expect_success(run_as(OTHER, remove_plant, scene));
    }
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("other user");
    TCase *tests = tcase_create("other user");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_processes_and_their_arena);
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_plants);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
