/* The signal handler of crash.h. All it calls is async-signal-safe: atomics and futex wakes. */
#define _XOPEN_SOURCE 700 /* SA_ONSTACK */
#include "src/onehost/crash.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/death/terminations.h"

#define RANKS_MAX 64 /* several threads of one process may be ranks */

static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define FATAL_COUNT (sizeof fatal / sizeof fatal[0])

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const mst_attachment *_Atomic reporting[RANKS_MAX];
static struct sigaction earlier[FATAL_COUNT];
static bool installed;

static void tell_peers(int number)
{
    for (int i = 0; i < RANKS_MAX; i++) {
        const mst_attachment *attachment = atomic_load_explicit(&reporting[i], memory_order_acquire);

        if (attachment && !mst_attachment_forked(attachment)) /* a forked child is not a rank */
            mst_termination_record(&attachment->geometry, attachment->seat,
                                   (muster_termination){ MUSTER_TERMINATION_SIGNALED, number });
    }
}

/* Tells the peers, then restores the previous handling, so that the signal has its ordinary effect. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    tell_peers(number);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        if (fatal[i] == number)
            sigaction(number, &earlier[i], NULL);
    if (info->si_code <= 0) /* sent by kill() or raise(): unlike a fault, it would not recur on return */
        raise(number);
}

static void install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        sigaction(fatal[i], &action, &earlier[i]);
    installed = true;
}

static void forget(const mst_attachment *attachment)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < RANKS_MAX; i++)
        if (reporting[i] == attachment)
            atomic_store_explicit(&reporting[i], NULL, memory_order_release);
    pthread_mutex_unlock(&lock);
}

muster_status mst_crash_report(mst_attachment *attachment)
{
    int at = 0;

    pthread_mutex_lock(&lock);
    while (at < RANKS_MAX && reporting[at] && reporting[at] != attachment)
        at++;
    if (at < RANKS_MAX) {
        atomic_store_explicit(&reporting[at], attachment, memory_order_release);
        attachment->forget = forget;
        if (!installed)
            install();
    }
    pthread_mutex_unlock(&lock);
    if (at < RANKS_MAX)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "%d ranks of this process already report their crashes, which is the maximum", RANKS_MAX);
}
