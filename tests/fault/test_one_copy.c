/*
 * One copy: results are right where a peer's private memory is read in its process, and where the system, the
 * peer or its program take that away: before the group is made, after it, or in the middle of a read. Nobody
 * gets less than all of it, and nobody hangs.
 *
 * The linker wraps the function that reads (tests/CMakeLists.txt), so that things happen in the middle.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "tests/harness/moves.h"
#include "tests/harness/ranks.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* ---- in the middle of a read ---- */

typedef enum deed { NOTHING, REFUSE, CUT, STRIKE } deed;

typedef struct stage {
    deed deed;  /* of the reads of data */
    int signal; /* STRIKE: sent to the process that is read */
    bool waits; /* STRIKE: for `done` */
    _Atomic int reads, done, struck;
    _Atomic uintptr_t lent; /* the victim's input */
    _Atomic pid_t victim;
} stage;

static stage *stage_now; /* shared by all ranks */

int __real_mst_os_remote_read(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes);
int __wrap_mst_os_remote_read(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes);

int __wrap_mst_os_remote_read(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes)
{
    if (!bytes)
        return __real_mst_os_remote_read(remote, to, at, bytes);
    stage_now->reads++;
    if (stage_now->deed == REFUSE)
        return -EPERM;
    if (stage_now->deed == CUT) {
        memset(to, 0xee, bytes / 2);
        return -EFAULT;
    }
    if (stage_now->deed == STRIKE && remote->pid == stage_now->victim && at == stage_now->lent &&
        stage_now->struck++ == 0) {
        memset(to, 0xee, bytes / 2);
        kill(remote->pid, stage_now->signal);
        for (int i = 0; i < 2000 && stage_now->waits && !stage_now->done; i++)
            pass_time_ms(1);
    }
    return __real_mst_os_remote_read(remote, to, at, bytes);
}

/* ---- as it should be, and refused by the function that reads ---- */

static int use_all(muster_group *world, void *arg)
{
    const deed *deed = arg;

    for (int round = 0; round < 3; round++)
        if (moves_run_all(world, round))
            return 1;
    RANK_CHECK(world, copies_once(world) == (*deed == NOTHING));
    RANK_OK(world, muster_barrier(world));
    RANK_CHECK(world, stage_now->reads > 0);
    return 0;
}

START_TEST(test_what_is_read_or_refused)
{
    deed deed = (enum deed)_i;

    stage_now = shared_page(sizeof *stage_now);
    stage_now->deed = deed;
    run_ranks(MOVES_SIZE, RANKS_AS_PROCESSES, use_all, &deed);
    if (deed == NOTHING)
        ck_assert_int_ge(stage_now->reads,
                         3 * 4 * (2 * MOVES_SIZE * (MOVES_SIZE - 1) + 3 * (MOVES_SIZE - 1)));
    shared_page_free(stage_now, sizeof *stage_now);
}
END_TEST

static int use_threads(muster_group *world, void *arg)
{
    (void)arg;
    for (int round = 0; round < 2; round++) {
        unsigned char in[100] = { 0 }, out[MOVES_SIZE * 100];

        moves_fill(muster_group_rank(world), 33, round, in);
        RANK_OK(world, muster_all_gather(in, out, 33, MUSTER_UINT8, world));
        RANK_CHECK(world, moves_is_right(MOVE_ALL_GATHER, muster_group_rank(world), 33, round, out));
    }
    RANK_CHECK(world, copies_once(world));
    return 0;
}

START_TEST(test_ranks_that_are_threads)
{
    stage_now = shared_page(sizeof *stage_now);
    run_ranks(MOVES_SIZE, RANKS_AS_THREADS, use_threads, NULL);
    ck_assert_int_eq(stage_now->reads, 2 * MOVES_SIZE * (MOVES_SIZE - 1));
    shared_page_free(stage_now, sizeof *stage_now);
}
END_TEST

/* Memory that its process reads and the system does not, as of some devices. */
static unsigned char *map_secret(size_t bytes)
{
    int fd = (int)syscall(SYS_memfd_secret, 0);

    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        return NULL;
    unsigned char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static int use_secret(muster_group *world, void *arg)
{
    static unsigned char usual[MOVES_SIZE * MOVES_BYTES], out[MOVES_SIZE * MOVES_BYTES];
    int rank = muster_group_rank(world);
    unsigned char *in = rank == MOVES_ROOT ? map_secret(sizeof usual) : usual;

    for (int round = 0; round < 2; round++) {
        RANK_CHECK(world, in != NULL);
        moves_fill(rank, MOVES_BYTES, round, in);
        RANK_OK(world, moves_run(world, *(move *)arg, MOVES_BYTES, in, out));
        RANK_CHECK(world, moves_is_right(*(move *)arg, rank, MOVES_BYTES, round, out));
    }
    RANK_CHECK(world, copies_once(world) == (*(move *)arg == MOVE_MESSAGE));
    return 0;
}

START_TEST(test_memory_that_the_system_does_not_read)
{
    move move = (enum move)_i;
    unsigned char *can = map_secret(1);

    if (!can) { /* before Linux 5.14, or switched off, or no locked memory is allowed */
        printf("skipped: there is no secret memory here\n");
        return;
    }
    munmap(can, 1);
    stage_now = shared_page(sizeof *stage_now);
    run_ranks(MOVES_SIZE, RANKS_AS_PROCESSES, use_secret, &move);
    ck_assert_int_gt(stage_now->reads, 0);
    shared_page_free(stage_now, sizeof *stage_now);
}
END_TEST

/* ---- what becomes of the process in the middle ---- */

typedef enum fate { KILLED, STOPPED, FORKS, UNMAPS, EXECS, FATES } fate;

static void fork_and_write(int signal)
{
    (void)signal;
    pid_t child = fork();
    if (child > 0)
        return;
    memset((void *)stage_now->lent, 0xdd, MOVES_BYTES); /* its own copy */
    stage_now->done = 1;
    _exit(0);
}

static void unmap(int signal)
{
    (void)signal;
    munmap((void *)stage_now->lent, MOVES_SIZE * MOVES_BYTES);
    stage_now->done = 1;
}

static void execute(int signal)
{
    (void)signal;
    execl("/bin/true", "true", (char *)NULL);
    _exit(99);
}

static void continue_later(void)
{
    pid_t self = getpid();

    if (fork() == 0) {
        AWAIT(stage_now->struck || stage_now->done || getppid() != self);
        pass_time_ms(10);
        while (!stage_now->done && getppid() == self) { /* another process may have the pid then */
            kill(self, SIGCONT);
            pass_time_ms(10);
        }
        _exit(0);
    }
}

typedef struct plan {
    move move;
    fate fate;
} plan;

/* A block at a time: what a move reads of the victim's input may begin at any. */
static int meet_fate(muster_group *world, void *arg)
{
    static void (*const handlers[FATES])(
        int) = { [FORKS] = fork_and_write, [UNMAPS] = unmap, [EXECS] = execute };
    static unsigned char out[MOVES_SIZE * MOVES_BYTES];
    const plan *plan = arg;
    int rank = muster_group_rank(world);
    unsigned char *in =
        mmap(NULL, MOVES_SIZE * MOVES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    RANK_CHECK(world, in != MAP_FAILED);
    moves_fill(rank, MOVES_BYTES, 0, in);
    if (rank == MOVES_ROOT) {
        /* the first block that a peer reads: rank 0's of those that are divided */
        stage_now->lent = (uintptr_t)in;
        stage_now->victim = getpid();
        if (handlers[plan->fate])
            signal(SIGUSR1, handlers[plan->fate]);
        if (plan->fate == STOPPED)
            continue_later();
    }
    RANK_OK(world, muster_barrier(world));
    muster_status status = moves_run(world, plan->move, MOVES_BYTES, in, out);
    if (rank == MOVES_ROOT)
        stage_now->done = 1;
    if (status == MUSTER_OK)
        RANK_CHECK(world, moves_is_right(plan->move, rank, MOVES_BYTES, 0, out));
    bool harmless = plan->fate == STOPPED || plan->fate == FORKS;
    if (harmless)
        RANK_OK(world, status);
    else
        status = status == MUSTER_OK ? muster_barrier(world) : status;
    RANK_CHECK(world, harmless || status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, harmless || strstr(muster_error_detail(), "rank 1 ") != NULL);
    return 0;
}

START_TEST(test_fates)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[MOVES_SIZE];
    plan plan = { (move)(_i % MOVES), (fate)(_i / MOVES) };
    bool harmless = plan.fate == STOPPED || plan.fate == FORKS;

    if (plan.fate == EXECS && strcmp(mst_os_park_name(), "futex") != 0) {
        printf("skipped: only the death word sees an exec\n");
        return;
    }
    stage_now = shared_page(sizeof *stage_now);
    *stage_now = (stage){ .deed = STRIKE };
    stage_now->signal = plan.fate == KILLED ? SIGKILL : plan.fate == STOPPED ? SIGSTOP : SIGUSR1;
    stage_now->waits = plan.fate == FORKS || plan.fate == UNMAPS;
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = MOVES_SIZE }, meet_fate, &plan, &report);
    for (int rank = 0; rank < MOVES_SIZE; rank++) {
        bool well = terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0;

        ck_assert_msg(well || (rank == MOVES_ROOT && !harmless), "move %d, fate %d: rank %d ended %d, %d",
                      plan.move, plan.fate, rank, terminations[rank].kind, terminations[rank].code);
    }
    ck_assert_msg(stage_now->struck > 0, "move %d, fate %d: nobody read", plan.move, plan.fate);
    shared_page_free(stage_now, sizeof *stage_now);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("one copy");
    TCase *tests = tcase_create("one copy");

    setenv("MUSTER_TUNING", MOVES_READ_ALL, 1);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_ranks_that_are_threads);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_what_is_read_or_refused, NOTHING, STRIKE);
        tcase_add_loop_test(tests, test_memory_that_the_system_does_not_read, 0, MOVES);
        tcase_add_loop_test(tests, test_fates, 0, FATES * MOVES);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
