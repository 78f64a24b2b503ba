/* muster.Group objects: made, found, and asked for their group. */
#ifndef MUSTER_PYTHON_GROUP_H
#define MUSTER_PYTHON_GROUP_H

#include "bindings/python/src/state.h"

/* A Group. `group` NULL: this rank has left it. */
typedef struct group_object {
    PyObject_HEAD muster_group *group;
    muster_group *kept;                 /* the one that was left while arrays were in it; NULL: none */
    Py_ssize_t arrays;                  /* blocks of memory that are in it */
    int orphans;                        /* operations of it whose Request was dropped (orphans.h) */
    bool in_world;                      /* made of the world, whose memory it takes */
    int ranks_begun;                    /* of the state, when it was made */
    struct group_object *next, **place; /* in the list of all */
    PyObject *weak;                     /* references */
    PyObject *ends; /* what muster.torch calls at the end, as it has the group, too; NULL */
} group_object;

PyObject *wrap_group(muster_group *group);
PyObject *wrap_subgroup(PyObject *parent, muster_group *group);
void free_group(muster_group *group); /* one that no Group has */

/* Memory is in the Group `owner`, whose arrays are counted: a C group that is left while there are any stays
 * until they have gone, since they would be somebody else's memory. */
void keep_for_array(PyObject *owner);
void end_array(PyObject *owner, void *data);
bool keep_until_arrays_end(PyObject *self); /* instead of leaving it; false: it has none */

/* Of a Group: whether this process has made it, and what it has. */
bool is_own(const PyObject *group);
muster_group *group_in(const PyObject *group);

/* The C group of a Group; NULL with an exception. At the beginning of each call on a group. */
muster_group *group_of_object(PyObject *object);

/* A helper that a rank has forked may ask for its parent's number; a rank must not take it for its own. False
 * with an exception. */
bool group_may_be_asked(const PyObject *self);

/* The group is about to be freed: tells who has it, too. 1: it is in use, and who uses it frees it. -1, with
 * an exception: it is in use, and `adopt` is false. */
int tell_end(PyObject *self, bool adopt);

/* When the last reference has gone. */
void group_dealloc(PyObject *self);

PyObject *python_begin_rank(PyObject *module, PyObject *unused);
PyObject *python_end_rank(PyObject *module, PyObject *unused);

#endif
