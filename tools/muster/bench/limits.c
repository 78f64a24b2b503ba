/*
 * The limits of this machine, measured with nothing of muster's: two processes, a page they share, and
 * plain memory. Each figure is the best of a few tries, since only disturbance makes it worse.
 */
#define _GNU_SOURCE
#include "tools/muster/bench/limits.h"

#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 7
#define PINGS 20000
#define WAKES 50
#define TRY_S 0.5   /* a try ends by then, with what it has: on one CPU a ping takes a time slice */
#define COME_S 30.0 /* for the other side to begin */
#define SPINS 1000  /* between two looks at the clock */
#define NAP_NS 20000000
#define LARGE_BYTES (128UL << 20)
#define CACHED_BYTES (128UL << 10)

typedef struct board {
    _Alignas(128) _Atomic uint32_t ball;
    _Alignas(128) _Atomic uint32_t ready;
    _Alignas(128) _Atomic uint32_t over; /* for one of the sides, and so for both */
    double result[2];
    pid_t child; /* side 1 */
} board;

/* False: it has not been measured, and `why` of this side says why. */
typedef bool (*stroke_fn)(board *board, int side, int sides);

#define LEFT_ALONE "a second process for it ended, or got no CPU"

static const char *why; /* the latest failure; NULL: none yet */

static bool fail(const char *reason)
{
    why = reason;
    return false;
}

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

/* ---- two sides ---- */

/* A child is killed when its parent ends, so that nobody waits for ever. */
static _Noreturn void play_child(stroke_fn stroke, board *board, int sides, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    bool done = stroke(board, 1, sides);
    if (!done)
        atomic_store(&board->over, 1);
    _exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool has_child_ended(const board *board)
{
    siginfo_t ended = { 0 };

    return waitid(P_PID, (id_t)board->child, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid != 0;
}

static bool play_parent(stroke_fn stroke, board *board, int sides)
{
    int status = 0;
    bool done = stroke(board, 0, sides);

    if (board->child <= 0)
        return done;
    if (!done)
        kill(board->child, SIGKILL);
    while (waitpid(board->child, &status, 0) < 0 && errno == EINTR)
        ;
    return done && (status == 0 || fail(LEFT_ALONE));
}

/* Runs `stroke` in one process or two that begin together; the sum of what they report. */
static double run(stroke_fn stroke, int sides)
{
    board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    double sum = NAN;

    if (board == MAP_FAILED) {
        fail("out of memory");
        return NAN;
    }
    pid_t child = sides > 1 ? fork() : 0;
    if (child == 0 && sides > 1)
        play_child(stroke, board, sides, parent);
    board->child = child;
    if (child < 0)
        fail("no process can be started");
    else if (play_parent(stroke, board, sides))
        sum = board->result[0] + board->result[1];
    munmap(board, sizeof *board);
    return sum;
}

/* Between two spins of a wait: lets others run, such as the other side; false: it will not come. */
static bool pause_wait(const board *board, int side, double until_s)
{
    sched_yield();
    if (side == 0 && has_child_ended(board))
        return false;
    return !atomic_load(&board->over) && now_s() < until_s;
}

static bool begin_together(board *board, int side, int sides)
{
    double until_s = now_s() + COME_S;

    atomic_fetch_add(&board->ready, 1);
    for (uint32_t spins = 1; atomic_load(&board->ready) < (uint32_t)sides; spins++) {
        relax();
        if (spins % SPINS == 0 && !pause_wait(board, side, until_s))
            return fail(LEFT_ALONE);
    }
    return true;
}

/* That `count` strokes took so long; false: they are none, for the first does not need the other side. */
static bool report(board *board, int side, double s, uint32_t count)
{
    atomic_store(&board->over, 1);
    if (side == 0)
        board->result[0] = s / count;
    return count > 1 || fail(LEFT_ALONE);
}

/* ---- a cache line there and back ---- */

static bool await_ball(board *board, int side, uint32_t value, double until_s)
{
    for (uint32_t spins = 1; atomic_load_explicit(&board->ball, memory_order_acquire) != value; spins++) {
        relax();
        if (spins % SPINS == 0 && !pause_wait(board, side, until_s))
            return false;
    }
    return true;
}

static bool play_ping(board *board, int side, int sides)
{
    uint32_t i = 0;

    if (!begin_together(board, side, sides))
        return false;
    double began = now_s();
    for (; i < PINGS; i++) {
        if ((i & 1) == (uint32_t)side)
            atomic_store_explicit(&board->ball, i + 1, memory_order_release);
        else if (!await_ball(board, side, i + 1, began + TRY_S))
            break;
    }
    return report(board, side, (now_s() - began) * 1e9, i);
}

/* ---- a sleeper woken ---- */

static bool sleep_for_ball(board *board, int side, uint32_t value, double until_s)
{
    static const struct timespec nap = { 0, NAP_NS };
    uint32_t seen;

    while ((seen = atomic_load(&board->ball)) != value) {
        bool late =
            syscall(SYS_futex, &board->ball, FUTEX_WAIT, seen, &nap, NULL, 0) < 0 && errno == ETIMEDOUT;

        if (late && !pause_wait(board, side, until_s))
            return false;
    }
    return true;
}

static bool play_wake(board *board, int side, int sides)
{
    uint32_t i = 0;

    if (!begin_together(board, side, sides))
        return false;
    double began = now_s();
    for (; i < WAKES; i++) {
        if ((i & 1) == (uint32_t)side) {
            atomic_store(&board->ball, i + 1);
            syscall(SYS_futex, &board->ball, FUTEX_WAKE, 1, NULL, NULL, 0);
        } else if (!sleep_for_ball(board, side, i + 1, began + TRY_S)) {
            break;
        }
    }
    return report(board, side, (now_s() - began) * 1e6, i);
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

static bool move(board *board, int side, int sides, motion motion)
{
    unsigned char *a = malloc(LARGE_BYTES), *b = malloc(LARGE_BYTES);
    double best = 0;

    bool done = (a && b) || fail("out of memory");
    if (done) {
        memset(a, 1, LARGE_BYTES);
        memset(b, 2, LARGE_BYTES);
        done = begin_together(board, side, sides);
    }
    for (int i = 0; done && i < 3; i++) {
        double gbps = time_motion(motion, a, b);
        best = gbps > best ? gbps : best;
    }
    board->result[side] = best;
    free(a);
    free(b);
    return done;
}

static bool move_read(board *board, int side, int sides)
{
    return move(board, side, sides, READ);
}

static bool move_write(board *board, int side, int sides)
{
    return move(board, side, sides, WRITE);
}

static bool move_copy(board *board, int side, int sides)
{
    return move(board, side, sides, COPY);
}

static bool move_cached(board *board, int side, int sides)
{
    return move(board, side, sides, COPY_CACHED);
}

static double best_of(stroke_fn stroke, int sides)
{
    const char *before = why;
    double best = NAN;

    for (int i = 0; i < TRIES; i++)
        best = fmin(best, run(stroke, sides));
    if (!isnan(best))
        why = before;
    return best;
}

bench_limits bench_measure_limits(void)
{
    why = NULL;
    bench_limits limits = {
        .ping_ns = best_of(play_ping, 2),
        .wake_us = best_of(play_wake, 2),
        .read_gbps = { run(move_read, 1), run(move_read, 2) },
        .write_gbps = { run(move_write, 1), run(move_write, 2) },
        .copy_gbps = { run(move_copy, 1), run(move_copy, 2) },
        .cache_copy_gbps = run(move_cached, 1),
    };
    limits.why = why;
    return limits;
}
