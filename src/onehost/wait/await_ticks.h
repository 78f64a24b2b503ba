/*
 * What a wait for pending operations does at each tick: it looks in each of their groups for deaths, for wait
 * cycles, and for members that are needed and have left. A test does the same now and then.
 */
#ifndef MST_AWAIT_TICKS_H
#define MST_AWAIT_TICKS_H

#include "src/onehost/wait/pending.h"

/* What is waited for. */
typedef struct mst_awaited_requests {
    mst_wait_set *set;
    mst_group *only;    /* in which all of them are; NULL: there are several groups */
    size_t next;        /* the first pending request */
    bool alone;         /* only `next` can end the wait */
    mst_pending *shown; /* has an activity */
} mst_awaited_requests;

/* The operation of a request that is not over: one that mst_awaited_next finds. */
mst_pending *mst_awaited_find(const muster_request *request);

/* The first request from there on that is not over; the count: none. */
size_t mst_awaited_next(const mst_wait_set *set, size_t from);

/* Whether there is one behind the next. */
bool mst_awaited_has_more(const mst_awaited_requests *awaited);

/* The only group of a set; NULL: there are several, or none. */
mst_group *mst_awaited_only(const mst_wait_set *set);

/* Calls `fn` for each group of what is awaited, until it returns true; returns whether it did. */
bool mst_awaited_each_group(const mst_awaited_requests *awaited, bool (*fn)(mst_group *group, void *arg),
                            void *arg);

/* The same, once for each class of a group that this thread is in. */
bool mst_awaited_each_call(const mst_wait_set *set,
                           bool (*fn)(mst_group *group, muster_call_class class, void *arg), void *arg);

/* Publishes the activity of the next request, unless it is published, or another thread's is. */
void mst_awaited_show(mst_awaited_requests *awaited);

/* Ends the activity of an operation that is not the one that has ended. */
void mst_awaited_hide(const mst_pending *shown);

/* What the wait does besides sleeping; `awaited` must exist as long. */
mst_watch mst_awaited_watch(mst_awaited_requests *awaited);

/* Does that for a program that tests and never waits. */
void mst_pending_look_around(mst_pending *pending);

#endif
