/*
 * Bare loops of the algorithms that muster uses, as a contender of bench/compare: the physical reference.
 *
 * Two processes, a page of flags and two slots each, and nothing else: no checks, no deaths, no deadline, no
 * third rank. Data is staged: each copies a chunk into its slot, publishes it by a store, waits for the
 * other's and reads it there. Chunks alternate between the slots: who publishes one has read the one before.
 * BENCH_READV=1: data is read straight from the other's memory (process_vm_readv), a sum in halves, whose
 * result is written straight there.
 */
#define _GNU_SOURCE /* process_vm_readv */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

#define CHUNK ((256 << 10) / sizeof(float))
#define LOOKS_BEFORE_YIELD 20000

typedef struct side {
    _Alignas(128) _Atomic uint64_t published; /* chunks of collectives, and barriers */
    _Alignas(128) _Atomic uint64_t sent;      /* chunks of messages */
    _Alignas(128) _Atomic uint64_t received;
    _Alignas(128) double value;
    const void *buffer; /* where the other may read */
    void *result;       /* where it may write */
    _Alignas(4096) float slots[2][CHUNK];
    float message[2][CHUNK];
} side;

static side *mine, *other;
static int rank;
static pid_t other_pid;
static uint64_t count_published; /* of both: they do the same */
static float *scratch;
static size_t scratch_bytes;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void wait_for(_Atomic uint64_t *count, uint64_t least)
{
    for (long looks = 1; atomic_load_explicit(count, memory_order_acquire) < least; looks++)
        if (looks % LOOKS_BEFORE_YIELD == 0)
            sched_yield();
}

static void publish(void)
{
    atomic_store_explicit(&mine->published, ++count_published, memory_order_release);
}

/* Publishes, and waits until the other has. */
static void meet(void)
{
    publish();
    wait_for(&other->published, count_published);
}

static void barrier(const float *in, float *out, size_t count)
{
    (void)in, (void)out, (void)count;
    meet();
}

static double max(double value)
{
    mine->value = value;
    meet();
    double larger = value > other->value ? value : other->value;
    meet();
    return larger;
}

/* ---- staged ---- */

/* Not memcpy, which takes three times as long for 4 to 256 KiB on some CPUs. */
static void copy(float *restrict out, const float *restrict theirs, const float *own, size_t count)
{
    (void)own;
    for (size_t i = 0; i < count; i++)
        out[i] = theirs[i];
}

static void add(float *restrict out, const float *restrict theirs, const float *restrict own, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = own[i] + theirs[i];
}

typedef void make_fn(float *out, const float *theirs, const float *own, size_t count);

/* Gives `sent` to the other, and makes `out` of what it gave. NULL: nothing goes that way; who only receives
 * publishes that it has read, so who only gives may be a chunk ahead. */
static void exchange(const float *sent, float *out, const float *own, size_t count, make_fn *make)
{

    for (size_t at = 0; at < count; at += CHUNK) {
        size_t now = count - at < CHUNK ? count - at : CHUNK;
        uint64_t number = count_published + 1;

        if (sent) {
            copy(mine->slots[number % 2], sent + at, NULL, now);
            publish();
        }
        wait_for(&other->published, out ? number : number - 1);
        if (out)
            make(out + at, other->slots[number % 2], own ? own + at : NULL, now);
        if (!sent)
            publish();
    }
}

static void all_reduce(const float *in, float *out, size_t count)
{
    exchange(in, out, in, count, add);
}

static void all_gather(const float *in, float *out, size_t count)
{
    copy(out + (size_t)rank * count, in, NULL, count);
    exchange(in, out + (size_t)(1 - rank) * count, NULL, count, copy);
}

static void reduce_scatter(const float *in, float *out, size_t count)
{
    exchange(in + (size_t)(1 - rank) * count, out, in + (size_t)rank * count, count, add);
}

static void broadcast(const float *in, float *out, size_t count)
{
    (void)in;
    exchange(rank == 0 ? out : NULL, rank == 0 ? NULL : out, NULL, count, copy);
}

static void all_to_all(const float *in, float *out, size_t count)
{
    copy(out + (size_t)rank * count, in + (size_t)rank * count, NULL, count);
    exchange(in + (size_t)(1 - rank) * count, out + (size_t)(1 - rank) * count, NULL, count, copy);
}

/* ---- messages ---- */

static void send(float *buffer, size_t count, int to, int tag)
{
    uint64_t sent = atomic_load_explicit(&mine->sent, memory_order_relaxed);

    (void)to, (void)tag;
    for (size_t at = 0; at < count; at += CHUNK, sent++) {
        size_t now = count - at < CHUNK ? count - at : CHUNK;

        if (sent >= 2)
            wait_for(&other->received, sent - 1);
        copy(mine->message[sent % 2], buffer + at, NULL, now);
        atomic_store_explicit(&mine->sent, sent + 1, memory_order_release);
    }
}

static void receive(float *buffer, size_t count, int from, int tag)
{
    uint64_t received = atomic_load_explicit(&mine->received, memory_order_relaxed);

    (void)from, (void)tag;
    for (size_t at = 0; at < count; at += CHUNK, received++) {
        size_t now = count - at < CHUNK ? count - at : CHUNK;

        wait_for(&other->sent, received + 1);
        copy(buffer + at, other->message[received % 2], NULL, now);
        atomic_store_explicit(&mine->received, received + 1, memory_order_release);
    }
}

/* ---- straight from the other's memory ---- */

static void transfer(ssize_t (*call)(pid_t, const struct iovec *, unsigned long, const struct iovec *,
                                     unsigned long, unsigned long),
                     float *here, const float *there, size_t count)
{
    struct iovec local = { here, count * sizeof(float) };
    struct iovec remote = { (void *)(uintptr_t)there, count * sizeof(float) };

    if (count && call(other_pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
        die("process_vm_readv");
}

static void show(const void *buffer, void *result)
{
    mine->buffer = buffer;
    mine->result = result;
    meet();
}

static void all_reduce_read(const float *in, float *out, size_t count)
{
    size_t half = count / 2, begin = rank == 0 ? 0 : half, own = rank == 0 ? half : count - half;

    show(in, out);
    if (own * sizeof(float) > scratch_bytes) {
        free(scratch);
        scratch_bytes = own * sizeof(float);
        scratch = malloc(scratch_bytes);
        if (!scratch)
            die("malloc");
    }
    transfer(process_vm_readv, scratch, (const float *)other->buffer + begin, own);
    add(out + begin, scratch, in + begin, own);
    transfer(process_vm_writev, out + begin, (const float *)other->result + begin, own);
    meet();
}

static void all_gather_read(const float *in, float *out, size_t count)
{
    show(in, out);
    transfer(process_vm_readv, out + (size_t)(1 - rank) * count, other->buffer, count);
    copy(out + (size_t)rank * count, in, NULL, count);
    meet();
}

static void broadcast_read(const float *in, float *out, size_t count)
{
    (void)in;
    show(out, NULL);
    if (rank == 1)
        transfer(process_vm_readv, out, other->buffer, count);
    meet();
}

/* ---- the two processes ---- */

/* The other one has ended in the middle: nobody waits for it. */
static void end(int signal)
{
    (void)signal;
    _exit(1);
}

/* Each on a CPU of its own, if there are two: the kernel takes long to part them. */
static void settle(void)
{
    cpu_set_t allowed, chosen;
    int passed = 0;

    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return;
    CPU_ZERO(&chosen);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && passed++ == rank)
            CPU_SET(cpu, &chosen);
    sched_setaffinity(0, sizeof chosen, &chosen);
}

static void begin(void)
{
    side *sides = mmap(NULL, 2 * sizeof *sides, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    pid_t parent = getpid();

    if (sides == MAP_FAILED)
        die("mmap");
    signal(SIGCHLD, end);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    rank = child == 0;
    if (rank == 1) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    settle();
    other_pid = rank == 0 ? child : parent;
    mine = &sides[rank];
    other = &sides[1 - rank];
}

int main(int argc, char **argv)
{
    static float word; /* at the same address in both */

    begin();
    peer peer = { .rank = rank,
                  .size = 2,
                  .max = max,
                  .send = send,
                  .receive = receive,
                  .call = { [LOOP_BARRIER] = barrier,
                            [LOOP_ALL_REDUCE] = all_reduce,
                            [LOOP_ALL_GATHER] = all_gather,
                            [LOOP_REDUCE_SCATTER] = reduce_scatter,
                            [LOOP_BROADCAST] = broadcast,
                            [LOOP_ALL_TO_ALL] = all_to_all } };

    if (getenv("BENCH_READV")) {
        prctl(PR_SET_PTRACER, (unsigned long)other_pid); /* where Yama asks for it */
        meet();
        transfer(process_vm_readv, &word, &word, 1); /* where it is refused, this says so */
        peer.send = peer.receive = NULL;
        memset(peer.call, 0, sizeof peer.call);
        peer.call[LOOP_BARRIER] = barrier;
        peer.call[LOOP_ALL_REDUCE] = all_reduce_read;
        peer.call[LOOP_ALL_GATHER] = all_gather_read;
        peer.call[LOOP_BROADCAST] = broadcast_read;
    }
    int status = loop_main(&peer, argc, argv);
    signal(SIGCHLD, SIG_DFL);
    meet(); /* it may end now */
    if (rank == 1)
        return status;
    return waitpid(other_pid, NULL, 0) == other_pid ? status : 1;
}
