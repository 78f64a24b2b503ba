/*
 * Attaching: by name in any order, stale names, deadlines that name the missing; what is refused, in
 * words; muster_init and its environment.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/arena/arena.h"
#include "shm/base/layout.h"
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

static bool name_exists(const char *name)
{
    int fd = shm_open(name, O_RDWR, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool has_attached(const char *name, uint32_t rank)
{
    off_t at = (off_t)(MST_ENTRIES_OFFSET + rank * sizeof(mst_rank_entry) + offsetof(mst_rank_entry, state));
    int fd = shm_open(name, O_RDWR, 0);
    uint32_t state = MST_RANK_VACANT;

    if (fd < 0)
        return false;
    bool known = pread(fd, &state, sizeof state, at) == sizeof state;
    close(fd);
    return known && state == MST_RANK_ATTACHED;
}

/* Forks a rank that attaches by name and sums; returns its pid. */
static pid_t start_rank(const char *name, int rank, int size)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    muster_config config = config_for(name, rank, size);
    muster_group *world;
    int32_t x = rank;
    bool fine = muster_attach(&config, &world) == MUSTER_OK &&
                muster_all_sum(&x, &x, 1, MUSTER_INT32, world) == MUSTER_OK && x == size * (size - 1) / 2 &&
                muster_group_free(world) == MUSTER_OK;
    if (!fine)
        fprintf(stderr, "rank %d: %s\n", rank, muster_error_detail());
    _exit(fine ? 0 : 1);
}

static void expect_success(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(test_ranks_meet_by_name_in_any_order)
{
    static const int orders[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 } };
    char name[64];
    pid_t pids[4];

    name_of_test(name, sizeof name, "order");
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 4; i++) {
            pids[i] = start_rank(name, orders[round % 3][i], 4);
            if (round % 2)
                pass_time_ms(3); /* some rounds all at once, some apart */
        }
        for (int i = 0; i < 4; i++)
            expect_success(pids[i]);
        ck_assert_msg(!name_exists(name), "the name is still there");
    }
}
END_TEST

START_TEST(test_a_deadline_names_the_missing)
{
    char name[64];
    muster_group *world = NULL;

    name_of_test(name, sizeof name, "missing");
    muster_config config = config_for(name, 1, 4);
    config.attach_timeout_ns = 200000000;
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_ERR_TIMED_OUT);
    ck_assert_msg(strstr(muster_error_detail(), "ranks 0 2 3 did not attach"), "%s", muster_error_detail());
    ck_assert_ptr_null(world);
    ck_assert_msg(!name_exists(name), "the name is still there");
}
END_TEST

/* Ranks that were killed before all had come leave a name; the next job takes it over. */
START_TEST(test_a_stale_name_is_taken_over)
{
    char name[64];

    name_of_test(name, sizeof name, "stale");
    pid_t first = start_rank(name, 0, 2);
    AWAIT(has_attached(name, 0));
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    ck_assert(name_exists(name));
    pid_t a = start_rank(name, 0, 2), b = start_rank(name, 1, 2);
    expect_success(a);
    expect_success(b);
    ck_assert(!name_exists(name));
}
END_TEST

START_TEST(test_a_rank_that_dies_before_all_came)
{
    char name[64];
    muster_group *world;

    name_of_test(name, sizeof name, "early-death");
    pid_t first = start_rank(name, 0, 3);
    AWAIT(has_attached(name, 0));
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    /* Rank 1 sweeps the stale name and waits in vain: nobody else comes. */
    muster_config config = config_for(name, 1, 3);
    config.attach_timeout_ns = 200000000;
    ck_assert_int_eq(muster_attach(&config, &world), MUSTER_ERR_TIMED_OUT);
}
END_TEST

/* ---- refusals ---- */

static void expect_refusal(const muster_config *config, muster_status status, const char *words)
{
    muster_group *world = NULL;

    muster_status got = muster_attach(config, &world);
    ck_assert_msg(got == status, "%s: %s", muster_status_string(got), muster_error_detail());
    ck_assert_msg(strstr(muster_error_detail(), words), "no \"%s\" in: %s", words, muster_error_detail());
    ck_assert_ptr_null(world);
}

START_TEST(test_bad_configs)
{
    muster_config config = MUSTER_CONFIG_INIT, unset = { 0 };

    expect_refusal(NULL, MUSTER_ERR_INVALID, "MUSTER_CONFIG_INIT");
    expect_refusal(&unset, MUSTER_ERR_INVALID, "struct_size");
    config.size = 2;
    expect_refusal(&config, MUSTER_ERR_INVALID, "needs an arena");
    config = config_for("/x", 2, 2);
    expect_refusal(&config, MUSTER_ERR_INVALID, "rank 2");
    config = config_for("/x", 0, 1025);
    expect_refusal(&config, MUSTER_ERR_INVALID, "1025");
    config = config_for("x", 0, 2);
    expect_refusal(&config, MUSTER_ERR_INVALID, "not an arena");
    config = config_for("/a/b", 0, 2);
    expect_refusal(&config, MUSTER_ERR_INVALID, "one slash");
    config = config_for("/", 0, 2);
    expect_refusal(&config, MUSTER_ERR_INVALID, "one slash");
    config = config_for("fd:999", 0, 2);
    expect_refusal(&config, MUSTER_ERR_BAD_ARENA, "999");
    config = config_for("fd:x", 0, 2);
    expect_refusal(&config, MUSTER_ERR_INVALID, "not an arena");
    ck_assert_int_eq(muster_attach(&config, NULL), MUSTER_ERR_INVALID);
}
END_TEST

static int memfd_with(size_t bytes, bool sealed)
{
    int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, 0600), 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    if (sealed)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

static void expect_fd_refused(int fd, int size, muster_status status, const char *words)
{
    char text[32];

    snprintf(text, sizeof text, "fd:%d", fd);
    muster_config config = config_for(text, 0, size);
    expect_refusal(&config, status, words);
}

static mst_header good_header(size_t bytes)
{
    mst_header header = { .ready = MST_READY_MAGIC,
                          .fingerprint = mst_layout_fingerprint(),
                          .version = MST_LAYOUT_VERSION,
                          .size = 2,
                          .seats = 2,
                          .arena_bytes = bytes,
                          .region_bytes = (bytes - mst_layout_region_offset(2, 0, 0)) / 2,
                          .staging_bytes = 65536 };
    return header;
}

START_TEST(test_arenas_that_are_none)
{
    const size_t bytes = mst_layout_arena_bytes(2, MST_REGION_BYTES_MIN);
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    expect_fd_refused(pipes[0], 2, MUSTER_ERR_BAD_ARENA, "not a shared memory object");
    expect_fd_refused(memfd_with(0, true), 2, MUSTER_ERR_BAD_ARENA, "not a muster arena");
    expect_fd_refused(memfd_with(bytes, true), 2, MUSTER_ERR_BAD_ARENA, "not a muster arena");

    struct {
        const char *words;
        muster_status status;
        mst_header header;
        bool sealed;
    } cases[7];
    for (int i = 0; i < 7; i++) {
        cases[i].header = good_header(bytes);
        cases[i].sealed = i != 2;
        cases[i].status = MUSTER_ERR_BAD_ARENA;
        cases[i].words = "damaged";
    }
    cases[0].header.version++;
    cases[0].words = "layout version";
    cases[1].header.fingerprint++;
    cases[1].words = "same muster";
    cases[2].words = "not sealed";
    cases[3].header.arena_bytes *= 2;
    cases[4].header.region_bytes -= 4096;
    cases[5].header.staging_bytes = 1ULL << 40;
    cases[6].header.size = 3;
    cases[6].words = "for 3 ranks";
    cases[6].status = MUSTER_ERR_INVALID;
    for (int i = 0; i < 7; i++) {
        int fd = memfd_with(bytes, cases[i].sealed);

        ck_assert_int_eq(pwrite(fd, &cases[i].header, sizeof(mst_header), 0), sizeof(mst_header));
        expect_fd_refused(fd, 2, cases[i].status, cases[i].words);
        close(fd);
    }
    int open_to_all = memfd_with(bytes, true);
    ck_assert_int_eq(fchmod(open_to_all, 0666), 0);
    expect_fd_refused(open_to_all, 2, MUSTER_ERR_PERMISSION, "0666");
}
END_TEST

/* Who inspects has no number of ranks to compare with. */
START_TEST(test_no_arena_has_that_many_ranks)
{
    const size_t bytes = mst_layout_arena_bytes(2, MST_REGION_BYTES_MIN);
    const uint32_t sizes[] = { 0, MST_RANKS_MAX + 1, UINT32_MAX };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mst_header header = good_header(bytes);
        muster_inspection seen = MUSTER_INSPECTION_INIT;
        int fd = memfd_with(bytes, true);

        header.size = sizes[i];
        ck_assert_int_eq(pwrite(fd, &header, sizeof header, 0), sizeof header);
        ck_assert_int_eq(muster_inspect(fd, &seen), MUSTER_ERR_BAD_ARENA);
        ck_assert_msg(strstr(muster_error_detail(), "not a muster arena"), "%s", muster_error_detail());
        close(fd);
    }
}
END_TEST

/* What the sentence says is enough is, and less is not. */
START_TEST(test_the_smallest_arena)
{
    for (int size = 1; size <= 9; size++) {
        mst_arena_plan plan = { .size = size, .arena_bytes = 1 };
        unsigned long long mebibytes = 0;
        mst_arena *arena;

        ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_ERR_NO_SPACE);
        const char *needs = strstr(muster_error_detail(), "needs ");
        ck_assert(needs && sscanf(needs, "needs %llu", &mebibytes) == 1);
        plan.arena_bytes = (mebibytes - 1) << 20;
        ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_ERR_NO_SPACE);
        plan.arena_bytes = mebibytes << 20;
        ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_OK);
        mst_arena_close(arena);
        plan.staging_bytes = 16 << 20;
        ck_assert_int_eq(mst_arena_create(&plan, &arena), MUSTER_ERR_INVALID);
        ck_assert(strstr(muster_error_detail(), "MUSTER_STAGING_BYTES"));
    }
}
END_TEST

START_TEST(test_a_rank_twice)
{
    char name[64];
    muster_group *world;

    name_of_test(name, sizeof name, "twice");
    pid_t first = start_rank(name, 0, 2);
    AWAIT(has_attached(name, 0));
    muster_config config = config_for(name, 0, 2);
    config.attach_timeout_ns = 300000000;
    muster_status status = muster_attach(&config, &world);
    ck_assert_msg(status == MUSTER_ERR_INVALID && strstr(muster_error_detail(), "taken by process"), "%s",
                  muster_error_detail());
    expect_success(start_rank(name, 1, 2));
    expect_success(first);
}
END_TEST

/* ---- full file systems ---- */

/* A tmpfs of 24 MiB on /dev/shm, in a mount namespace of our own. */
static bool small_shm(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           system("mount --make-rprivate / && mount -t tmpfs -o size=24m tmpfs /dev/shm") == 0;
}

START_TEST(test_a_full_tmpfs_is_no_space_with_numbers)
{
    muster_group *world;
    void *buffer, *small;
    char name[64];

    if (!small_shm())
        return; /* needs root and mount namespaces */
    name_of_test(name, sizeof name, "full");
    muster_config config = config_for(name, 0, 1);
    ck_assert_msg(muster_attach(&config, &world) == MUSTER_OK, "%s", muster_error_detail());
    ck_assert_int_eq(muster_alloc(world, 4 << 20, &small), MUSTER_OK);
    ck_assert_int_eq(muster_alloc(world, 64 << 20, &buffer), MUSTER_ERR_NO_SPACE);
    ck_assert_msg(strstr(muster_error_detail(), "64.0 MiB") && strstr(muster_error_detail(), "/dev/shm"),
                  "%s", muster_error_detail());
    memset(small, 1, 4 << 20);
    ck_assert_int_eq(muster_free(world, small), MUSTER_OK);
    ck_assert_msg(muster_alloc(world, 16 << 20, &buffer) == MUSTER_OK, "what was freed is not back: %s",
                  muster_error_detail());
    memset(buffer, 1, 16 << 20); /* committed: no SIGBUS */
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    config = config_for(name, 0, 2);
    config.staging_bytes = 64 << 20;
    expect_refusal(&config, MUSTER_ERR_NO_SPACE, "64.0 MiB");
    ck_assert(!name_exists(name));
}
END_TEST

/* ---- muster_init ---- */

static void expect_init_refused(muster_status status, const char *words)
{
    muster_group *world = NULL;

    muster_status got = muster_init(false, NULL, &world);
    ck_assert_msg(got == status && strstr(muster_error_detail(), words), "%s: %s", muster_status_string(got),
                  muster_error_detail());
}

START_TEST(test_init_without_a_launcher)
{
    muster_group *world, *again, *child;
    float x = 3, y = 0;

    ck_assert(muster_is_available(NULL) && muster_is_available("any") && muster_is_available("shm"));
    setenv("MUSTER_MPI", "/nowhere/plug-in.so", 1);
    ck_assert(!muster_is_available("mpi"));
    unsetenv("MUSTER_MPI");
    ck_assert_int_eq(muster_init(true, NULL, &world), MUSTER_ERR_UNAVAILABLE);
    ck_assert_int_eq(muster_init(false, "ring", &world), MUSTER_ERR_UNAVAILABLE);
    ck_assert_int_eq(muster_init(false, NULL, NULL), MUSTER_ERR_INVALID);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(muster_init(false, "shm", &again), MUSTER_OK);
    ck_assert_ptr_eq(world, again);
    ck_assert_int_eq(muster_init(true, NULL, &again), MUSTER_ERR_UNAVAILABLE); /* strict stays strict */
    ck_assert_int_eq(muster_all_sum(&x, &y, 1, MUSTER_FLOAT32, world), MUSTER_OK);
    ck_assert(y == 3);
    ck_assert_int_eq(muster_group_split(world, 5, 0, &child), MUSTER_OK);
    ck_assert_int_eq(muster_group_size(child), 1);
    ck_assert_int_eq(muster_group_free(child), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    ck_assert_int_eq(muster_barrier(world), MUSTER_OK); /* one caller is left */
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    ck_assert_int_eq(muster_init(false, NULL, &world), MUSTER_OK); /* a group of one can come again */
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
}
END_TEST

START_TEST(test_an_environment_that_cannot_be_met)
{
    char name[64];

    name_of_test(name, sizeof name, "environment");
    setenv("MUSTER_RANK", "0", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "MUSTER_ARENA is not");
    setenv("MUSTER_ARENA", name, 1);
    expect_init_refused(MUSTER_ERR_INVALID, "MUSTER_SIZE is not set");
    setenv("MUSTER_SIZE", "two", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "\"two\"");
    setenv("MUSTER_SIZE", "1", 1);
    setenv("MUSTER_RANK", "1", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "rank 1");
    setenv("MUSTER_RANK", "0", 1);
    setenv("MUSTER_TIMEOUT", "soon", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "MUSTER_TIMEOUT");
    unsetenv("MUSTER_TIMEOUT");
    setenv("MUSTER_STAGING_BYTES", "12q", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "MUSTER_STAGING_BYTES");
    unsetenv("MUSTER_STAGING_BYTES");
    setenv("MUSTER_ISA", "v99", 1);
    expect_init_refused(MUSTER_ERR_INVALID, "v99");
    unsetenv("MUSTER_ISA");
    setenv("MUSTER_ARENA", "fd:77", 1);
    expect_init_refused(MUSTER_ERR_BAD_ARENA, "77");
    setenv("MUSTER_ARENA", name, 1);
    muster_group *world;
    ck_assert_int_eq(muster_init(true, NULL, &world), MUSTER_OK);
    ck_assert_int_eq(muster_group_free(world), MUSTER_OK);
    expect_init_refused(MUSTER_ERR_UNAVAILABLE, "attaches once");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attach");
    TCase *tests = tcase_create("attach");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_ranks_meet_by_name_in_any_order);
    tcase_add_test(tests, test_a_deadline_names_the_missing);
    tcase_add_test(tests, test_a_stale_name_is_taken_over);
    tcase_add_test(tests, test_a_rank_that_dies_before_all_came);
    tcase_add_test(tests, test_bad_configs);
    tcase_add_test(tests, test_arenas_that_are_none);
    tcase_add_test(tests, test_no_arena_has_that_many_ranks);
    tcase_add_test(tests, test_the_smallest_arena);
    tcase_add_test(tests, test_a_rank_twice);
    tcase_add_test(tests, test_a_full_tmpfs_is_no_space_with_numbers);
    tcase_add_test(tests, test_init_without_a_launcher);
    tcase_add_test(tests, test_an_environment_that_cannot_be_met);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
