/*
 * The limits of this machine, measured with nothing of muster's: two processes, a page they share, and
 * plain memory. Each figure is the best of a few tries, since only disturbance makes it worse.
 */
#define _GNU_SOURCE
#include "tools/muster/bench/limits.h"

#include <linux/futex.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 7
#define PINGS 20000
#define WAKES 50
#define LARGE_BYTES (128UL << 20)
#define CACHED_BYTES (128UL << 10)

typedef struct board {
    _Alignas(128) _Atomic uint32_t ball;
    _Alignas(128) _Atomic uint32_t ready;
    _Alignas(128) double result[2];
} board;

typedef void (*stroke_fn)(board *board, int side, int sides);

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Runs `stroke` in `sides` processes that begin together; the sum of what they report. */
static double run(stroke_fn stroke, int sides)
{
    board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, failed = 0;

    if (board == MAP_FAILED)
        return NAN;
    for (int side = 1; side < sides; side++) {
        pid_t pid = fork();
        if (pid < 0) {
            munmap(board, sizeof *board);
            return NAN;
        }
        if (pid == 0) {
            stroke(board, side, sides);
            _exit(0);
        }
    }
    stroke(board, 0, sides);
    while (wait(&status) > 0)
        failed |= status;
    double sum = board->result[0] + board->result[1];
    munmap(board, sizeof *board);
    return failed ? NAN : sum;
}

static void begin_together(board *board, int sides)
{
    atomic_fetch_add(&board->ready, 1);
    while (atomic_load(&board->ready) < (uint32_t)sides)
        relax();
}

/* ---- a cache line there and back ---- */

static void play_ping(board *board, int side, int sides)
{
    begin_together(board, sides);
    double began = now_s();
    for (uint32_t i = 0; i < PINGS; i++) {
        if ((i & 1) == (uint32_t)side)
            atomic_store_explicit(&board->ball, i + 1, memory_order_release);
        else
            while (atomic_load_explicit(&board->ball, memory_order_acquire) != i + 1)
                relax();
    }
    if (side == 0)
        board->result[0] = (now_s() - began) / PINGS * 1e9;
}

/* ---- a sleeper woken ---- */

static void wait_for_ball(board *board, uint32_t value)
{
    uint32_t seen;

    while ((seen = atomic_load(&board->ball)) != value)
        syscall(SYS_futex, &board->ball, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void play_wake(board *board, int side, int sides)
{
    begin_together(board, sides);
    double began = now_s();
    for (uint32_t i = 0; i < WAKES; i++) {
        if ((i & 1) == (uint32_t)side) {
            atomic_store(&board->ball, i + 1);
            syscall(SYS_futex, &board->ball, FUTEX_WAKE, 1, NULL, NULL, 0);
        } else {
            wait_for_ball(board, i + 1);
        }
    }
    if (side == 0)
        board->result[0] = (now_s() - began) / WAKES * 1e6;
}

/* ---- bandwidth ---- */

static uint64_t sum_of(const uint64_t *from, size_t words)
{
    uint64_t sums[8] = { 0 };

    for (size_t i = 0; i + 8 <= words; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += from[i + (size_t)k];
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

typedef enum motion { READ, WRITE, COPY, COPY_CACHED } motion;

static double time_motion(motion motion, unsigned char *a, unsigned char *b)
{
    static _Thread_local volatile uint64_t sink;
    size_t bytes = motion == COPY_CACHED ? CACHED_BYTES : LARGE_BYTES;
    int rounds = motion == COPY_CACHED ? 200 : 1;
    double began = now_s();

    for (int i = 0; i < rounds; i++) {
        if (motion == READ)
            sink = sum_of((const uint64_t *)(const void *)a, bytes / 8);
        else if (motion == WRITE)
            memset(a, i + 1, bytes);
        else
            memcpy(b, a, bytes);
    }
    (void)sink;
    return (double)(bytes * (motion >= COPY ? 2 : 1)) * rounds / (now_s() - began) / 1e9;
}

static void move(board *board, int side, int sides, motion motion)
{
    unsigned char *a = malloc(LARGE_BYTES), *b = malloc(LARGE_BYTES);
    double best = 0;

    if (!a || !b)
        _exit(1);
    memset(a, 1, LARGE_BYTES);
    memset(b, 2, LARGE_BYTES);
    begin_together(board, sides);
    for (int i = 0; i < 3; i++) {
        double gbps = time_motion(motion, a, b);
        best = gbps > best ? gbps : best;
    }
    board->result[side] = best;
    free(a);
    free(b);
}

static void move_read(board *board, int side, int sides)
{
    move(board, side, sides, READ);
}

static void move_write(board *board, int side, int sides)
{
    move(board, side, sides, WRITE);
}

static void move_copy(board *board, int side, int sides)
{
    move(board, side, sides, COPY);
}

static void move_cached(board *board, int side, int sides)
{
    move(board, side, sides, COPY_CACHED);
}

static double best_of(stroke_fn stroke, int sides)
{
    double best = NAN;

    for (int i = 0; i < TRIES; i++)
        best = fmin(best, run(stroke, sides));
    return best;
}

bench_limits bench_measure_limits(void)
{
    return (bench_limits){
        .ping_ns = best_of(play_ping, 2),
        .wake_us = best_of(play_wake, 2),
        .read_gbps = { run(move_read, 1), run(move_read, 2) },
        .write_gbps = { run(move_write, 1), run(move_write, 2) },
        .copy_gbps = { run(move_copy, 1), run(move_copy, 2) },
        .cache_copy_gbps = run(move_cached, 1),
    };
}
