// Errors and signals, of errors.h.
#include "errors.h"

#include <unistd.h>

namespace muster_torch
{

const char *const DESTROYED = "the process group has been destroyed";

namespace
{

thread_local int uninterrupted; // how many are on this thread

PyObject *maker; // for the life of the process: translators cannot be removed

// The kernel is asked, and not Python: whoever holds the GIL may wait for this thread. In a forked child the
// thread that has forked is the main one.
bool is_main_thread()
{
    return gettid() == getpid();
}

pybind11::dict parts_of(const muster_error_info &info)
{
    pybind11::dict parts;
    char words[120] = "";

    if (info.termination.kind != MUSTER_TERMINATION_NONE)
        muster_termination_describe(info.termination, words, sizeof words);
    if (info.rank >= 0)
        parts["rank"] = info.rank;
    if (words[0])
        parts["termination"] = words;
    if (info.termination.kind == MUSTER_TERMINATION_SIGNALED)
        parts["signal"] = info.termination.code;
    if (info.termination.kind == MUSTER_TERMINATION_EXITED)
        parts["exit_status"] = info.termination.code;
    if (info.operation[0])
        parts["operation"] = info.operation;
    if (info.group_name[0])
        parts["group"] = info.group_name;
    if (info.deadline_ns)
        parts["deadline"] = static_cast<double>(info.deadline_ns) / 1e9;
    return parts;
}

void translate(std::exception_ptr thrown)
{
    try {
        if (thrown)
            std::rethrow_exception(thrown);
    } catch (const Failure &failure) {
        pybind11::object error = pybind11::reinterpret_borrow<pybind11::object>(maker)(
            muster_status_string(failure.status), failure.what_without_backtrace(), parts_of(failure.info));
        PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.ptr())), error.ptr());
    } catch (Raised &raised) {
        raised.restore();
    }
}

// With Python's lock, and an error of Python's set.
[[noreturn]] void throw_raised()
{
    Raised raised;

    raised.persist();
    throw raised;
}

} // namespace

void translate_failures_by(pybind11::object make)
{
    bool first = maker == nullptr;

    maker = make.release().ptr();
    if (first)
        pybind11::register_exception_translator(translate);
}

// It may be what an operation has failed with that something static keeps.
Raised::~Raised()
{
    if (!Py_IsInitialized())
        type = value = traceback = nullptr;
}

Uninterrupted::Uninterrupted()
{
    uninterrupted++;
}

Uninterrupted::~Uninterrupted()
{
    uninterrupted--;
}

WithoutLock::WithoutLock()
{
    if (Py_IsInitialized() && PyGILState_Check())
        released_.emplace();
}

bool has_interrupted(void *)
{
    if (uninterrupted || !is_main_thread())
        return false;
    pybind11::gil_scoped_acquire held;
    return PyErr_CheckSignals() < 0;
}

void check_signals()
{
    if (uninterrupted || !is_main_thread())
        return;
    pybind11::gil_scoped_acquire held;
    if (PyErr_CheckSignals() < 0)
        throw_raised();
}

void fail(muster_status status)
{
    std::string sentence = muster_error_detail()[0] ? muster_error_detail() : muster_status_string(status);
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    if (status == MUSTER_ERR_ABORTED && is_main_thread()) {
        pybind11::gil_scoped_acquire held;
        if (PyErr_Occurred())
            throw_raised();
    }
    muster_last_error(&info);
    if (status == MUSTER_ERR_TIMED_OUT) // PyTorch's programs look for the word
        sentence += "; the timeout has passed";
    TORCH_CHECK_NOT_IMPLEMENTED(status != MUSTER_ERR_UNSUPPORTED, sentence);
    throw Failure(status, sentence, info);
}

void fail_with(muster_status status, const std::string &sentence)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    info.status = status;
    info.rank = -1;
    throw Failure(status, sentence, info);
}

} // namespace muster_torch
