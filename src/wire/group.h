/* Groups over frames: making them, and what breaks them. With the wire's lock. */
#ifndef MST_WIRE_GROUP_H
#define MST_WIRE_GROUP_H

#include "src/wire/inside.h"

/* A group of these processes, without a number, which nobody knows yet; NULL: no memory. */
mst_wire_group *mst_wire_group_create(mst_wire *wire, const int *seats, int size, int rank,
                                      const muster_group *like);
void mst_wire_group_destroy(mst_wire_group *group);

/* Frames find it from now on. */
void mst_wire_group_enlist(mst_wire_group *group, uint64_t number);

/* The member has closed the group, or this process has, which destroys it when all have. */
void mst_wire_group_gone(mst_wire_group *group, int rank);
void mst_wire_group_close(mst_wire_group *group);

/* Tells all members what has broken the group, before they learn that this one is gone. */
void mst_wire_group_pass_on(mst_wire_group *group);

/* Whether the member needs the group no longer. */
bool mst_wire_is_gone(const mst_wire_group *group, int rank);

/* A member in words: "rank 3 on host b", or "rank 3". */
#define MST_WIRE_NAME_BYTES 96
void mst_wire_name(const mst_wire_group *group, int rank, char *text);

/* What breaks it, with its sentence; MUSTER_OK: nothing. */
muster_status mst_wire_explain(const mst_wire_group *group);

/* The first reason stays, and all members are told. Returns what it is broken by. */
muster_status mst_wire_break(mst_wire_group *group, int about, muster_status status, int64_t limit_ns,
                             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* MISMATCH of two ranks: on the first it is about the other. */
muster_status mst_wire_break_pair(mst_wire_group *group, int rank, int other, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Another member has told it. */
void mst_wire_told_broken(mst_wire_group *group, const mst_wire_reason *reason);

/* An error becomes that of the group. */
muster_status mst_wire_in_group(const muster_group *group, muster_status status);

#endif
