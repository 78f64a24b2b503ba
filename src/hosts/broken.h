/*
 * Broken groups over several hosts: an error of the local group or of the link becomes the reason that all
 * members learn from the link; and watches, which look while a call waits whether to go on.
 */
#ifndef MST_HOSTS_BROKEN_H
#define MST_HOSTS_BROKEN_H

#include "src/hosts/group.h"

/* What breaks the group, with its sentence; MUSTER_OK: nothing. */
muster_status mst_hosts_broken(mst_hosts_group *group);

/* UNSUPPORTED: the group is whole as far as is known, and this thread may not reach its other hosts. */
muster_status mst_hosts_admit(mst_hosts_group *group);

/* What breaks it, or that, at the beginning of a call, or in a test: by a glance, which does not see a death
 * that nobody has noticed yet. */
muster_status mst_hosts_ready(mst_hosts_group *group);

/* What another member has told is believed to be bytes, and no more. An error; BAD_ARENA: there is none of
 * that number. A text, which may not be terminated: without control characters. */
muster_status mst_hosts_known(int32_t status);
void mst_hosts_print(const char *told, size_t told_bytes, char *text, size_t bytes);

/* Breaks the group, unless it is broken, and returns what it is broken by. */
muster_status mst_hosts_break(mst_hosts_group *group, int about, muster_status status, const char *format,
                              ...) __attribute__((format(printf, 4, 5)));
/* MISMATCH of two ranks: the error is about the first, and on that one about the other. */
muster_status mst_hosts_break_pair(mst_hosts_group *group, int rank, int other, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The status, and the thread's latest error, of the local group or of the link: becomes the group's. `doing`:
 * in words. */
muster_status mst_hosts_failed(mst_hosts_group *group, muster_status status, const char *doing);

/* The same of the group that carries messages, whose errors are the group's in words, too. */
muster_status mst_hosts_message_failed(mst_hosts_group *group, muster_status status);

/* Waits as link.h says, in a call of that class: several for one thing have one limit together. */
typedef struct mst_hosts_watching {
    muster_call_class class;
    uint64_t of; /* the thing; 0: this wait alone */
    int64_t limit_ns;
    const char *doing;
    const int *peers; /* of each request; NULL: none */
} mst_hosts_watching;
void mst_hosts_watch_begin(mst_hosts_group *group, const mst_hosts_watching *wait,
                           const muster_request *requests, size_t count);
void mst_hosts_watch_end(mst_hosts_group *group, muster_call_class class);

/* A call begins, whose waits are not those of an earlier call. */
void mst_hosts_watch_anew(mst_hosts_group *group, muster_call_class class);

/* What is left of the limit itself, without what is added to it; at least 1 ms. */
int64_t mst_hosts_watch_left_ns(const mst_hosts_group *group, muster_call_class class);

/* Ends what was started in a broken group, by way of the link or in the local group, whose memory may go away
 * then. It has an end since the group is broken: also without memory for a wait. */
void mst_hosts_end(mst_hosts_group *group, mst_link *link, muster_request *started, size_t count);

/* How long a wait for what another host must do lasts beyond a limit, so that whoever knows better which rank
 * is late tells it first. */
int64_t mst_hosts_grace_ns(int64_t limit_ns);

/* The interrupt function of the local group and of those of the link; `arg` is the group. */
bool mst_hosts_look(void *arg);

/* A test advances runs with locks held, and operations in it look. This thread then looks when it has let go
 * of them, if it calls the second: no function of the program is called with a lock held. */
void mst_hosts_lock(pthread_mutex_t *lock);
bool mst_hosts_try_to_lock(pthread_mutex_t *lock);
void mst_hosts_unlock(pthread_mutex_t *lock);
void mst_hosts_look_if_owed(mst_hosts_group *group);

/* For the backend's table. */
muster_status mst_hosts_status(const muster_group *group);
void mst_hosts_abort(muster_group *group, const char *reason);

#endif
