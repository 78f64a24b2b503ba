/*
 * What every call on a group begins and ends with: whose group it is, and one thread at a time in each class
 * of calls.
 */
#ifndef MST_ENTER_H
#define MST_ENTER_H

#include "src/backend.h"

/* INVALID for NULL, FORKED in a forked child of the rank. */
muster_status mst_check_group(const muster_group *group);

/* The same, and takes the class: BUSY while another thread has it. */
muster_status mst_enter(muster_group *group, muster_call_class class);
void mst_leave(muster_group *group, muster_call_class class);

/* What to return for arguments that make no sense, with that sentence said already: a group that is broken
 * says so first. */
muster_status mst_refuse(const muster_group *group, muster_status status);

/* INVALID: there is no place for what the call makes. */
muster_status mst_check_place(const void *place, const char *what);

#endif
