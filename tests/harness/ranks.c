/* Runs, leak checks and messages of ranks.h. */
#define _GNU_SOURCE
#include "tests/harness/ranks.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "src/hosts/group.h"
#include "src/onehost/group/group.h"
#include "tests/backend/threads.h"
#include "tests/harness/elsewhere.h"
#include "tests/harness/frames.h"

bool under_thread_sanitizer(void)
{
#ifdef __SANITIZE_THREAD__
    return true;
#else
    return false;
#endif
}

bool on_one_host(void)
{
    return !backend_of_test();
}

bool tells_of_the_other(void)
{
    const mst_backend *backend = backend_of_test();

    return !backend || strcmp(backend->name, "threads") != 0;
}

bool under_address_sanitizer(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    return false;
#endif
}

int rank_failed(const char *file, int line, const muster_group *group, const char *what)
{
    fprintf(stderr, "%s:%d: rank %d of %d: %s (last error: %s)\n", file, line, muster_group_rank(group),
            muster_group_size(group), what, muster_error_detail());
    return 1;
}

void *shared_page(size_t bytes)
{
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(page, MAP_FAILED);
    return page;
}

void shared_page_free(void *page, size_t bytes)
{
    munmap(page, bytes);
}

/* What a test that was killed has left: an arena of a process that is no more. */
static void remove_left_names(void)
{
    DIR *names = opendir("/dev/shm");

    for (const struct dirent *entry; names && (entry = readdir(names)) != NULL;) {
        int pid;

        if (sscanf(entry->d_name, "muster-test-%d-", &pid) == 1 && kill(pid, 0) < 0 && errno == ESRCH)
            unlinkat(dirfd(names), entry->d_name, 0);
    }
    if (names)
        closedir(names);
}

void name_of_test(char *name, size_t bytes, const char *what)
{
    static bool removed;

    if (!removed)
        remove_left_names();
    removed = true;
    snprintf(name, bytes, "/muster-test-%d-%s", (int)getpid(), what);
}

/* ---- what a run may leave behind ---- */

typedef struct inventory {
    int descriptors, threads, arenas, names;
} inventory;

int count_entries(const char *path, const char *containing)
{
    DIR *directory = opendir(path);
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, containing) != NULL;
    closedir(directory);
    return count;
}

static int count_arena_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    int count = 0;

    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:muster") != NULL || strstr(line, "/dev/shm/muster-test") != NULL;
    fclose(maps);
    return count;
}

static inventory take_inventory(void)
{
    char names[64];

    name_of_test(names, sizeof names, "");
    return (inventory){ count_entries("/proc/self/fd", ""), count_entries("/proc/self/task", ""),
                        count_arena_mappings(), count_entries("/dev/shm", names + 1) };
}

void pass_time_ms(double ms)
{
    struct timespec time = { (time_t)(ms / 1000), (long)(ms * 1e6) % 1000000000 };

    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

bool is_stopped(pid_t pid)
{
    char path[32], text[300];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    const char *end = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    fclose(file);
    return end && end[2] == 'T';
}

bool count_looks(void *arg)
{
    ++*(_Atomic int *)arg;
    return false;
}

muster_status make_within(muster_group *group, int64_t *limit_ns,
                          muster_status (*make)(muster_group *of, muster_group **made), muster_group **of,
                          muster_group **made)
{
    for (;; *limit_ns *= 2) {
        int32_t own = 0, worst = 0;

        muster_status status = muster_group_dup(group, of);
        if (status == MUSTER_OK)
            status = muster_group_set_timeout(*of, *limit_ns);
        if (status != MUSTER_OK)
            return status;
        own = (int32_t)make(*of, made);
        status = muster_all_max(&own, &worst, 1, MUSTER_INT32, group);
        if (status != MUSTER_OK || worst == MUSTER_OK)
            return status;
        if (own == MUSTER_OK)
            muster_group_free(*made);
        muster_group_free(*of);
        status = own != MUSTER_OK ? (muster_status)own : (muster_status)worst;
        if (status != MUSTER_ERR_TIMED_OUT)
            return status;
    }
}

uint32_t state_of_seat(const muster_group *group, uint32_t seat)
{
    return mst_load32_acq(
        &mst_layout_entry(&mst_group_of_const(group)->subarena->attachment->geometry, seat)->state);
}

bool has_waited_long(const muster_group *group, uint32_t seat)
{
    return mst_load64_acq(&mst_layout_entry(&mst_group_of_const(group)->subarena->attachment->geometry, seat)
                               ->wait_epoch) &
           1;
}

static uint32_t checks_of(const muster_group *group, uint32_t seat)
{
    return mst_load32_acq(
        &mst_layout_entry(&mst_group_of_const(group)->subarena->attachment->geometry, seat)->checks);
}

/* A proof is a look while all wait, two checks of each after it, and another look of the first: they have all
 * of that in this order, whoever looks first. */
void await_checks(const muster_group *group, uint32_t first_seat, uint32_t seats)
{
    enum { LOOK, CHECKS, LOOK_AGAIN, TURNS, CHECKS_EACH = 3 };

    for (uint32_t seat = first_seat; seat < first_seat + seats; seat++)
        AWAIT(has_waited_long(group, seat));
    for (int turn = LOOK; turn < TURNS; turn++)
        for (uint32_t seat = first_seat; seat < first_seat + seats; seat++) {
            uint32_t from = checks_of(group, seat);

            AWAIT(checks_of(group, seat) - from >= CHECKS_EACH);
        }
}

bool is_asleep_in_message(const muster_group *group, int rank)
{
    if (group->backend == &backend_of_threads)
        return thread_is_waiting(group, rank);
    if (group->backend == &mst_backend_hosts)
        group = mst_hosts_carrier(mst_hosts_of_const(group));
    if (group->backend == &mst_backend_wire)
        return frames_is_waiting(group, rank);
    return mst_load32_acq(&mst_group_of_const(group)->subarena->cells[rank]->doorbell.sleepers) != 0;
}

/* A joined thread may still be on the kernel's list: pthread_join returns when its memory is free, which
 * is a moment earlier. ThreadSanitizer starts threads of its own, when it likes. */
static int count_threads_left(inventory before)
{
    int left = 0;

    for (int attempt = 0; attempt < 10000; attempt++) {
        left = count_entries("/proc/self/task", "") - before.threads;
        if (left <= 0 || under_thread_sanitizer())
            return 0;
        pass_time_ms(1);
    }
    return left;
}

static void check_nothing_left(inventory before)
{
    inventory after = take_inventory();
    int threads = count_threads_left(before);

    ck_assert_msg(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child process was left behind");
    ck_assert_msg(after.descriptors == before.descriptors, "%d descriptors were left behind",
                  after.descriptors - before.descriptors);
    ck_assert_msg(threads == 0, "%d threads were left behind", threads);
    ck_assert_msg(after.arenas == before.arenas, "an arena was left mapped");
    ck_assert_msg(after.names <= before.names, "a name was left in /dev/shm");
}

/* ---- runs ---- */

static muster_launch_config config_of(rank_options options)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;

    config.size = options.size;
    config.threads = options.mode == RANKS_AS_THREADS;
    config.staging_bytes = options.staging_bytes;
    config.arena_bytes = options.arena_bytes;
    config.op_timeout_ns = (int64_t)(options.op_timeout_s * 1e9);
    if (options.op_timeout_s > 0) /* which is short, and not meant for starting on a busy machine */
        setenv("MUSTER_ATTACH_TIMEOUT", "600", 1);
    else
        unsetenv("MUSTER_ATTACH_TIMEOUT");
    config.on_failure = options.restarts ? MUSTER_ON_FAILURE_RESPAWN : MUSTER_ON_FAILURE_CONTINUE;
    config.restarts = options.restarts;
    config.restart_delay_ns = 1000 * 1000;
    return config;
}

void run_ranks_with(rank_options options, muster_rank_fn body, void *arg)
{
    const mst_backend *elsewhere = backend_of_test();
    muster_launch_config config = config_of(options);
    muster_report report = MUSTER_REPORT_INIT;
    inventory before = take_inventory();

    if (elsewhere) {
        if (config.threads)
            run_ranks_by(elsewhere, options, body, arg);
        check_nothing_left(before);
        return;
    }
    muster_status status = muster_launch(&config, body, arg, &report);
    ck_assert_msg(status == MUSTER_OK, "%d ranks as %s: %s", options.size,
                  config.threads ? "threads" : "processes", muster_error_detail());
    check_nothing_left(before);
}

void run_ranks(int size, rank_mode mode, muster_rank_fn body, void *arg)
{
    run_ranks_with((rank_options){ .size = size, .mode = mode }, body, arg);
}

/* Under a sanitizer, where a run takes several times as long, what is right is known from the other builds:
 * no more sizes than there are paths, and with AddressSanitizer each mode with one size of staging. */
void run_all_sizes(muster_rank_fn body, void *arg)
{
    static const int sizes[] = { 1, 2, 3, 8, 4, 5, 7 };
    static const size_t stagings[] = { 0, 8192 };
    size_t some = under_address_sanitizer() || under_thread_sanitizer() ? 4 : sizeof sizes / sizeof sizes[0];

    for (size_t s = 0; s < some; s++) {
        for (size_t b = 0; b < (backend_of_test() ? 1 : 2); b++) { /* staging is onehost's */
            rank_options options = { .size = sizes[s], .staging_bytes = stagings[b] };

            options.mode = RANKS_AS_THREADS;
            if (!under_address_sanitizer() || b == 1)
                run_ranks_with(options, body, arg);
            options.mode = RANKS_AS_PROCESSES;
            if (!under_thread_sanitizer() && (!under_address_sanitizer() || b == 0))
                run_ranks_with(options, body, arg);
        }
    }
}

void run_failing_ranks(rank_options options, muster_rank_fn body, void *arg, muster_report *report)
{
    muster_launch_config config = config_of(options);
    inventory before = take_inventory();

    ck_assert_msg(!backend_of_test(), "ranks that fail are processes, of which there are none here");
    muster_launch(&config, body, arg, report);
    check_nothing_left(before);
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int arena_of_job(void)
{
    const char *arena = getenv("MUSTER_ARENA");

    return arena && strncmp(arena, "fd:", 3) == 0 ? atoi(arena + 3) : -1;
}
