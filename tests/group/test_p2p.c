/* Messages: order, buffering, any pair, any pattern of sendrecv. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

/* Every pair, FIFO, sizes from nothing to several rings. */
static int every_pair(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 3, 1000, 40000, 100003 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t *buffer = malloc(100003 * sizeof *buffer);

    (void)arg;
    RANK_CHECK(world, buffer);
    for (int src = 0; src < n; src++)
        for (int dst = 0; dst < n; dst++)
            for (size_t k = 0; k < sizeof counts / sizeof counts[0] && src != dst; k++) {
                if (rank == src) {
                    for (size_t i = 0; i < counts[k]; i++)
                        buffer[i] = (int32_t)(i * 31 + k) + src;
                    RANK_OK(world, muster_send(buffer, counts[k], MUSTER_INT32, dst, 0, world));
                } else if (rank == dst) {
                    RANK_OK(world, muster_recv(buffer, counts[k], MUSTER_INT32, src, 0, world, NULL));
                    for (size_t i = 0; i < counts[k]; i++)
                        RANK_CHECK(world, buffer[i] == (int32_t)(i * 31 + k) + src);
                }
            }
    free(buffer);
    return 0;
}

START_TEST(test_every_pair_in_order)
{
    run_all_sizes(every_pair, NULL);
}
END_TEST

/* Everyone sends 64 KiB to everyone, itself included, before anyone receives. */
static int buffered(muster_group *world, void *arg)
{
    enum { BYTES = 65536 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    unsigned char *buffer = malloc(BYTES);

    (void)arg;
    RANK_CHECK(world, buffer);
    for (int dst = 0; dst < n; dst++) {
        memset(buffer, rank * 16 + dst, BYTES);
        RANK_OK(world, muster_send(buffer, BYTES, MUSTER_UINT8, dst, 0, world));
    }
    for (int src = 0; src < n; src++) {
        RANK_OK(world, muster_recv(buffer, BYTES, MUSTER_UINT8, src, 0, world, NULL));
        RANK_CHECK(world, buffer[0] == src * 16 + rank && buffer[BYTES - 1] == src * 16 + rank);
    }
    unsigned char *large = calloc(3 << 20, 1);

    RANK_CHECK(world,
               large && muster_send(large, 3 << 20, MUSTER_UINT8, rank, 0, world) == MUSTER_ERR_INVALID);
    free(large);
    free(buffer);
    return 0;
}

START_TEST(test_64_kib_per_pair_are_buffered)
{
    run_all_sizes(buffered, NULL);
}
END_TEST

/* Small messages until there is no room, and one more; then all of them are taken, and it goes on. Each size
 * ends the ring elsewhere, so that also the stamp behind the last entry has, or lacks, its room. */
static int flood(muster_group *world, void *arg)
{
    enum { INTS = 40 };
    int32_t x[INTS], bytes_sent = 0;
    int rank = muster_group_rank(world);

    (void)arg;
    for (int count = 1; count <= INTS; count += 3) {
        int messages = (3 << 20) / 64 / (1 + count / 16); /* more than a channel buffers */

        for (int i = 0; i < messages; i++) {
            for (int k = 0; k < count; k++)
                x[k] = i + k + bytes_sent;
            if (rank == 0)
                RANK_OK(world, muster_send(x, (size_t)count, MUSTER_INT32, 1, 0, world));
            if (rank == 1 && i == 0)
                AWAIT(is_asleep_in_message(world, 0));
            if (rank != 1)
                continue;
            RANK_OK(world, muster_recv(x, (size_t)count, MUSTER_INT32, 0, 0, world, NULL));
            for (int k = 0; k < count; k++)
                RANK_CHECK(world, x[k] == i + k + bytes_sent);
        }
        bytes_sent += messages * count;
    }
    return 0;
}

START_TEST(test_small_messages_until_there_is_no_room)
{
    run_ranks(2, RANKS_AS_PROCESSES, flood, NULL);
    run_ranks(2, RANKS_AS_THREADS, flood, NULL);
}
END_TEST

/* Rings both ways, exchanges, and with oneself, far beyond what a channel buffers. */
static int patterns(muster_group *world, void *arg)
{
    enum { COUNT = 150000 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t *out = malloc(COUNT * 4), *in = malloc(COUNT * 4);

    (void)arg;
    RANK_CHECK(world, out && in);
    for (int shift = 0; shift < n; shift++) {
        int dst = (rank + shift) % n, src = (rank + n - shift) % n;

        for (int i = 0; i < COUNT; i++)
            out[i] = rank * 7 + i + shift;
        RANK_OK(world, muster_sendrecv(out, COUNT, dst, 0, in, COUNT, src, 0, MUSTER_INT32, world, NULL));
        for (int i = 0; i < COUNT; i++)
            RANK_CHECK(world, in[i] == src * 7 + i + shift);
    }
    /* sizes that differ */
    RANK_OK(world, muster_sendrecv(out, (size_t)rank, (rank + 1) % n, 0, in, (size_t)((rank + n - 1) % n),
                                   (rank + n - 1) % n, 0, MUSTER_INT32, world, NULL));
    free(out);
    free(in);
    return 0;
}

START_TEST(test_sendrecv_patterns)
{
    run_all_sizes(patterns, NULL);
}
END_TEST

/* With oneself, in a group of one as in any other: in order, as much as is buffered, any size at once, from
 * private and from arena buffers. */
static int exchange_with_oneself(muster_group *world, int32_t *out, int32_t *in, size_t count, int turn)
{
    int rank = muster_group_rank(world);

    for (size_t i = 0; i < count; i++)
        out[i] = (int32_t)i * 3 + turn;
    memset(in, 0xee, count * sizeof *in);
    RANK_OK(world, muster_sendrecv(out, count, rank, 0, in, count, rank, 0, MUSTER_INT32, world, NULL));
    RANK_CHECK(world, count == 0 || memcmp(in, out, count * sizeof *in) == 0);
    return 0;
}

static int buffer_for_oneself(muster_group *world, int32_t *out, int32_t *in, size_t count, int turn)
{
    int rank = muster_group_rank(world);
    size_t room = 65536 / sizeof *out, sent = 0, messages = 0;

    for (; messages < 8 && sent + count <= room; messages++, sent += count) {
        for (size_t i = 0; i < count; i++)
            out[i] = (int32_t)(i + messages * 11) + turn;
        RANK_OK(world, muster_send(out, count, MUSTER_INT32, rank, 0, world));
    }
    for (size_t m = 0; m < messages; m++) {
        RANK_OK(world, muster_recv(in, count, MUSTER_INT32, rank, 0, world, NULL));
        for (size_t i = 0; i < count; i++)
            RANK_CHECK(world, in[i] == (int32_t)(i + m * 11) + turn);
    }
    return 0;
}

static int with_oneself(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 10, 1000, 16384, 200000 };
    int32_t *buffers[4] = { malloc(200000 * 4), malloc(200000 * 4) };

    (void)arg;
    RANK_CHECK(world, buffers[0] && buffers[1]);
    RANK_OK(world, muster_alloc(world, 200000 * 4, (void **)&buffers[2]));
    RANK_OK(world, muster_alloc(world, 200000 * 4, (void **)&buffers[3]));
    for (int turn = 0; turn < 48; turn++) {
        int32_t *out = buffers[turn & 2], *in = buffers[turn & 1 ? 3 : 1];
        size_t count = counts[turn % 6];

        if (turn % 4 == 3)
            out = buffers[0], in = buffers[1];
        if (exchange_with_oneself(world, out, in, count, turn) ||
            buffer_for_oneself(world, out, in, count, turn))
            return 1;
    }
    RANK_OK(world, muster_barrier(world)); /* the group is as it was */
    free(buffers[0]);
    free(buffers[1]);
    return 0;
}

START_TEST(test_with_oneself)
{
    run_all_sizes(with_oneself, NULL);
}
END_TEST

/* Arena buffers, which are read zero-copy when the receiver waits or the channel could not hold them. */
static int from_the_arena(muster_group *world, void *arg)
{
    static const size_t counts[] = { 1, 2048, 16384, 16385, 200000 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int next = (rank + 1) % n, previous = (rank + n - 1) % n;
    int32_t *out, *ins[2], *in; /* to the arena, and to private memory */

    (void)arg;
    if (n == 1)
        return 0;
    RANK_OK(world, muster_alloc(world, 200000 * sizeof *out, (void **)&out));
    RANK_OK(world, muster_alloc(world, 200000 * sizeof *in, (void **)&ins[0]));
    ins[1] = malloc(200000 * sizeof *in);
    RANK_CHECK(world, ins[1]);
    for (int turn = 0; turn < 20; turn++) {
        size_t count = counts[turn % 5];

        in = ins[turn % 2];
        for (size_t i = 0; i < count; i++)
            out[i] = (int32_t)i * 7 + rank + turn;
        if (count * sizeof *out <= 65536 && turn < 10) { /* the promise holds for them too */
            RANK_OK(world, muster_send(out, count, MUSTER_INT32, next, 0, world));
            RANK_OK(world, muster_recv(in, count, MUSTER_INT32, previous, 0, world, NULL));
        } else if (rank > 0) {
            RANK_OK(world, muster_recv(in, count, MUSTER_INT32, previous, 0, world, NULL));
            RANK_OK(world, muster_send(out, count, MUSTER_INT32, next, 0, world));
        } else {
            RANK_OK(world, muster_send(out, count, MUSTER_INT32, next, 0, world));
            RANK_OK(world, muster_recv(in, count, MUSTER_INT32, previous, 0, world, NULL));
        }
        for (size_t i = 0; i < count; i++) {
            out[i] = -1; /* ours again: a receiver that still read it would show */
            RANK_CHECK(world, in[i] == (int32_t)i * 7 + previous + turn);
        }
        RANK_OK(world,
                muster_sendrecv(in, count, previous, 0, out, count, next, 0, MUSTER_INT32, world, NULL));
        for (size_t i = 0; i < count; i++)
            RANK_CHECK(world, out[i] == (int32_t)i * 7 + rank + turn);
    }
    free(ins[1]);
    return 0;
}

START_TEST(test_arena_buffers)
{
    run_all_sizes(from_the_arena, NULL);
}
END_TEST

/* A receiver whose arena buffer is smaller than the message learns so, and the sender, which writes half of
 * such messages, has not written beyond it. */
static int too_large(muster_group *world, void *arg)
{
    enum { SMALL = 100000, LARGE = 300000 };
    int rank = muster_group_rank(world);
    muster_group *group;
    unsigned char *buffer;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_OK(world, muster_alloc(world, LARGE, (void **)&buffer));
    memset(buffer, rank, LARGE);
    if (rank == 0) {
        RANK_OK(world, muster_send(buffer, 1, MUSTER_UINT8, 1, 0, group)); /* which makes the ring */
        for (int i = 0; i < 30; i++)
            memset(buffer, 0, LARGE); /* meanwhile the other one begins to wait */
        RANK_CHECK(world, muster_send(buffer, LARGE, MUSTER_UINT8, 1, 0, group) == MUSTER_ERR_MISMATCH);
    } else {
        RANK_OK(world, muster_recv(buffer, 1, MUSTER_UINT8, 0, 0, group, NULL));
        RANK_CHECK(world, muster_recv(buffer, SMALL, MUSTER_UINT8, 0, 0, group, NULL) == MUSTER_ERR_MISMATCH);
    }
    RANK_OK(world, muster_barrier(world)); /* the sender is done: its group is broken, the world is not */
    for (int i = SMALL; i < LARGE; i++)
        RANK_CHECK(world, buffer[i] == rank);
    RANK_OK(world, muster_free(world, buffer));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_nothing_is_written_beyond_a_buffer)
{
    for (int i = 0; i < 20; i++) {
        run_ranks(2, RANKS_AS_PROCESSES, too_large, NULL);
        run_ranks(2, RANKS_AS_THREADS, too_large, NULL);
    }
}
END_TEST

/* A send from one thread beside a receive from another, on the same group. */
static void *send_many(void *arg)
{
    muster_group *world = arg;
    int next = (muster_group_rank(world) + 1) % muster_group_size(world);
    intptr_t failures = 0;

    for (int32_t i = 0; i < 3000; i++)
        failures += muster_send(&i, 1, MUSTER_INT32, next, 0, world) != MUSTER_OK;
    return (void *)failures;
}

static int send_beside_receive(muster_group *world, void *arg)
{
    int n = muster_group_size(world), previous = (muster_group_rank(world) + n - 1) % n;
    pthread_t thread;
    void *failures;

    (void)arg;
    RANK_CHECK(world, pthread_create(&thread, NULL, send_many, world) == 0);
    for (int32_t i = 0; i < 3000; i++) {
        int32_t got;

        RANK_OK(world, muster_recv(&got, 1, MUSTER_INT32, previous, 0, world, NULL));
        RANK_CHECK(world, got == i);
    }
    pthread_join(thread, &failures);
    RANK_CHECK(world, failures == NULL);
    return 0;
}

START_TEST(test_send_beside_receive)
{
    run_all_sizes(send_beside_receive, NULL);
}
END_TEST

/* Bursts of messages by turns: answers come at once or after many, so that entries go into slots and into
 * the ring by turns, and nothing may overtake or overwrite. */
static int send_burst(muster_group *world, uint64_t *state, unsigned char *buffer, int to, int seed)
{
    int messages = 1 + (int)(random_next(state) % 6);

    for (int m = 0; m < messages; m++) {
        size_t bytes = random_next(state) % 9 == 0 ? 5000 : random_next(state) % 4100;

        memset(buffer, (int)random_next(state), bytes);
        if (bytes)
            buffer[0] = (unsigned char)(seed + m);
        RANK_OK(world, muster_send(buffer, bytes, MUSTER_UINT8, to, 0, world));
    }
    return 0;
}

static int take_burst(muster_group *world, uint64_t *state, unsigned char *buffer, int from, int seed)
{
    int messages = 1 + (int)(random_next(state) % 6);

    for (int m = 0; m < messages; m++) {
        size_t bytes = random_next(state) % 9 == 0 ? 5000 : random_next(state) % 4100;
        unsigned char value = (unsigned char)random_next(state);

        RANK_OK(world, muster_recv(buffer, bytes, MUSTER_UINT8, from, 0, world, NULL));
        RANK_CHECK(world, bytes == 0 || buffer[0] == (unsigned char)(seed + m));
        for (size_t i = 1; i < bytes; i++)
            RANK_CHECK(world, buffer[i] == value);
    }
    return 0;
}

static int bursts(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), peer = rank ^ 1, failed = 0;
    uint64_t states[2] = { (uint64_t)(rank / 2) + 1, (uint64_t)(rank / 2) + 1000 }; /* of either direction */
    unsigned char buffer[5000];

    (void)arg;
    for (int turn = 0; turn < 600 && peer < n && !failed; turn++) {
        bool sends_first = (turn / 50 & 1) == (rank & 1); /* else both send before they receive */
        bool by_turns = turn / 100 & 1;

        if (by_turns && !sends_first)
            failed = take_burst(world, &states[peer & 1], buffer, peer, turn);
        if (!failed)
            failed = send_burst(world, &states[rank & 1], buffer, peer, turn);
        if (!failed && (!by_turns || sends_first))
            failed = take_burst(world, &states[peer & 1], buffer, peer, turn);
    }
    return failed;
}

START_TEST(test_bursts_by_turns)
{
    run_all_sizes(bursts, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("p2p");
    TCase *tests = tcase_create("messages");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_pair_in_order);
    tcase_add_test(tests, test_64_kib_per_pair_are_buffered);
    tcase_add_test(tests, test_small_messages_until_there_is_no_room);
    tcase_add_test(tests, test_sendrecv_patterns);
    tcase_add_test(tests, test_with_oneself);
    tcase_add_test(tests, test_arena_buffers);
    tcase_add_test(tests, test_nothing_is_written_beyond_a_buffer);
    tcase_add_test(tests, test_send_beside_receive);
    tcase_add_test(tests, test_bursts_by_turns);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
