/* Counts the threads in functions of the program, for combining.h. */
#include "bindings/python/src/combining.h"

static _Thread_local bool combining;
static int threads_combining; /* the interpreter's lock is its lock; each call looks here first */

void combining_begin(void)
{
    combining = true;
    threads_combining++;
}

void combining_end(void)
{
    threads_combining--;
    combining = false;
}

bool is_combining(void)
{
    return threads_combining > 0 && combining;
}

PyObject *refuse_combining(void)
{
    PyErr_SetString(state_of_module()->errors[MUSTER_OK],
                    "the function of a muster.Op has called muster: it runs within a call, and only combines "
                    "what it is given");
    return NULL;
}
