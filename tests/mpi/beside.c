/*
 * A rank that MPI's launcher has started, over several hosts, with threads: what a progress thread does while
 * the rank is in its own code, and several threads in one group. Its argument says what it does; what it
 * finds it prints in one line: "CASE: done", or what was wrong. GATE is a FIFO at which a rank waits for
 * another one outside of muster.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "muster/muster.h"
#include "tests/mpi/say.h"

#define OK(call) CHECK((call) == MUSTER_OK)

/* ---- the gate ---- */

static void pass_gate(int flags)
{
    int fd = open(getenv("GATE"), flags); /* until the other end is opened */

    CHECK(fd >= 0);
    close(fd);
}

/* ---- a rank that is in its own code ---- */

enum { COUNT = 60000, LARGE = 500000, SUMS = 3, REQUESTS = SUMS + 1 };

static int in[SUMS][COUNT], out[SUMS][COUNT], large[LARGE];

static void add(void *acc, const void *more, size_t count, muster_dtype dtype, void *arg)
{
    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++)
        ((int *)acc)[i] += ((const int *)more)[i];
}

/* All ranks start the same, and the first one does not come back before the last has all of it. */
static void goes_on(void)
{
    muster_request requests[REQUESTS];
    muster_group *child;
    muster_op made;

    OK(muster_op_create("add", add, NULL, true, &made));
    OK(muster_group_split(world, 0, size - rank, &child));
    OK(muster_barrier(world));
    for (int turn = 0; turn < 2; turn++) { /* rank 0 sends, then receives */
        int giver = turn ? size - 1 : 0, taker = size - 1 - giver;

        for (int i = 0; i < COUNT; i++)
            in[0][i] = in[1][i] = in[2][i] = rank + i + turn;
        for (int i = 0; i < LARGE; i++)
            large[i] = rank == giver ? i + turn : -1;
        OK(muster_all_sum_start(in[0], out[0], COUNT, MUSTER_INT32, world, &requests[0]));
        OK(muster_all_sum_start(in[1], out[1], COUNT, MUSTER_INT32, child, &requests[1]));
        OK(muster_all_reduce_start(in[2], out[2], COUNT, MUSTER_INT32, made, world, &requests[2]));
        requests[3] = (muster_request)MUSTER_REQUEST_INIT;
        if (rank == giver)
            OK(muster_send_start(large, LARGE, MUSTER_INT32, taker, 7, world, &requests[3]));
        if (rank == taker)
            OK(muster_recv_start(large, LARGE, MUSTER_INT32, giver, 7, world, NULL, &requests[3]));
        if (rank == 0)
            pass_gate(O_RDONLY);
        OK(muster_wait_all(requests, REQUESTS, 0));
        for (int i = 0; i < COUNT * SUMS; i++)
            CHECK((&out[0][0])[i] == size * (i % COUNT + turn) + size * (size - 1) / 2);
        for (int i = 0; i < LARGE && rank == taker; i++)
            CHECK(large[i] == i + turn);
        if (rank == size - 1)
            pass_gate(O_WRONLY);
        OK(muster_barrier(world));
    }
    OK(muster_group_free(child));
    OK(muster_op_free(made));
    SAY("%s: done\n", name);
}

/* What a call has sent, and returned from before MPI had: its rank ends in its own code. */
static void leaves_rest(void)
{
    enum { MESSAGES = 3, BYTES = 30000 };

    OK(muster_barrier(world));
    for (int i = 0; i < MESSAGES; i++) {
        if (rank == 0)
            OK(muster_send(large, BYTES, MUSTER_UINT8, size - 1, i, world));
        if (rank == size - 1)
            OK(muster_recv(large, BYTES, MUSTER_UINT8, 0, i, world, NULL));
    }
    if (rank == 0)
        pass_gate(O_RDONLY);
    if (rank == size - 1)
        pass_gate(O_WRONLY);
    OK(muster_barrier(world));
    SAY("%s: done\n", name);
}

/* The last rank dies while its neighbour is in its own code, with or without something started. */
static void die_beside(bool started)
{
    muster_request pending = MUSTER_REQUEST_INIT;
    muster_status status;
    int number;

    OK(muster_barrier(world));
    for (int other = 0; other < size - 1 && rank == size - 1; other++) /* until all are out of the barrier */
        OK(muster_recv(NULL, 0, MUSTER_INT32, other, 9, world, NULL));
    if (rank < size - 1)
        OK(muster_send(NULL, 0, MUSTER_INT32, size - 1, 9, world));
    if (started && rank == size - 2)
        OK(muster_recv_start(&number, 1, MUSTER_INT32, 0, 3, world, NULL, &pending));
    if (rank == size - 1)
        raise(SIGKILL);
    if (rank == size - 2)
        pass_gate(O_RDONLY);
    do
        status = muster_barrier(world);
    while (status == MUSTER_OK);
    CHECK(status == MUSTER_ERR_PEER_DIED);
    CHECK(strstr(muster_error_detail(), "was killed by signal 9"));
    if (rank == 0)
        pass_gate(O_WRONLY);
    SAY("%s: done\n", name);
    exit(4);
}

static void dies_beside(void)
{
    die_beside(true);
}

static void dies_idle(void)
{
    die_beside(false);
}

/* ---- several threads ---- */

enum { THREADS = 3, TURNS = 200, INTS = 20000 };

static int count_of(int turn)
{
    static const int counts[] = { 1, 40, 5000, INTS };

    return counts[turn % 4];
}

/* Messages of one tag from the rank before to the rank after, in order. */
static void *send_all(void *of)
{
    int tag = *(const int *)of, *given = calloc(INTS, sizeof *given);

    CHECK(given);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < count_of(turn); i++)
            given[i] = rank + tag + turn + i;
        OK(muster_send(given, (size_t)count_of(turn), MUSTER_INT32, (rank + 1) % size, tag, world));
    }
    free(given);
    return NULL;
}

static void *receive_all(void *of)
{
    int tag = *(const int *)of, from = (rank + size - 1) % size, *got = calloc(INTS, sizeof *got);
    muster_request request;

    CHECK(got);
    for (int turn = 0; turn < TURNS; turn++) {
        if (turn % 2) {
            OK(muster_recv(got, (size_t)count_of(turn), MUSTER_INT32, from, tag, world, NULL));
        } else {
            OK(muster_recv_start(got, (size_t)count_of(turn), MUSTER_INT32, from, tag, world, NULL,
                                 &request));
            OK(muster_wait(&request, 0));
        }
        for (int i = 0; i < count_of(turn); i++)
            CHECK(got[i] == from + tag + turn + i);
    }
    free(got);
    return NULL;
}

/* In a group of its own. */
static void *sum_all(void *group)
{
    for (int turn = 0; turn < TURNS; turn++) {
        int given = rank + turn, got;

        OK(muster_all_sum(&given, &got, 1, MUSTER_INT32, group));
        CHECK(got == size * turn + size * (size - 1) / 2);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t all[3 * THREADS];
    muster_group *groups[THREADS];
    int tags[THREADS];

    for (int i = 0; i < THREADS; i++) {
        tags[i] = i;
        OK(muster_group_dup(world, &groups[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&all[3 * i], NULL, send_all, &tags[i]) == 0);
        CHECK(pthread_create(&all[3 * i + 1], NULL, receive_all, &tags[i]) == 0);
        CHECK(pthread_create(&all[3 * i + 2], NULL, sum_all, groups[i]) == 0);
    }
    for (int i = 0; i < 3 * THREADS; i++)
        CHECK(pthread_join(all[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        OK(muster_group_free(groups[i]));
    SAY("%s: done\n", name);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = { { "goes_on", goes_on },
                  { "leaves_rest", leaves_rest },
                  { "dies_beside", dies_beside },
                  { "dies_idle", dies_idle },
                  { "threads", threads } };

    name = argc > 1 ? argv[1] : "";
    OK(muster_init(true, "mpi", &world));
    rank = muster_group_rank(world);
    size = muster_group_size(world);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(name, cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
