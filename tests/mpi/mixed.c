/*
 * A program that uses MPI itself beside muster, compiled for one MPI. Its argument says how; what it finds it
 * prints in one line: "CASE: done", or what was wrong.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tests/mpi/say.h"

static bool funneled;

static void done(void)
{
    SAY("%s: done\n", name);
}

static void attach(void)
{
    CHECK(muster_init(true, "mpi", &world) == MUSTER_OK);
    rank = muster_group_rank(world);
    size = muster_group_size(world);
}

static void begin_both(void)
{
    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    attach();
}

/* The same answer from both, in turns; and the same ranks. */
static void use_both(void)
{
    int mine, sum, sums;

    MPI_Comm_rank(MPI_COMM_WORLD, &mine);
    CHECK(mine == rank);
    for (int i = 0; i < 100; i++) {
        mine = rank + i;
        CHECK(muster_all_sum(&mine, &sum, 1, MUSTER_INT32, world) == MUSTER_OK);
        CHECK(MPI_Allreduce(&mine, &sums, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS && sum == sums);
    }
}

static void before(void)
{
    begin_both();
    use_both();
    muster_group_free(world);
    MPI_Finalize();
    done();
}

/* What a program forks that has begun MPI is no rank, and takes nobody's place. */
static void forks(void)
{
    int status;

    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    pid_t child = fork();
    if (child == 0)
        _exit(muster_init(false, "mpi", &world) == MUSTER_ERR_FORKED ? 5 : 6);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    attach();
    use_both();
    MPI_Finalize();
    done();
}

/* MPI is there after muster_init, and whoever asks whether it is need not begin it, or end it. */
static void after(void)
{
    int flag = 0;

    attach();
    MPI_Initialized(&flag);
    CHECK(flag);
    use_both();
    done();
}

/* One ends MPI while the others wait for it in muster, and it in MPI for them. */
static void ends(void)
{
    begin_both();
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank > 0) {
        CHECK(muster_barrier(world) == MUSTER_ERR_PEER_DIED);
        CHECK(strstr(muster_error_detail(), "rank 0 left the group"));
    }
    MPI_Finalize();
    done();
}

/* muster_init began MPI, and the program ends it, or some ranks of it. */
static void ends_ours(void)
{
    attach();
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank % 2)
        MPI_Finalize();
    done();
}

/* No call on a group waits for ever when the ranks have left by ending MPI; it may succeed. */
static void late(void)
{
    begin_both();
    MPI_Finalize();
    if (rank != 1)
        muster_barrier(world);
    done();
}

static void expect_left(muster_status status)
{
    CHECK(status != MUSTER_OK && strstr(muster_error_detail(), "left the job"));
}

/* Calls over hosts when the program has ended MPI, which must not be asked anything then. */
static void late_calls(void)
{
    muster_request pending = MUSTER_REQUEST_INIT;
    muster_group *child;
    int one = 1, sum;

    begin_both();
    CHECK(muster_recv_start(&sum, 1, MUSTER_INT32, (rank + 1) % size, 9, world, NULL, &pending) == MUSTER_OK);
    CHECK(muster_barrier(world) == MUSTER_OK);
    MPI_Finalize();
    expect_left(muster_wait(&pending, 0));
    expect_left(muster_barrier(world));
    expect_left(muster_send(&one, 1, MUSTER_INT32, (rank + 1) % size, 0, world));
    expect_left(muster_recv(&sum, 1, MUSTER_INT32, (rank + 1) % size, 0, world, NULL));
    expect_left(muster_all_sum_start(&one, &sum, 1, MUSTER_INT32, world, &pending));
    expect_left(muster_group_split(world, 0, 0, &child));
    expect_left(muster_group_status(world));
    CHECK(muster_group_abort(world, "late") == MUSTER_OK);
    CHECK(muster_barrier(world) != MUSTER_OK);
    CHECK(muster_group_free(world) == MUSTER_OK);
    done();
}

/* A message that needs its sender's progress while the sender is at its end already. */
static void sends(void)
{
    size_t bytes = 8 << 20;
    char *message = malloc(bytes), *buffer = malloc(bytes + MPI_BSEND_OVERHEAD);

    attach();
    CHECK(message && buffer);
    memset(message, rank + 1, bytes);
    if (rank == 0) {
        MPI_Buffer_attach(buffer, (int)bytes + MPI_BSEND_OVERHEAD);
        MPI_Bsend(message, (int)bytes, MPI_BYTE, 1, 5, MPI_COMM_WORLD);
        muster_barrier(world);
        exit(0); /* muster ends MPI, which it has begun */
    }
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank == 1) {
        MPI_Recv(message, (int)bytes, MPI_BYTE, 0, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(message[0] == 1 && message[bytes - 1] == 1);
    }
    done();
    exit(0);
}

/* One rank never asks for the world; MUSTER_ATTACH_TIMEOUT is set. */
static void missing(void)
{
    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != 1) {
        CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_TIMED_OUT);
        CHECK(strstr(muster_error_detail(), "not all ranks have called muster_init"));
        for (int i = 0; i < 2; i++) { /* nor is it alone */
            CHECK(muster_init(false, i ? "mpi" : NULL, &world) == MUSTER_ERR_UNAVAILABLE);
            CHECK(strstr(muster_error_detail(),
                         "asked for its ranks once, and failed: not all ranks have called"));
        }
    }
    MPI_Finalize();
    done();
}

/* One comes when another has given up, and that one goes on with MPI; MUSTER_ATTACH_TIMEOUT is set. */
static void comes_late(void)
{
    int none = 0, there = 0;

    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 1) {
        MPI_Recv(&none, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        setenv("MUSTER_ATTACH_TIMEOUT", "5", 1); /* it comes so far that it sees all come */
    }
    CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_TIMED_OUT);
    MPI_Send(&none, 1, MPI_INT, 1 - rank, rank == 0 ? 3 : 4, MPI_COMM_WORLD);
    while (rank == 0 && !there)
        MPI_Iprobe(1, 4, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
    if (rank == 0)
        MPI_Recv(&none, 1, MPI_INT, 1, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Finalize();
    done();
}

/* As `missing`, in ranks whose variables make no sense: MUSTER_TIMEOUT is x. */
static void declines(void)
{
    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != 1) {
        CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_INVALID);
        CHECK(strstr(muster_error_detail(), "MUSTER_TIMEOUT is"));
    }
    MPI_Finalize();
    done();
}

/* ---- threads: MPI was begun for the main one alone ---- */

static void begin_for_main(void)
{
    int level;

    CHECK(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) == MPI_SUCCESS);
    funneled = level < MPI_THREAD_SERIALIZED;
}

static void run_elsewhere(void *(*body)(void *))
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, body, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void *ask_elsewhere(void *unused)
{
    CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_UNAVAILABLE);
    CHECK(strstr(muster_error_detail(), "call muster_init in the main thread"));
    return unused;
}

static void asks_elsewhere(void)
{
    begin_for_main();
    if (funneled) /* else the MPI gives more than it was asked for */
        run_elsewhere(ask_elsewhere);
    attach();
    use_both();
    MPI_Finalize();
    done();
}

/* In place of MPI's, for the plug-in. */
static void *find_own(const char *function)
{
    int is_main;

    MPI_Is_thread_main(&is_main);
    if (funneled && !is_main)
        SAY("%s: another thread calls MPI\n", name);
    return dlsym(RTLD_NEXT, function);
}

static bool held, told; /* no barrier ends; the end is told */
static const MPI_Request *barrier;

int PMPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    int (*own)(MPI_Comm, MPI_Request *) = NULL;
    void *found = find_own("PMPI_Ibarrier");

    memcpy(&own, &found, sizeof found);
    barrier = request;
    return own(comm, request);
}

int PMPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    int (*own)(MPI_Request *, int *, MPI_Status *) = NULL;
    void *found = dlsym(RTLD_NEXT, "PMPI_Test");

    memcpy(&own, &found, sizeof found);
    if (!held || request != barrier)
        return own(request, flag, status);
    *flag = 0;
    return MPI_SUCCESS;
}

int PMPI_Finalize(void)
{
    int (*own)(void) = NULL;
    void *found = dlsym(RTLD_NEXT, "PMPI_Finalize");

    memcpy(&own, &found, sizeof found);
    if (told)
        SAY("%s: finalizes\n", name);
    return own();
}

int PMPI_Isend(const void *bytes, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    int (*own)(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *) = NULL;
    void *found = find_own("PMPI_Isend");

    memcpy(&own, &found, sizeof found);
    return own(bytes, count, type, to, tag, comm, request);
}

static muster_request pending = MUSTER_REQUEST_INIT; /* the main thread's */
static muster_group *copy;

static void expect_refusal(muster_status status)
{
    CHECK(status == MUSTER_ERR_UNSUPPORTED && strstr(muster_error_detail(), "for its main thread only"));
}

static void *call_elsewhere(void *unused)
{
    muster_request other = MUSTER_REQUEST_INIT;
    int one = 1, sum, next = (rank + 1) % size;
    muster_group *child;
    bool found;

    expect_refusal(muster_barrier(world));
    expect_refusal(muster_all_sum_start(&one, &sum, 1, MUSTER_INT32, world, &other));
    expect_refusal(muster_send(&one, 1, MUSTER_INT32, next, 0, world));
    expect_refusal(muster_recv_start(&sum, 1, MUSTER_INT32, next, 0, world, NULL, &other));
    expect_refusal(muster_probe(next, 0, world, NULL));
    expect_refusal(muster_wait(&pending, 1000000));
    expect_refusal(muster_test(&pending, &found));
    expect_refusal(muster_cancel(&pending, &found));
    expect_refusal(muster_group_split(world, 0, 0, &child));
    expect_refusal(muster_group_subset(world, (int[]){ 0, 1, 2 }, 3, &child));
    CHECK(muster_group_status(world) == MUSTER_OK);
    CHECK(muster_group_free(copy) == MUSTER_OK);
    return unused;
}

static void *abort_elsewhere(void *unused)
{
    CHECK(muster_group_abort(world, "in another thread") == MUSTER_OK);
    return unused;
}

/* Over hosts another thread may not call MPI: it is refused in words, and what is whole stays so. */
static void calls_elsewhere(void)
{
    muster_status status = MUSTER_OK;
    int got = 0;

    begin_for_main();
    attach();
    CHECK(muster_group_dup(world, &copy) == MUSTER_OK);
    CHECK(muster_recv_start(&got, 1, MUSTER_INT32, (rank + 1) % size, 9, world, NULL, &pending) == MUSTER_OK);
    if (funneled)
        run_elsewhere(call_elsewhere);
    CHECK(muster_barrier(world) == MUSTER_OK);
    CHECK(muster_send(&rank, 1, MUSTER_INT32, (rank + size - 1) % size, 9, world) == MUSTER_OK);
    CHECK(muster_wait(&pending, 0) == MUSTER_OK && got == (rank + 1) % size);
    if (rank != 0)
        CHECK(muster_send(&got, 1, MUSTER_INT32, 0, 10, world) == MUSTER_OK);
    for (int other = 1; rank == 0 && other < size; other++) /* it aborts once all have waited */
        CHECK(muster_recv(&got, 1, MUSTER_INT32, other, 10, world, NULL) == MUSTER_OK);
    if (rank == 0)
        run_elsewhere(abort_elsewhere);
    while (status == MUSTER_OK)
        status = muster_barrier(world);
    CHECK(status == MUSTER_ERR_ABORTED);
    CHECK(strstr(muster_error_detail(), "rank 0 aborted the group: in another thread"));
    MPI_Finalize();
    done();
}

static void *end_elsewhere(void *unused)
{
    exit(unused ? 1 : 0);
}

/* One fails that does not see that all have come to the end, though they have; nobody ends MPI without it. */
static void ends_apart(void)
{
    attach();
    CHECK(muster_barrier(world) == MUSTER_OK);
    done();
    CHECK(muster_barrier(world) == MUSTER_OK); /* whoever fails makes the launcher kill the others */
    told = true;
    held = rank == size - 1;
    exit(held ? 7 : 0);
}

static void ends_elsewhere(void)
{
    begin_for_main();
    attach();
    CHECK(muster_barrier(world) == MUSTER_OK);
    done();
    CHECK(muster_barrier(world) == MUSTER_OK); /* the same */
    run_elsewhere(end_elsewhere);
}

/* Two MPIs: this program's, which it has begun, and the plug-in's. */
static void refused(void)
{
    CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_UNAVAILABLE);
    CHECK(strstr(muster_error_detail(), "this process has two MPIs"));
    MPI_Finalize();
    done();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = { { "before", before },
                  { "after", after },
                  { "ends", ends },
                  { "ends_ours", ends_ours },
                  { "late", late },
                  { "late_calls", late_calls },
                  { "sends", sends },
                  { "forks", forks },
                  { "missing", missing },
                  { "comes_late", comes_late },
                  { "refused", refused },
                  { "declines", declines },
                  { "asks_elsewhere", asks_elsewhere },
                  { "calls_elsewhere", calls_elsewhere },
                  { "ends_apart", ends_apart },
                  { "ends_elsewhere", ends_elsewhere } };

    name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(name, cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
