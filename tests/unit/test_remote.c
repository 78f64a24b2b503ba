/*
 * Reading another process's memory (shm/port/os.h): all of it, or an error; and never the memory of a process
 * that is not the one which was meant.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

enum { PAGES = 40000 }; /* more than one call moves */

/* What a child tells of itself, and what becomes of it. */
typedef struct scene {
    mst_os_remote remote;
    _Atomic uint64_t bytes_at;
    _Atomic int ready;
} scene;

static const size_t page = 4096;

static unsigned char *map_pages(size_t pages)
{
    void *at =
        mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* A child that offers itself and has a byte of each value in the pages, and waits to be ended. */
static pid_t begin(scene *scene, size_t pages)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child) {
        AWAIT(scene->ready);
        return child;
    }
    unsigned char *bytes = map_pages(pages);
    for (size_t i = 0; i < pages; i++)
        memset(bytes + i * page, (int)(i % 251), page);
    scene->remote = mst_os_remote_offer();
    scene->bytes_at = (uintptr_t)bytes;
    scene->ready = 1;
    for (;;)
        pause();
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(test_all_is_read)
{
    scene *scene = shared_page(sizeof *scene);
    pid_t child = begin(scene, PAGES);
    unsigned char *to = map_pages(PAGES);

    ck_assert_int_eq(mst_os_remote_read(&scene->remote, NULL, 0, 0), 0);
    ck_assert_int_eq(mst_os_remote_read(&scene->remote, to, scene->bytes_at, PAGES * page), 0);
    for (size_t i = 0; i < PAGES; i++)
        ck_assert(to[i * page] == i % 251 && memcmp(to + i * page, to + i * page + 1, page - 1) == 0);
    ck_assert_int_eq(mst_os_remote_read(&scene->remote, to, scene->bytes_at + 3 * page + 1, 1), 0);
    ck_assert_int_eq(to[0], 3);
    end(child);
    munmap(to, PAGES * page);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

START_TEST(test_what_is_not_there)
{
    static unsigned char to[3 * 4096];
    scene *scene = shared_page(sizeof *scene);
    pid_t child = begin(scene, 2);

    ck_assert_int_eq(mst_os_remote_read(&scene->remote, to, 16, 8), -EFAULT);
    ck_assert_int_eq(mst_os_remote_read(&scene->remote, to, UINT64_MAX - 3, 8), -EFAULT);
    mst_os_remote other = scene->remote;
    other.token[1] ^= 1; /* another process with something at that address */
    ck_assert_int_eq(mst_os_remote_read(&other, to, scene->bytes_at, page), -ESRCH);
    other = scene->remote;
    other.token_at = 16; /* or nothing */
    ck_assert_int_eq(mst_os_remote_read(&other, to, scene->bytes_at, page), -ESRCH);
    other.token_at = 0;
    ck_assert_int_eq(mst_os_remote_read(&other, to, scene->bytes_at, page), -ESRCH);
    end(child);
    ck_assert_int_eq(mst_os_remote_read(&scene->remote, to, scene->bytes_at, page), -ESRCH);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

/* A forked child has all that its parent has at the same addresses, but the token. */
START_TEST(test_a_forked_child_is_another)
{
    mst_os_remote own = mst_os_remote_offer();
    unsigned char byte = 7, to = 0;
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    ck_assert_uint_ne(own.token_at, 0);
    ck_assert_int_eq(mst_os_remote_read(&own, &to, (uintptr_t)&byte, 1), 0);
    ck_assert_int_eq(to, 7);
    mst_os_remote copied = own;
    copied.pid = child;
    ck_assert_int_eq(mst_os_remote_read(&copied, &to, (uintptr_t)&byte, 1), -ESRCH);
    end(child);
    mst_os_remote_withdraw(&own);
    ck_assert_int_eq(mst_os_remote_read(&own, &to, (uintptr_t)&byte, 1), -ESRCH);
}
END_TEST

START_TEST(test_after_exec)
{
    scene *scene = shared_page(sizeof *scene);
    int pipes[2];
    char word[8] = "";
    unsigned char to;

    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        scene->remote = mst_os_remote_offer();
        dup2(pipes[1], 1);
        execl("/bin/sh", "sh", "-c", "echo exec; exec sleep 1000", (char *)NULL);
        _exit(99);
    }
    close(pipes[1]); /* without an exec the read ends */
    ck_assert_int_eq(read(pipes[0], word, 5), 5);
    ck_assert_uint_ne(scene->remote.token_at, 0);
    ck_assert_int_eq(mst_os_remote_read(&scene->remote, &to, scene->remote.token_at, 1), -ESRCH);
    end(child);
    close(pipes[0]);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remote");
    TCase *tests = tcase_create("remote");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_all_is_read);
    tcase_add_test(tests, test_what_is_not_there);
    tcase_add_test(tests, test_a_forked_child_is_another);
    tcase_add_test(tests, test_after_exec);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
