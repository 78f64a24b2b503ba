// What muster's calls fail with, as PyTorch has it: a DistBackendError, for C++ as well as for Python, where
// it is muster's own exception at once, with its parts as attributes. A refusal is an error of the call
// alone.
#pragma once

#include <optional>
#include <string>

#include <c10/util/Exception.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/utils/pybind.h>

#include "muster/muster.h"

namespace muster_torch
{

class Failure : public c10::DistBackendError
{
  public:
    Failure(muster_status status, const std::string &sentence, const muster_error_info &info)
        : c10::DistBackendError(sentence, c10::Backtrace()), status(status), info(info)
    {
    }

    const muster_status status;
    const muster_error_info info;
};

// What a signal handler of Python has raised. It stays what an operation has failed with, so it can be raised
// again and again, unlike pybind11's error_already_set; PyTorch knows its base where pybind11 does not catch
// it.
class Raised : public python_error
{
  public:
    Raised() = default;
    Raised(const Raised &) = default;
    ~Raised() override;
};

// Throws what this thread's last call of muster has failed with, or what a signal handler of Python has
// raised while it waited.
[[noreturn]] void fail(muster_status status);

inline void check(muster_status status)
{
    if (status != MUSTER_OK)
        fail(status);
}

// A failure that is not the library's.
[[noreturn]] void fail_with(muster_status status, const std::string &sentence);

// Refuses an argument, by an ArgumentError of Python's, unless the condition holds. Programs that were
// written for gloo look for its words, so sentences have them.
#define CHECK_ARGUMENT(condition, ...)                                                                       \
    do {                                                                                                     \
        if (C10_UNLIKELY(!(condition)))                                                                      \
            ::muster_torch::fail_with(MUSTER_ERR_INVALID, c10::str(__VA_ARGS__));                            \
    } while (0)

extern const char *const DESTROYED;

// Lets Python's signal handlers run, on the main thread; whether one has raised.
bool has_interrupted(void *);

// Throws what a signal handler has raised.
void check_signals();

// While there is one, neither lets handlers run on this thread: they run when Python goes on.
class Uninterrupted
{
  public:
    Uninterrupted();
    ~Uninterrupted();
    Uninterrupted(const Uninterrupted &) = delete;
    Uninterrupted &operator=(const Uninterrupted &) = delete;
};

// Gives Python's lock back meanwhile, if this thread has it.
class WithoutLock
{
  public:
    WithoutLock();

  private:
    std::optional<pybind11::gil_scoped_release> released_;
};

// `make(status, sentence, parts)` of muster.torch: the exception of Python.
void translate_failures_by(pybind11::object make);

} // namespace muster_torch
