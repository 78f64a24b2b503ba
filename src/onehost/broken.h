/*
 * Groups that are broken: poison into sentences, and what a wait that failed means.
 *
 * When a wait fails, the reason is turned into poison for all members, and the poison into a sentence. The
 * first reason stays.
 */
#ifndef MST_BROKEN_H
#define MST_BROKEN_H

#include "src/onehost/group.h"

/* Whether a call may begin: looks for members that have ended since the last one of that class. What the
 * group is broken by, with its sentence, if it is. */
muster_status mst_group_ready(mst_group *group, muster_call_class class);

/* The status that the group is broken by, with its sentence; MUSTER_OK when it is not. */
muster_status mst_group_broken(const mst_group *group);

/* What a wait that did not succeed means: the poison, or, past the deadline, poisons the group.
 * `doing` names the operation, `missing` says who has not come. */
muster_status mst_group_wait_failed(mst_group *group, mst_wait_result result, const char *doing,
                                    const char *missing);

/* What a wait means that `interrupted` has ended. */
muster_status mst_group_interrupted(const mst_group *group, const char *doing);

/* Breaks the group, with a sentence that all members will see, and returns what it is now broken by:
 * another rank may have been first. */
muster_status mst_group_poison(mst_group *group, mst_poison_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without a sentence: what has happened to `rank` says enough. */
void mst_group_spread(mst_group *group, mst_poison_kind kind, int rank, int code);

/* For the API's table. */
muster_status mst_group_status(const muster_group *group);
void mst_group_abort(muster_group *group, const char *reason);

#endif
