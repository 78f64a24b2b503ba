/*
 * Parking with nothing but nanosleep: poll the word, with sleeps that grow from 50 us to 1 ms. Waking needs
 * no call; the cost is up to 1 ms of latency and a thousand polls per second and waiter. There are no death
 * words here: dead processes are found by their watches. A starting point for systems without futexes.
 */
#define _POSIX_C_SOURCE 200809L
#include "shm/port/os.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#define NAP_FIRST_NS 50000LL
#define NAP_LAST_NS 1000000LL

void mst_os_park(const _Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    int64_t nap_ns = NAP_FIRST_NS;

    while (timeout_ns > 0 && atomic_load_explicit(word, memory_order_acquire) == seen) {
        int64_t slept_ns = nap_ns < timeout_ns ? nap_ns : timeout_ns;
        struct timespec nap = { slept_ns / MST_NS_PER_S, slept_ns % MST_NS_PER_S };

        nanosleep(&nap, NULL);
        timeout_ns -= slept_ns;
        nap_ns = nap_ns < NAP_LAST_NS ? nap_ns * 2 : NAP_LAST_NS;
    }
}

void mst_os_unpark_all(const _Atomic uint32_t *word)
{
    (void)word;
}

const char *mst_os_park_name(void)
{
    return "portable";
}

/* ---- not supported here ---- */

int mst_os_park_on_any(const mst_os_watched_word *words, size_t count, int64_t timeout_ns)
{
    (void)words, (void)count, (void)timeout_ns;
    return -ENOSYS;
}

int mst_os_death_word_raise(mst_os_death_word *death_word, _Atomic uint32_t *word)
{
    (void)death_word, (void)word;
    return -ENOSYS;
}

void mst_os_death_word_lower(mst_os_death_word *death_word, _Atomic uint32_t *word)
{
    (void)death_word, (void)word;
}

bool mst_os_death_word_fell(uint32_t value)
{
    return (value & 0x40000000) != 0; /* FUTEX_OWNER_DIED: peers may have been built with futexes */
}
