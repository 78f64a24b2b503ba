/*
 * What is checked before an object is mapped as an arena: the object, then what its header says. Both are
 * read through the descriptor, so a bad object cannot cause a fault; the header is copied once, and not read
 * again.
 */
#ifndef MST_CHECK_H
#define MST_CHECK_H

#include "muster/muster.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"

#define MST_STAGING_BYTES_MIN 8192 /* a slot (staging.h) holds at least one element of every rank */
#define MST_STAGING_BYTES_MAX (256ULL << 20)

/* What keeps the object from shrinking under its ranks. */
typedef enum mst_arena_kind {
    MST_ARENA_SEALED, /* the system: a memfd */
    MST_ARENA_NAMED,  /* nothing: a file that has, or had, a name in the folder of named objects */
    MST_ARENA_HUGE /* nothing, but no path leads to it: a file of a file system of its own, of large pages */
} mst_arena_kind;

/* A shared memory object of this user, inaccessible to others. */
muster_status mst_arena_check_object(int fd, mst_os_object_info *info);

/* That, and a finished arena for `size` ranks, of our layout; gives a copy of its header. */
#define MST_ARENA_ANY_SIZE 0
muster_status mst_arena_check(int fd, int size, mst_header *header);

#endif
