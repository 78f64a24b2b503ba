/*
 * Public structs that grow: a program and the library may be of different versions, so each has its own idea
 * of how long such a struct is. It begins with struct_size, the size that its writer knows; new fields are
 * appended, and zero means the default. What is longer than we know is accepted as long as it is zero.
 */
#ifndef MST_SIZED_H
#define MST_SIZED_H

#include "muster/muster.h"

/*
 * Copies the caller's struct into ours, *to, of `bytes`: fields that the caller does not know are zero.
 * INVALID, with `initialiser` in the sentence, when `given` is NULL or its size is not set, or a field is set
 * that this version does not know.
 */
muster_status mst_sized_take(void *to, size_t bytes, const void *given, const char *initialiser);

/* Fills in the caller's struct from ours, *from, of `bytes`, as far as the caller's goes; what it has beyond
 * ours becomes zero. Its struct_size stays. */
void mst_sized_give(void *given, const void *from, size_t bytes);

#endif
