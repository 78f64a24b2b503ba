/*
 * What observers outside the job see of groups over several hosts, in the arena of this host: which ranks of
 * the job are in a group, what this rank does in it, for whom on other hosts it waits, and what it has done.
 * Of a group that is all on this host the local group shows all itself.
 */
#ifndef MST_HOSTS_SHOWING_H
#define MST_HOSTS_SHOWING_H

#include "src/hosts/actions.h"

/* A group has been made. */
void mst_hosts_show_group(mst_hosts_group *group);
/* Observers see nothing of what is done in it. */
void mst_hosts_hide(muster_group *inner);

/* A wait of the thread in that class, of so many requests, which have ranks at their other ends. */
void mst_hosts_show_awaited(mst_hosts_group *group, const muster_request *requests, const int *peers,
                            size_t count);

/* A wait for these members, of which any on other hosts may be late. */
void mst_hosts_show_members(mst_hosts_group *group, const int *ranks, int count);

/* A collective, with the group's lock: the thread that is in its call, or waits for it; nobody does. It is
 * recorded when it is completed, by a call that has begun at entered_ns. */
void mst_hosts_show_run(const mst_run *run);
void mst_hosts_unshow_run(mst_hosts_group *group);
void mst_hosts_record_run(const mst_run *run);
/* It has been started. */
void mst_hosts_show_started(const mst_run *run);

/* A call of another class: shows it, unless another thread's is shown, and records it when it is over. */
typedef struct mst_hosts_showing {
    mst_hosts_group *group;
    mst_shown what;
    bool shown;
    int64_t entered_ns;
} mst_hosts_showing;
void mst_hosts_show_begin(mst_hosts_showing *showing, mst_hosts_group *group, mst_shown_kind kind,
                          muster_call_class class, const mst_message *message);
void mst_hosts_show_end(mst_hosts_showing *showing, bool succeeded);

int64_t mst_hosts_now_ns(void);

#endif
