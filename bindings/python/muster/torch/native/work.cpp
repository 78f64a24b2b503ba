// Operations under way, of work.h.
#include "work.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include "errors.h"

namespace muster_torch
{

namespace
{

Future make_future()
{
    return c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()));
}

// Whether the caller is a Python hook of DDP, on the thread that computes gradients. Callbacks of its future
// may begin collectives, which must begin at the same point on all ranks, so the operation is waited for.
bool is_in_python_hook()
{
    return Py_IsInitialized() && PyGILState_Check() && torch::autograd::get_current_graph_task_id() != -1;
}

// Those of a list, or of a list of lists, which all_gather of several tensors has.
void append_tensors(const c10::IValue &value, Tensors &tensors)
{
    if (value.isTensor())
        return tensors.push_back(value.toTensor());
    for (const c10::IValue &part : value.toList().vec())
        append_tensors(part, tensors);
}

} // namespace

Operation::Operation(int rank, const Told &told, const Tensors &inputs, Tensors outputs,
                     std::shared_ptr<Callers> callers, uint64_t number)
    : Work(rank, told.type, at::hasCallbacks() ? told.title : nullptr,
           at::hasCallbacks() ? std::optional<Tensors>(inputs) : std::nullopt),
      title_(told.title), outputs_(std::move(outputs)), lists_(told.lists), callers_(std::move(callers)),
      number_(number)
{
}

void Operation::complete(const Future &future)
{
    if (exception_)
        return future->setError(exception_);
    if (lists_ == 1)
        return future->markCompleted(c10::IValue(outputs_));
    c10::List<c10::List<at::Tensor>> lists;
    const auto each = static_cast<ptrdiff_t>(outputs_.size() / lists_);
    for (auto at = outputs_.begin(); at != outputs_.end(); at += each)
        lists.push_back(c10::List<at::Tensor>(c10::ArrayRef<at::Tensor>(&*at, static_cast<size_t>(each))));
    future->markCompleted(c10::IValue(std::move(lists)));
}

void Operation::done(std::exception_ptr error)
{
    finish(error);
    {
        std::lock_guard<std::mutex> held(mutex_);
        if (!future_ || future_is_served_)
            return;
        future_is_served_ = true;
    }
    callers_->post(
        [self = c10::intrusive_ptr<Operation>::reclaim_copy(this)] { self->complete(self->future_); });
}

bool Operation::is_done()
{
    std::lock_guard<std::mutex> held(mutex_);

    return completed_;
}

bool Operation::is_done_within(milliseconds timeout)
{
    auto until = std::chrono::steady_clock::now() + timeout;
    std::unique_lock<std::mutex> held(mutex_);

    while (!completed_) {
        milliseconds left = LOOK;
        if (timeout.count() > 0) {
            auto rest = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
            if (rest.count() <= 0)
                return false;
            left = std::min(left, rest);
        }
        if (!cv_.wait_for(held, left, [this] { return completed_; })) {
            held.unlock();
            check_signals();
            held.lock();
        }
    }
    return true;
}

std::string Operation::describe() const
{
    return std::string(title_).substr(sizeof "muster:" - 1);
}

void Operation::check_process()
{
    if (process_.is_here())
        return;
    std::unique_lock<std::mutex> held(mutex_, std::try_to_lock); // a thread of the parent may have it
    if (!held || !completed_)
        process_.check();
}

bool Operation::wait(milliseconds timeout)
{
    check_process();
    std::shared_ptr<SerialQueue> queue = queue_.lock();
    std::shared_ptr<SerialQueue::Task> task = task_.lock();

    if (queue && task && timeout.count() <= 0)
        queue->take(task);
    if (!is_done() && !is_done_within(std::max(timeout, milliseconds(0))))
        fail_with(MUSTER_ERR_TIMED_OUT, c10::str("waited ", static_cast<double>(timeout.count()) / 1000,
                                                 " s for ", describe(), ", which goes on"));
    if (exception_)
        std::rethrow_exception(exception_);
    return true;
}

void Operation::synchronize()
{
    wait(milliseconds(0));
}

Tensors Operation::result()
{
    wait(milliseconds(0));
    return outputs_;
}

Future Operation::getFuture()
{
    check_process();
    if (!is_done() && is_in_python_hook()) {
        pybind11::gil_scoped_release released;
        is_done_within(milliseconds(0));
    }
    std::unique_lock<std::mutex> held(mutex_);
    if (future_ && process_.is_here()) // the parent's one may be for a thread of it to complete
        return future_;
    Future future = future_ = make_future();
    bool is_over = future_is_served_ = completed_;
    held.unlock();
    if (is_over)
        complete(future);
    return future;
}

// ---- several as one ----

bool Coalesced::isCompleted()
{
    return std::all_of(works_.begin(), works_.end(), [](auto &work) { return work->isCompleted(); });
}

bool Coalesced::isSuccess() const
{
    return std::all_of(works_.begin(), works_.end(), [](auto &work) { return work->isSuccess(); });
}

std::exception_ptr Coalesced::exception() const
{
    for (auto &work : works_)
        if (std::exception_ptr error = work->exception())
            return error;
    return nullptr;
}

bool Coalesced::wait(milliseconds timeout)
{
    auto until = std::chrono::steady_clock::now() + timeout;

    for (auto &work : works_) {
        auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
        work->wait(timeout.count() > 0 ? std::max(left, milliseconds(1)) : timeout);
    }
    return true;
}

Tensors Coalesced::result()
{
    Tensors all;

    for (auto &work : works_)
        for (at::Tensor &tensor : work->result())
            all.push_back(tensor);
    return all;
}

Future Coalesced::getFuture()
{
    c10::List<Future> futures(c10::FutureType::create(c10::ListType::create(c10::TensorType::get())));
    std::vector<Future> all;

    for (auto &work : works_)
        all.push_back(work->getFuture());
    for (auto &future : all)
        futures.push_back(future);
    return c10::collectAll(futures)->then(
        [all](c10::ivalue::Future &) {
            Tensors outputs;
            for (auto &future : all)
                append_tensors(future->value(), outputs);
            return c10::IValue(outputs);
        },
        c10::ListType::create(c10::TensorType::get()));
}

} // namespace muster_torch
