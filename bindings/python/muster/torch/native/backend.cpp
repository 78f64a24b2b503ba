// The backend's settings, its messages and its end, of backend.h.
#include "backend.h"

namespace muster_torch
{

namespace
{

const at::Tensor &only_one(const Tensors &tensors)
{
    CHECK_ARGUMENT(tensors.size() == 1, "a message is one tensor, and these are ", tensors.size());
    return tensors[0];
}

} // namespace

Backend::Backend(muster_group *group, muster_group *messages, milliseconds timeout, milliseconds most)
    : ::c10d::Backend(muster_group_rank(group), muster_group_size(group)), group_(group),
      kept_(group, muster_group_free), callers_(std::make_shared<Callers>()), messages_(messages, callers_),
      queue_(std::make_shared<SerialQueue>()), timeout_(timeout), most_(most)
{
    muster_group_set_interrupt(group, has_interrupted, nullptr);
    muster_group_set_interrupt(messages, has_interrupted, nullptr);
    init();
}

Backend::~Backend()
{
    close(false);
}

milliseconds Backend::limited(milliseconds timeout) const
{
    timeout = std::max(timeout, milliseconds(0));
    return most_.count() > 0 && (timeout.count() == 0 || timeout > most_) ? most_ : timeout;
}

c10::intrusive_ptr<Backend::Options> Backend::getBackendOptions()
{
    return c10::make_intrusive<Options>("muster", timeout_.load());
}

::c10d::ErrorType Backend::getError()
{
    if (!process_.is_here()) // a thread of the parent may have the lock
        return ::c10d::ErrorType::COMM_ERROR;
    std::lock_guard<std::mutex> held(group_mutex_);

    switch (muster_group_status(group_)) {
    case MUSTER_OK:
        return ::c10d::ErrorType::SUCCESS;
    case MUSTER_ERR_TIMED_OUT:
        return ::c10d::ErrorType::TIMEOUT;
    case MUSTER_ERR_PEER_DIED:
        return ::c10d::ErrorType::REMOTE_ERROR;
    default:
        return ::c10d::ErrorType::COMM_ERROR;
    }
}

void Backend::check_group()
{
    check_open();
    std::lock_guard<std::mutex> held(group_mutex_);
    TORCH_CHECK(group_, DESTROYED);
    check(muster_group_status(group_));
}

void Backend::setGroupUid(const std::string &uid)
{
    ::c10d::Backend::setGroupUid(uid);
    shown_.clear();
}

// muster's errors, inspect, ps and traces show the description, such as mesh_tp, or else PyTorch's number.
// The group of all ranks, which is default_pg and number 0, needs no name.
void Backend::name_group()
{
    shown_ = pg_desc_;
    std::string name = pg_desc_.empty() || pg_desc_ == "undefined" ? pg_uid_ : pg_desc_;
    if (name == "default_pg" || name == "0")
        return;
    for (char &c : name)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
            c = '?';
    name.resize(std::min(name.size(), static_cast<size_t>(MUSTER_GROUP_NAME_BYTES - 1)));
    check(muster_group_set_name(group_, name.c_str()));
    messages_.set_name(name.c_str());
}

// ---- several as one ----

void Backend::startCoalescing()
{
    coalesced_.clear();
    coalesces_ = std::this_thread::get_id();
}

WorkPtr Backend::endCoalescing()
{
    coalesces_ = std::thread::id();
    return c10::make_intrusive<Coalesced>(std::move(coalesced_));
}

WorkPtr Backend::begun(const WorkPtr &work)
{
    if (coalesces_ == std::this_thread::get_id())
        coalesced_.push_back(work);
    return work;
}

// ---- barriers ----

WorkPtr Backend::barrier(const ::c10d::BarrierOptions &opts)
{
    const Told told = { OpType::BARRIER, "muster:barrier", opts.asyncOp, opts.timeout };

    return run(told, {}, {}, [](muster_group *group) { check(muster_barrier(group)); });
}

// Every barrier of muster's names the missing ranks, so `wait_all_ranks` changes nothing.
void Backend::monitoredBarrier(const ::c10d::BarrierOptions &opts, bool)
{
    const Told told = { OpType::BARRIER, "muster:monitored_barrier", false, opts.timeout };

    run(told, {}, {}, [](muster_group *group) { check(muster_barrier(group)); });
}

// ---- messages ----

WorkPtr Backend::send(Tensors &tensors, int peer, int tag)
{
    check_open();
    return begun(messages_.send(only_one(tensors), peer, tag, limit()));
}

WorkPtr Backend::recv(Tensors &tensors, int peer, int tag)
{
    check_open();
    return begun(messages_.receive(only_one(tensors), peer, tag, limit()));
}

WorkPtr Backend::recvAnysource(Tensors &tensors, int tag)
{
    check_open();
    return begun(messages_.receive_any(only_one(tensors), tag, limit()));
}

// ---- groups of some of its ranks, and its end ----

c10::intrusive_ptr<::c10d::Backend> Backend::split(const c10::intrusive_ptr<::c10d::Store> &,
                                                   const std::vector<int> &ranks,
                                                   const c10::intrusive_ptr<Options> &opts)
{
    const Told told = { OpType::BARRIER, "muster:split", false, ::c10d::kUnsetTimeout };
    struct Made {
        muster_group *subset = nullptr, *messages = nullptr;
        ~Made()
        {
            muster_group_free(messages);
            muster_group_free(subset);
        }
    };

    if (std::find(ranks.begin(), ranks.end(), rank_) == ranks.end())
        return nullptr;
    auto made = std::make_shared<Made>();
    run(told, {}, {}, [made, ranks](muster_group *group) {
        check(muster_group_subset(group, ranks.data(), static_cast<int>(ranks.size()), &made->subset));
        check(muster_group_dup(made->subset, &made->messages));
    });
    return make(std::exchange(made->subset, nullptr), std::exchange(made->messages, nullptr),
                opts ? opts->timeout : timeout_.load(), most_);
}

void Backend::abort_with(const char *reason)
{
    std::lock_guard<std::mutex> held(group_mutex_);

    if (group_)
        muster_group_abort(group_, reason);
}

// Also while another thread waits in shutdown().
void Backend::abort()
{
    if (!process_.is_here())
        return;
    abort_with("abort() of the process group");
    messages_.abort("abort() of the process group");
}

void Backend::shutdown()
{
    close(true);
}

void Backend::leave()
{
    close(false);
}

void Backend::close(bool may_wait)
{
    if (!process_.is_here()) { // the queue's thread, and everything else, is the parent's
        closed_ = true;
        return;
    }
    if (closed_)
        return;
    const bool is_inside = queue_->is_run_here() || messages_.is_run_here();
    TORCH_CHECK(!is_inside || !may_wait,
                "the process group cannot be destroyed in one of its own operations, as by a signal handler; "
                "abort() ends it");
    if (closed_.exchange(true))
        return;
    if (!may_wait && !queue_->is_idle())
        abort_with("the rank ended with collectives under way");
    if (is_inside) // it ends when this thread goes on, if it does
        return;
    WithoutLock released; // Python has it in destructors, and an operation on the main thread may want that
    messages_.close();
    queue_->close();
    callers_->close();
    std::lock_guard<std::mutex> held(group_mutex_);
    group_ = nullptr;
    kept_.reset();
}

} // namespace muster_torch
