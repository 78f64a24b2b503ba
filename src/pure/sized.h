/*
 * Public structs that grow: a program and the library may be of different versions, which differ in
 * the size of such a struct. It begins with struct_size, the size in the version of the program; new fields
 * are appended, and zero means the default. A longer struct than ours is accepted if the excess is zero.
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

/* Copies our struct, *from, of `bytes`, into the caller's, up to the caller's size; a longer one is filled
 * with zeros. Keeps its struct_size. */
void mst_sized_give(void *given, const void *from, size_t bytes);

#endif
