/*
 * A rank that MPI's launcher has started, on one host or several, pretended ones or not. Its argument says
 * what it does; what it finds it prints in one line: "CASE: done", or what was wrong; of "bits", what must
 * not depend on the hosts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tests/mpi/say.h"

#define ELEMENTS_MAX 60000
#define CHAINED 500000 /* elements: of so many, partial results go from host to host (src/hosts/chain.h) */
#define RANKS_MAX 16

#define OK(call) CHECK((call) == MUSTER_OK)

static unsigned long long state, hash = 0xcbf29ce484222325ULL;

static unsigned next(void)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state >> 33);
}

static void add(const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ULL;
}

/* ---- the same bits ---- */

static unsigned char in[RANKS_MAX * ELEMENTS_MAX * 8], out[RANKS_MAX * ELEMENTS_MAX * 8];

/* Numbers whose sums round, by rank and call. */
static void fill(muster_dtype dtype, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned one = next();

        if (dtype == MUSTER_FLOAT32)
            ((float *)in)[i] = (float)(one % 20011) / 7.0F - 1000.0F;
        else if (dtype == MUSTER_FLOAT64)
            ((double *)in)[i] = (double)(one % 20011) / 7.0 - 1000.0;
        else if (dtype == MUSTER_BFLOAT16)
            ((unsigned short *)in)[i] = (unsigned short)(0x3f80 + one % 200 + (one & 0x100 ? 0x8000 : 0));
        else
            ((int *)in)[i] = (int)one;
    }
}

static void perform(muster_dtype dtype, muster_op op, size_t count)
{
    size_t bytes = count * muster_dtype_size(dtype);
    int root = (int)(count % (size_t)size);

    fill(dtype, count * (size_t)size);
    memset(out, 0, bytes * (size_t)size);
    OK(muster_all_reduce(in, out, count, dtype, op, world));
    add(out, bytes);
    OK(muster_reduce_scatter(in, out, count, dtype, op, world));
    add(out, bytes);
    OK(muster_scan(in, out, count, dtype, op, world));
    add(out, bytes);
    OK(muster_reduce(in, out, count, dtype, op, root, world));
    if (rank == root)
        add(out, bytes);
    OK(muster_all_gather(in, out, count, dtype, world));
    add(out, bytes * (size_t)size);
    OK(muster_all_to_all(in, out, count, dtype, world));
    add(out, bytes * (size_t)size);
    OK(muster_broadcast(in, out, count, dtype, root, world));
    add(out, bytes);
    OK(muster_scatter(in, out, count, dtype, root, world));
    add(out, bytes);
}

/* Sums of large vectors, blocking, started two at a time, and in place. */
static void chain_up(muster_dtype dtype)
{
    size_t bytes = CHAINED * muster_dtype_size(dtype);
    muster_request twice[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };

    fill(dtype, CHAINED);
    memset(out, 0, 3 * bytes);
    OK(muster_all_reduce(in, out, CHAINED, dtype, MUSTER_SUM, world));
    OK(muster_all_reduce_start(in, out + bytes, CHAINED, dtype, MUSTER_SUM, world, &twice[0]));
    OK(muster_all_reduce_start(in, out + 2 * bytes, CHAINED, dtype, MUSTER_MAX, world, &twice[1]));
    OK(muster_wait_all(twice, 2, 0));
    add(out, 3 * bytes);
    OK(muster_all_reduce(in, in, CHAINED, dtype, MUSTER_SUM, world));
    add(in, bytes);
}

/* What all ranks have computed, in one number. */
static void bits(void)
{
    static const muster_dtype dtypes[] = { MUSTER_FLOAT32, MUSTER_BFLOAT16, MUSTER_FLOAT64, MUSTER_INT32 };
    static const size_t counts[] = { 1, 13, 1000, ELEMENTS_MAX };
    unsigned long long hashes[RANKS_MAX];

    state = (unsigned long long)rank + 1;
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            perform(dtypes[d], MUSTER_SUM, counts[c]);
            perform(dtypes[d], MUSTER_MAX, counts[c]);
        }
    chain_up(MUSTER_FLOAT32);
    chain_up(MUSTER_INT32);
    OK(muster_barrier(world));
    OK(muster_all_gather(&hash, hashes, 1, MUSTER_UINT64, world));
    hash = 0;
    add(hashes, (size_t)size * sizeof hashes[0]);
    SAY("%s: %016llx\n", name, hash);
}

/* ---- groups and messages ---- */

static void check_messages(muster_group *group, size_t count)
{
    int own = muster_group_rank(group), n = muster_group_size(group);
    muster_message came = MUSTER_MESSAGE_INIT;
    muster_request requests[2] = { MUSTER_REQUEST_INIT, MUSTER_REQUEST_INIT };
    int *given = (int *)in, *got = (int *)out;

    for (size_t i = 0; i < count; i++)
        given[i] = own * 1000 + (int)i;
    for (int shift = 1; shift < n; shift++) { /* each to each */
        int to = (own + shift) % n, from = (own + n - shift) % n;

        OK(muster_send_start(given, count, MUSTER_INT32, to, shift, group, &requests[0]));
        OK(muster_recv_start(got, count, MUSTER_INT32, from, shift, group, NULL, &requests[1]));
        OK(muster_wait_all(requests, 2, 0));
        for (size_t i = 0; i < count; i++)
            CHECK(got[i] == from * 1000 + (int)i);
    }
    for (int from = 1; own == 0 && from < n; from++) { /* all to the first, which takes any */
        OK(muster_recv(got, count, MUSTER_INT32, MUSTER_ANY_SOURCE, MUSTER_ANY_TAG, group, &came));
        CHECK(came.tag == 7 && came.count == count && got[0] == came.source * 1000);
    }
    if (own != 0)
        OK(muster_send(given, count, MUSTER_INT32, 0, 7, group));
    OK(muster_barrier(group));
}

static void spread(void)
{
    muster_group *parity, *reversed, *copy, *some;
    muster_request started = MUSTER_REQUEST_INIT;
    float one = 1, sum = 0;

    for (size_t count = 1; count <= ELEMENTS_MAX; count *= 30)
        check_messages(world, count);
    check_messages(world, 200000); /* each way in several parts */
    OK(muster_group_split(world, rank % 2, rank, &parity));
    OK(muster_group_split(world, 0, size - rank, &reversed));
    CHECK(muster_group_rank(reversed) == size - 1 - rank);
    OK(muster_group_dup(world, &copy));
    check_messages(parity, 5000);
    check_messages(reversed, 5);
    OK(muster_all_sum_start(&one, &sum, 1, MUSTER_FLOAT32, copy, &started));
    check_messages(parity, 50);
    OK(muster_wait(&started, 0));
    CHECK(sum == (float)size);
    if (rank == 0 || rank == size - 1) {
        OK(muster_group_subset(world, (int[]){ size - 1, 0 }, size > 1 ? 2 : 1, &some));
        check_messages(some, 3);
        muster_group_free(some);
    }
    muster_group_free(parity);
    muster_group_free(reversed);
    muster_group_free(copy);
    SAY("%s: done\n", name);
}

/* ---- many small messages ---- */

#define SMALL_MAX 200000
#define PILED 5000

/* How many are sent at once while nobody receives. */
static size_t fill_up(int to, size_t bytes, muster_request *last)
{
    for (size_t sent = 0; sent < SMALL_MAX; sent++) {
        bool over;

        OK(muster_send_start(in, bytes, MUSTER_UINT8, to, 1, world, last));
        OK(muster_test(last, &over));
        if (!over)
            return sent;
    }
    return SMALL_MAX;
}

/* Starts many more, of which the receiver first gets the last one. */
static void pile_up(int to, size_t bytes)
{
    muster_request *requests = malloc(PILED * sizeof *requests);

    CHECK(requests);
    for (int i = 0; i < PILED; i++)
        OK(muster_send_start(in, bytes, MUSTER_UINT8, to, i < PILED - 1 ? 4 : 5, world, &requests[i]));
    OK(muster_wait_all(requests, PILED, 0));
    free(requests);
}

static void take_the_pile(size_t bytes)
{
    OK(muster_recv(out, bytes, MUSTER_UINT8, 0, 5, world, NULL));
    for (int i = 0; i < PILED - 1; i++)
        OK(muster_recv(out, bytes, MUSTER_UINT8, 0, 4, world, NULL));
}

/* Of whatever size, what nobody receives has a limit; and a rank that only sends gets rid of it. */
static void floods(void)
{
    int last = size - 1;

    for (size_t bytes = 0; bytes < 2; bytes++) {
        muster_request waits = MUSTER_REQUEST_INIT;
        uint64_t sent;

        OK(muster_barrier(world));
        if (rank == 0) {
            sent = fill_up(last, bytes, &waits);
            CHECK(sent > 100 && sent < SMALL_MAX);
            OK(muster_send(&sent, 1, MUSTER_UINT64, last, 2, world));
            OK(muster_wait(&waits, 0));
            for (int i = 0; i < SMALL_MAX; i++)
                OK(muster_send(in, bytes, MUSTER_UINT8, last, 3, world));
            pile_up(last, bytes);
        } else if (rank == last) {
            OK(muster_recv(&sent, 1, MUSTER_UINT64, 0, 2, world, NULL));
            for (uint64_t i = 0; i < sent + 1; i++)
                OK(muster_recv(out, bytes, MUSTER_UINT8, 0, 1, world, NULL));
            for (int i = 0; i < SMALL_MAX; i++)
                OK(muster_recv(out, bytes, MUSTER_UINT8, 0, 3, world, NULL));
            take_the_pile(bytes);
        }
    }
    SAY("%s: done\n", name);
}

/* ---- ends ---- */

static void expect(muster_status wanted, const char *words)
{
    muster_status status;

    do
        status = muster_barrier(world);
    while (status == MUSTER_OK);
    CHECK(status == wanted);
    CHECK(strstr(muster_error_detail(), words));
    SAY("%s: done\n", name);
}

/* The longest reason of an abort is there to its last letter. */
static void aborts(void)
{
    static char reason[251 - sizeof "rank 0 aborted the group:"];

    memset(reason, 'x', sizeof reason - 1);
    memcpy(reason + sizeof reason - 4, "end", 3);
    OK(muster_barrier(world));
    if (rank == 0)
        OK(muster_group_abort(world, reason));
    expect(MUSTER_ERR_ABORTED, reason);
}

/* Ranks differ in what they call, on two hosts. */
static void differs(void)
{
    float one = 1, sum;

    muster_status status =
        rank == size - 1 ? muster_all_sum(&one, &sum, 1, MUSTER_FLOAT32, world) : muster_barrier(world);
    CHECK(status == MUSTER_ERR_MISMATCH);
    expect(MUSTER_ERR_MISMATCH, "all_sum");
}

/* A group that is all on one host: that host's arena numbers its ranks from 0, which is not their number in
 * the world. */
static void leaves_part(void)
{
    muster_group *part = NULL;
    bool is_in = rank % (size / 2) > 0; /* not the first one of its host */

    OK(muster_group_split(world, is_in ? rank * 2 / size : -1, 0, &part));
    if (is_in && muster_group_rank(part) > 0) {
        CHECK(muster_barrier(part) == MUSTER_ERR_PEER_DIED);
        CHECK(strstr(muster_error_detail(), "rank 0 left the group"));
    }
    if (is_in)
        OK(muster_group_free(part));
    OK(muster_barrier(world));
    SAY("%s: done\n", name);
}

/* One that another host waits for in a receive, and nobody on its own. */
static void dies_elsewhere(void)
{
    int number;

    if (rank == size - 1)
        raise(SIGKILL);
    if (rank == 0) {
        CHECK(muster_recv(&number, 1, MUSTER_INT32, size - 1, 0, world, NULL) == MUSTER_ERR_PEER_DIED);
        CHECK(strstr(muster_error_detail(), "was killed by signal 9"));
    }
    expect(MUSTER_ERR_PEER_DIED, getenv("MUSTER_FAKE_HOSTS")
                                     ? "rank 3 on pretended host 1 was killed by signal 9"
                                     : "rank 3 on host second was killed by signal 9");
    exit(4);
}

static long moment; /* of the argument after the case's name */

static void die(int signal)
{
    (void)signal;
    raise(SIGKILL);
}

/* In the middle of a sum that goes by chain: after so many microseconds, the rank that they say. */
static void dies_in_chain(void)
{
    int dead = (int)(moment % size);
    char words[80];
    muster_status status;

    snprintf(words, sizeof words, "rank %d on pretended host %d was killed by signal 9", dead,
             dead * 2 / size);
    status = muster_barrier(world); /* which not all have left when it dies */
    if (rank == dead) {
        struct itimerval timer = { .it_value = { .tv_usec = 1 + moment } };

        signal(SIGALRM, die);
        CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    }
    while (status == MUSTER_OK)
        status = muster_all_sum((float *)in, (float *)out, CHAINED, MUSTER_FLOAT32, world);
    CHECK(status == MUSTER_ERR_PEER_DIED);
    CHECK(strstr(muster_error_detail(), words));
    expect(MUSTER_ERR_PEER_DIED, words);
    exit(4);
}

/* The only one of its host, so that nobody tells the others: the limit names it. */
static void host_dies(void)
{
    if (rank == size - 1)
        raise(SIGKILL);
    expect(MUSTER_ERR_TIMED_OUT, getenv("MUSTER_FAKE_HOSTS") ? "pretended host " : " host ");
    exit(4);
}

/* Until whoever looks takes away what the ranks stand on: each says in which words it ends. */
static void lasts(void)
{
    muster_status status = muster_barrier(world);

    SAY("%s: runs\n", name);
    while (status == MUSTER_OK)
        status = muster_barrier(world);
    SAY("%s: rank %d: %s: %s\n", name, rank, muster_status_string(status), muster_error_detail());
    exit(4);
}

/* The last rank stops before what the others wait for, until whoever looks lets it go on. */
static void stop(void)
{
    if (rank == size - 1)
        raise(SIGSTOP);
}

static void leaves(void)
{
}

/* ---- an earlier world, whose arena stays open in this process ---- */

static bool keep_arena(int fd, void *arg)
{
    (void)arg;
    return dup(fd) >= 0;
}

static int do_nothing(muster_group *group, void *arg)
{
    (void)arg;
    return muster_group_size(group) != 1;
}

static void launch_another(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;

    config.size = 1;
    config.arena = keep_arena;
    OK(muster_launch(&config, do_nothing, NULL, &report));
}

static void two_worlds(void)
{
    if (rank == size - 1)
        SAY("%s: pid %d\n", name, (int)getpid());
    stop();
    OK(muster_barrier(world));
    SAY("%s: done\n", name);
}

/* ---- what is seen of a job ---- */

static void be_seen(void)
{
    muster_group *parity, *here, *ends;
    float one = 1, sum;
    int number = 7;

    OK(muster_group_split(world, rank % 2, rank, &parity));
    OK(muster_group_set_name(parity, rank % 2 ? "odd" : "even"));
    OK(muster_group_split(world, rank * 2 / size, rank, &here));
    for (int i = 0; i < 20; i++) {
        OK(muster_all_sum(&one, &sum, 1, MUSTER_FLOAT32, parity));
        OK(muster_barrier(here));
    }
    OK(muster_phase("seen", world));
    OK(muster_barrier(world));
    stop();
    OK(muster_all_sum(&one, &sum, 1, MUSTER_FLOAT32, world));
    stop();
    if (rank == 0 || rank == size - 1)
        OK(muster_group_subset(world, (int[]){ 0, size - 1 }, 2, &ends));
    stop();
    if (rank == 0)
        OK(muster_recv(&number, 1, MUSTER_INT32, size - 1, 5, world, NULL));
    if (rank == size - 1)
        OK(muster_send(&number, 1, MUSTER_INT32, 0, 5, world));
    OK(muster_barrier(world));
    SAY("%s: done\n", name);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = { { "bits", bits },
                  { "spread", spread },
                  { "aborts", aborts },
                  { "differs", differs },
                  { "floods", floods },
                  { "dies_elsewhere", dies_elsewhere },
                  { "host_dies", host_dies },
                  { "lasts", lasts },
                  { "leaves_part", leaves_part },
                  { "be_seen", be_seen },
                  { "leaves", leaves },
                  { "two_worlds", two_worlds },
                  { "dies_in_chain", dies_in_chain } };

    name = argc > 1 ? argv[1] : "";
    moment = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (strcmp(name, "two_worlds") == 0)
        launch_another();
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
