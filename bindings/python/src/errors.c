/* Makes, raises and keeps exceptions, for errors.h. */
#include "bindings/python/src/errors.h"

#include <string.h>

/* Takes over `value`; false: there is none, or it cannot be set. */
static bool set_part(PyObject *error, const char *name, PyObject *value)
{
    bool set = value && PyObject_SetAttrString(error, name, value) == 0;

    Py_XDECREF(value);
    return set;
}

static PyObject *text_or_none(const char *text)
{
    return text[0] ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace") : Py_NewRef(Py_None);
}

static PyObject *number_or_none(bool known, long number)
{
    return known ? PyLong_FromLong(number) : Py_NewRef(Py_None);
}

/* The parts of the error, which programs decide by; what is not known is None. */
static bool add_parts(PyObject *error, muster_status status, const muster_error_info *info)
{
    muster_termination ended = info->termination;
    char words[120] = "";

    if (ended.kind != MUSTER_TERMINATION_NONE)
        muster_termination_describe(ended, words, sizeof words);
    return set_part(error, "status", text_or_none(muster_status_string(status))) &&
           set_part(error, "rank", number_or_none(info->rank >= 0, info->rank)) &&
           set_part(error, "termination", text_or_none(words)) &&
           set_part(error, "signal", number_or_none(ended.kind == MUSTER_TERMINATION_SIGNALED, ended.code)) &&
           set_part(error, "exit_status",
                    number_or_none(ended.kind == MUSTER_TERMINATION_EXITED, ended.code)) &&
           set_part(error, "operation", text_or_none(info->operation)) &&
           set_part(error, "group", text_or_none(info->group_name)) &&
           set_part(error, "deadline",
                    info->deadline_ns ? PyFloat_FromDouble((double)info->deadline_ns / 1e9)
                                      : Py_NewRef(Py_None));
}

/* What sentences for C programs name, as Python has it. */
static PyObject *in_words_of_python(PyObject *words)
{
    static const char *const rows[][2] = {
        { "muster_wait on each, then free", "wait() on each Request, then leave" },
        { "MUSTER_COLOR_NONE", "-1" },
        { "MUSTER_FLOAT32_INT32", "float32_int32" },
        { "muster_op_create", "muster.Op" },
        { "with muster_op_free", "by letting go of their muster.Op" },
        { "muster_init", "muster.init" },
    };

    for (size_t i = 0; words && i < sizeof rows / sizeof rows[0]; i++) {
        PyObject *said = PyObject_CallMethod(words, "replace", "ss", rows[i][0], rows[i][1]);

        Py_DECREF(words);
        words = said;
    }
    return words;
}

PyObject *raise_status(muster_status status)
{
    return raise_status_and(status, "");
}

PyObject *raise_status_and(muster_status status, const char *more)
{
    PyObject *type = state_of_module()->errors[status] ? state_of_module()->errors[status]
                                                       : state_of_module()->errors[MUSTER_OK];
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    char sentence[800];

    if (PyErr_Occurred()) /* a signal handler's, which ended the wait */
        return NULL;
    PyOS_snprintf(sentence, sizeof sentence, "%s%s",
                  muster_error_detail()[0] ? muster_error_detail() : muster_status_string(status), more);
    muster_last_error(&info);
    PyObject *words =
        in_words_of_python(PyUnicode_DecodeUTF8(sentence, (Py_ssize_t)strlen(sentence), "replace"));
    PyObject *error = words ? PyObject_CallFunctionObjArgs(type, words, NULL) : NULL;
    if (error && add_parts(error, status, &info))
        PyErr_SetObject(type, error);
    Py_XDECREF(words);
    Py_XDECREF(error);
    return NULL;
}

PyObject *take_exception(void)
{
    PyObject *type, *exception, *traceback;

    PyErr_Fetch(&type, &exception, &traceback);
    if (!type)
        return NULL;
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback)
        PyException_SetTraceback(exception, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return exception;
}

PyObject *raise_again(PyObject *exception)
{
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return NULL;
}

static bool add_error(PyObject *module, muster_status status, const char *name, PyObject *base,
                      const char *doc)
{
    char whole[64];

    PyOS_snprintf(whole, sizeof whole, "muster.%s", name);
    state_of_module()->errors[status] = PyErr_NewExceptionWithDoc(whole, doc, base, NULL);
    return state_of_module()->errors[status] &&
           PyModule_AddObjectRef(module, name, state_of_module()->errors[status]) == 0;
}

bool make_errors(PyObject *module)
{
    static const char *const parts[] = { "rank",      "termination", "signal",   "exit_status",
                                         "operation", "group",       "deadline", "status" };
    static const struct {
        muster_status status;
        const char *name, *doc;
    } rows[] = {
        { MUSTER_ERR_PEER_DIED, "PeerDiedError",
          "A rank died or left while others needed it; the message says how." },
        { MUSTER_ERR_TIMED_OUT, "TimedOutError", "The deadline that the user set has passed." },
        { MUSTER_ERR_MISMATCH, "MismatchError",
          "Ranks asked for different things; the message shows both sides." },
        { MUSTER_ERR_DEADLOCK, "DeadlockError",
          "Ranks wait for each other in a cycle, which the message spells out." },
        { MUSTER_ERR_ABORTED, "AbortedError", "A rank aborted the group, or was interrupted." },
    };

    if (!add_error(
            module, MUSTER_OK, "Error", PyExc_RuntimeError,
            "What muster's operations fail with.\n\nrank: whom it is about, in the group; termination: how "
            "that ended, in words;\nsignal, exit_status: by what number; operation: the call; group: its "
            "name;\ndeadline: the seconds that were too long; status: what has failed, as in C. None: not "
            "known."))
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) /* also of those that programs make */
        if (PyObject_SetAttrString(state_of_module()->errors[MUSTER_OK], parts[i], Py_None) != 0)
            return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!add_error(module, rows[i].status, rows[i].name, state_of_module()->errors[MUSTER_OK],
                       rows[i].doc))
            return false;
    state_of_module()->errors[MUSTER_ERR_INVALID] = Py_NewRef(PyExc_ValueError);
    state_of_module()->errors[MUSTER_ERR_NO_MEMORY] = Py_NewRef(PyExc_MemoryError);
    state_of_module()->errors[MUSTER_ERR_NO_SPACE] = Py_NewRef(PyExc_MemoryError);
    state_of_module()->errors[MUSTER_ERR_PERMISSION] = Py_NewRef(PyExc_PermissionError);
    return true;
}

bool timeout_of(PyObject *object, const char *instead, int64_t *timeout_ns)
{
    double seconds = object == Py_None ? 1 : PyFloat_AsDouble(object);

    if (PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "a timeout of %R; expected a number of seconds, or None", object);
        return false;
    }
    if (!(seconds > 0)) {
        PyErr_Format(PyExc_ValueError, "a timeout of %R seconds; expected more than 0, or None%s", object,
                     instead);
        return false;
    }
    if (object == Py_None)
        *timeout_ns = 0;
    else
        *timeout_ns = seconds >= 1e9 ? 1000000000000000000 : seconds <= 1e-9 ? 1 : (int64_t)(seconds * 1e9);
    return true;
}

PyObject *python_timeout_ns(PyObject *module, PyObject *timeout)
{
    int64_t timeout_ns;

    (void)module;
    return timeout_of(timeout, "", &timeout_ns) ? PyLong_FromLongLong(timeout_ns) : NULL;
}
