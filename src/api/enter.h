/*
 * What every call on a group begins and ends with: the checks that the group is this process's, and that only
 * one thread is in each call class.
 */
#ifndef MST_ENTER_H
#define MST_ENTER_H

#include "src/backend.h"

/* INVALID for NULL, FORKED in a forked child of the rank. */
muster_status mst_check_group(const muster_group *group);

/* The same, and enters the class: BUSY while another thread is in it. */
muster_status mst_enter(muster_group *group, muster_call_class class);
void mst_leave(muster_group *group, muster_call_class class);

/* The same at the end of a call: an error's parts get its name. */
muster_status mst_end(muster_group *group, muster_call_class class, const char *name, muster_status status);

/* BUSY, with its sentence. */
muster_status mst_refuse_second_thread(void);

/* The status for invalid arguments, whose sentence has been recorded: if the group is broken, that is
 * reported instead. */
muster_status mst_refuse(const muster_group *group, muster_status status);

/* INVALID if `place`, where the call should store its result, is NULL. */
muster_status mst_check_place(const void *place, const char *what);

#endif
