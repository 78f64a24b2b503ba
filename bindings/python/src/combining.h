/* Functions of the program that combine elements, for a muster.Op: whether one runs. */
#ifndef MUSTER_PYTHON_COMBINING_H
#define MUSTER_PYTHON_COMBINING_H

#include "bindings/python/src/state.h"

/* Around each call of such a function, with the interpreter's lock. */
void combining_begin(void);
void combining_end(void);

/* Whether this thread is in one. It has locks of muster's, so it must not call muster. */
bool is_combining(void);

/* Raises the exception of a call from such a function; returns NULL. */
PyObject *refuse_combining(void);

#endif
