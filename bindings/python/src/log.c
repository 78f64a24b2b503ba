/*
 * The log goes to Python's logger "muster". muster calls `keep` on any thread, within calls,
 * with or without the interpreter's lock: there no Python may run. So lines are kept, and told when the main
 * thread is back in Python, or waits and looks for signals.
 */
#include "bindings/python/src/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/src/errors.h"

typedef struct line {
    struct line *before;
    muster_log_level level;
    int rank;     /* -1: not known */
    long process; /* a fork has its parent's lines, which the parent tells */
    char text[];
} line;

enum { LINES_MAX = 10000 }; /* of a main thread that is never in Python, the rest is lost */

static _Atomic(line *) latest;
static atomic_int kept;
static atomic_long scheduled; /* the process whose main thread has been asked to tell */
static atomic_bool ended;

static int tell_later(void *unused)
{
    (void)unused;
    atomic_store(&scheduled, 0);
    return tell_log() ? 0 : -1;
}

static void keep(muster_log_level level, const char *text, void *rank)
{
    size_t bytes = strlen(text) + 1;
    line *made = NULL;

    if (atomic_load(&ended))
        return;
    if (atomic_fetch_add(&kept, 1) >= LINES_MAX || !(made = malloc(sizeof *made + bytes))) {
        atomic_fetch_sub(&kept, 1); /* what is refused takes no place */
        return;
    }
    made->level = level;
    made->rank = (int)(intptr_t)rank - 1;
    made->process = (long)getpid();
    memcpy(made->text, text, bytes);
    long process = made->process; /* made may be told, and freed, as soon as it is there */

    made->before = atomic_load(&latest);
    while (!atomic_compare_exchange_weak(&latest, &made->before, made))
        continue;
    if (atomic_exchange(&scheduled, process) != process && Py_AddPendingCall(tell_later, NULL) != 0)
        atomic_store(&scheduled, 0); /* the next line asks again */
}

static line *take_in_order(void)
{
    line *first = NULL;

    for (line *at = atomic_exchange(&latest, NULL), *before; at; at = before) {
        before = at->before;
        at->before = first;
        first = at;
    }
    return first;
}

/* NULL: an exception. */
static PyObject *tell(PyObject *emit, const line *told)
{
    return told->process == (long)getpid() && emit
               ? PyObject_CallFunction(emit, "iis", (int)told->level, told->rank, told->text)
               : Py_NewRef(Py_None);
}

bool tell_log(void)
{
    PyObject *emit = state_of_module()->emit, *before = NULL, *raised = NULL;

    if (!atomic_load(&latest))
        return true;
    before = take_exception();
    for (line *at = take_in_order(), *following; at; at = following) {
        following = at->before;
        atomic_fetch_sub(&kept, 1);
        PyObject *done = tell(emit, at);
        if (!done && !raised && !PyErr_ExceptionMatches(PyExc_Exception))
            raised = take_exception(); /* Ctrl-C, say, that came while Python ran here */
        else if (!done)
            PyErr_WriteUnraisable(emit);
        Py_XDECREF(done);
        free(at);
    }
    if (raised || before)
        raise_again(raised ? raised : before);
    Py_XDECREF(before);
    Py_XDECREF(raised);
    return !raised;
}

/* What the logger wants; -1: MUSTER_LOG says otherwise. -2: exception. */
static int wanted_level(void)
{
    PyObject *asked = PyObject_CallNoArgs(state_of_module()->log_level);
    long level = asked ? PyLong_AsLong(asked) : -2;

    Py_XDECREF(asked);
    return PyErr_Occurred() ? -2 : (int)level;
}

/* What MUSTER_LOG says; other words, which muster_init refuses, are as "off". */
static muster_log_level level_of_environment(void)
{
    static const char *const names[] = { "off", "warn", "info", "debug" };
    const char *text = getenv("MUSTER_LOG");
    int level = MUSTER_LOG_DEBUG;

    while (level > MUSTER_LOG_OFF && !(text && strcmp(text, names[level]) == 0))
        level--;
    return (muster_log_level)level;
}

bool use_log_of_world(int rank)
{
    static bool was_set; /* by an earlier init, and a log that is set stands in place of MUSTER_LOG */
    int level = wanted_level();

    if (level >= 0) {
        muster_set_log((muster_log_level)level, keep, (void *)(intptr_t)(rank + 1));
        was_set = true;
    } else if (level == -1 && was_set) {
        muster_set_log(level_of_environment(), NULL, NULL);
    }
    return level != -2;
}

bool use_log_of_config(muster_config *config)
{
    int level = wanted_level();

    if (level >= 0) {
        config->log_level = (muster_log_level)level;
        config->log = keep;
        config->log_arg = (void *)(intptr_t)(config->rank + 1);
    } else if (level == -1) { /* muster_attach does not look */
        config->log_level = level_of_environment();
    }
    return level != -2;
}

/* use_log(level, emit) of muster._log */
PyObject *python_use_log(PyObject *module, PyObject *args)
{
    module_state *state = state_of_module();

    (void)module;
    if (!PyArg_ParseTuple(args, "OO:use_log", &state->log_level, &state->emit))
        return NULL;
    Py_INCREF(state->log_level);
    Py_INCREF(state->emit);
    Py_RETURN_NONE;
}

PyObject *python_end_log(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    atomic_store(&ended, true);
    if (!tell_log())
        return NULL;
    Py_RETURN_NONE;
}
