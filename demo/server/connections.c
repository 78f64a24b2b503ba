/* The list of connections.h, under one lock. A socket is shut, never closed: libmicrohttpd does that, after
 * it has told us, and a number is of use only while it is in the list. */
#define _GNU_SOURCE
#include "connections.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "metrics.h"

enum { MOST = 4096, OWN_DESCRIPTORS = 64, LOOK_MS = 250 };

#define NS_PER_S 1000000000LL
#define SERVED INT64_MAX

typedef struct guest {
    int socket;
    int64_t silent_since_ns; /* SERVED: it is our turn */
    struct guest *next, **from;
} guest;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t end;
    pthread_t thread;
    guest *first;
    unsigned count, most;
    bool running, ending;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .end = PTHREAD_COND_INITIALIZER };

unsigned connections_most(void)
{
    struct rlimit limit;

    all.most = MOST;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        rlim_t wanted = MOST + OWN_DESCRIPTORS;

        if (limit.rlim_cur < wanted) {
            limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
            setrlimit(RLIMIT_NOFILE, &limit);
            getrlimit(RLIMIT_NOFILE, &limit);
        }
        if (limit.rlim_cur < wanted)
            all.most = limit.rlim_cur > 2 * OWN_DESCRIPTORS ? (unsigned)limit.rlim_cur - OWN_DESCRIPTORS
                                                            : OWN_DESCRIPTORS;
    }
    return all.most;
}

/* With the lock held. */
static bool is_full(void)
{
    return all.count >= all.most - all.most / 16;
}

bool connections_full(void)
{
    pthread_mutex_lock(&all.lock);
    bool full = is_full();
    pthread_mutex_unlock(&all.lock);
    return full;
}

static void *look(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&all.lock);
    while (!all.ending) {
        struct timespec until;
        int64_t patience_ns = (is_full() ? CONNECTION_HURRY_S : CONNECTION_PATIENCE_S) * NS_PER_S;
        int64_t latest_ns = monotonic_ns() - patience_ns;

        for (guest *each = all.first; each; each = each->next)
            if (each->silent_since_ns < latest_ns)
                shutdown(each->socket, SHUT_RDWR);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / NS_PER_S;
        until.tv_nsec %= NS_PER_S;
        pthread_cond_timedwait(&all.end, &all.lock, &until);
    }
    pthread_mutex_unlock(&all.lock);
    return NULL;
}

bool connections_start(void)
{
    all.ending = false;
    all.running = pthread_create(&all.thread, NULL, look, NULL) == 0;
    return all.running;
}

void connections_stop(void)
{
    if (!all.running)
        return;
    pthread_mutex_lock(&all.lock);
    all.ending = true;
    pthread_cond_signal(&all.end);
    pthread_mutex_unlock(&all.lock);
    pthread_join(all.thread, NULL);
    all.running = false;
}

static void add(guest *added)
{
    added->next = all.first;
    added->from = &all.first;
    if (all.first)
        all.first->from = &added->next;
    all.first = added;
    all.count++;
}

static void take_out(guest *taken)
{
    *taken->from = taken->next;
    if (taken->next)
        taken->next->from = taken->from;
    all.count--;
}

void connections_notify(void *arg, struct MHD_Connection *connection, void **state,
                        enum MHD_ConnectionNotificationCode code)
{
    (void)arg;
    pthread_mutex_lock(&all.lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        guest *arrived = calloc(1, sizeof *arrived);

        if (arrived) { /* without: it is watched by libmicrohttpd's own limit only */
            arrived->socket =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
            arrived->silent_since_ns = monotonic_ns();
            add(arrived);
        }
        *state = arrived;
    } else if (*state) {
        take_out(*state);
        free(*state);
        *state = NULL;
    }
    pthread_mutex_unlock(&all.lock);
}

static void set_silent_since(struct MHD_Connection *connection, int64_t since_ns)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    guest *guest = info ? info->socket_context : NULL;

    pthread_mutex_lock(&all.lock);
    if (guest)
        guest->silent_since_ns = since_ns;
    pthread_mutex_unlock(&all.lock);
}

void connections_served(struct MHD_Connection *connection)
{
    set_silent_since(connection, SERVED);
}

void connections_idle(struct MHD_Connection *connection)
{
    set_silent_since(connection, monotonic_ns());
}
