// The module that muster.torch imports: makes backends of groups, and ends them all with the process.
#include <map>

#include <pybind11/chrono.h>

#include "arena.h"
#include "handles.h"
#include "kernels.h"

namespace py = pybind11;

namespace muster_torch
{
namespace
{

using BackendPtr = c10::intrusive_ptr<::c10d::Backend>;

Backend &ours(const BackendPtr &backend)
{
    auto *found = dynamic_cast<Backend *>(backend.get());

    TORCH_CHECK_TYPE(found, "the backend is not muster's");
    return *found;
}

muster_group *group_at(uintptr_t address)
{
    return reinterpret_cast<muster_group *>(address);
}

// Python's end has begun or is over. A thread that asks for its lock then is ended where it is.
bool is_ending()
{
#if PY_VERSION_HEX >= 0x030d0000
    return !Py_IsInitialized() || Py_IsFinalizing();
#else
    return !Py_IsInitialized() || _Py_IsFinalizing();
#endif
}

// Python's object, as long as it is needed. At Python's end, threads that it does not know leave it as it is.
std::shared_ptr<void> keep(py::object object)
{
    return { object.release().ptr(), [](void *kept) {
                if (is_ending() && !(Py_IsInitialized() && PyGILState_Check()))
                    return;
                py::gil_scoped_acquire held;
                Py_DECREF(static_cast<PyObject *>(kept));
            } };
}

// All that there are in this process, for its end: Python may have none of them any more. Never destroyed, as
// backends may be later than everything static.
struct Living {
    std::mutex mutex;
    std::map<Backend *, c10::weak_intrusive_ptr<Backend>> backends;
    const Process process;
    const Living *const parents; // whose mutex a thread of the parent may have
};

Living &living()
{
    static std::atomic<Living *> all = new Living{ .parents = nullptr };
    Living *found = all;

    while (!found->process.is_here()) // a forked child has none of its parent's
        if (auto *own = new Living{ .parents = found }; !all.compare_exchange_strong(found, own))
            delete own;
        else
            found = own;
    return *found;
}

} // namespace

c10::intrusive_ptr<Backend> Backend::make(muster_group *group, muster_group *messages, milliseconds timeout,
                                          milliseconds most)
{
    auto made = c10::make_intrusive<Backend>(group, messages, timeout, most);
    std::lock_guard<std::mutex> held(living().mutex);

    living().backends.emplace(made.get(), made);
    return made;
}

// Nobody has it any more. A forked child never destroys its parent's, which it has weak pointers to: glibc
// waits for the threads that waited in a queue when the process was forked.
void Backend::release_resources()
{
    {
        std::lock_guard<std::mutex> held(living().mutex);
        living().backends.erase(this);
    }
    close(false);
}

void Backend::leave_all()
{
    std::vector<c10::intrusive_ptr<Backend>> backends;
    {
        std::lock_guard<std::mutex> held(living().mutex);
        for (auto &[_, backend] : living().backends) // other threads may drop them meanwhile
            if (auto kept = backend.lock())
                backends.push_back(std::move(kept));
    }
    for (auto &backend : backends)
        backend->leave();
}

} // namespace muster_torch

PYBIND11_MODULE(MUSTER_TORCH_MODULE, module)
{
    using namespace muster_torch;

    // As gloo's and NCCL's: `options._timeout` is what init_process_group and _set_default_timeout have set.
    py::class_<Backend, c10::intrusive_ptr<Backend>, ::c10d::Backend>(module, "Backend",
                                                                      "Of one group of muster's.")
        .def_property_readonly("options", &Backend::getBackendOptions)
        .def("_set_default_timeout", &Backend::setTimeout, py::arg("timeout"));
    module.def("translate", translate_failures_by, "translate(make): how failures become exceptions.");
    module.def("when_traced", when_traced,
               "when_traced(call): call() whenever an operator is traced, until it returns True.");
    module.def(
        "create",
        [](uintptr_t group, uintptr_t messages, int64_t timeout_ms, int64_t most_ms) -> BackendPtr {
            return Backend::make(group_at(group), group_at(messages), milliseconds(timeout_ms),
                                 milliseconds(most_ms));
        },
        "create(group, messages, timeout_ms, most_ms) -> Backend: of two groups, by address, which are its "
        "own from "
        "now on. No timeout is above most_ms, unless that is 0.");
    module.def(
        "handle_of_group", [](uintptr_t group) { return handle_of(group_at(group)); },
        "handle_of_group(address) -> int: that operators take; until group_ends.");
    module.def("handle_of_backend", [](const BackendPtr &backend) {
        ours(backend);
        return handle_of(c10::static_intrusive_pointer_cast<Backend>(backend));
    });
    module.def(
        "group_ends", [](uintptr_t group, bool adopt) { return end_handle(group_at(group), adopt); },
        "group_ends(address, adopt) -> bool: whether it is freed later, as an operator uses it; with adopt "
        "False "
        "that is an error.");
    py::class_<Arena, std::shared_ptr<Arena>>(module, "Arena", "Of a group: what tensors' memory comes from.")
        .def("enter", &Arena::enter)
        .def("leave", &Arena::leave);
    module.def(
        "arena_of_group",
        [](uintptr_t group, py::object memory) {
            return Arena::of(group_at(group), keep(std::move(memory)));
        },
        "arena_of_group(address, memory) -> Arena: the group is there as long as the memory in it.");
    module.def("arena_of_backend", [](const BackendPtr &backend) {
        std::shared_ptr<muster_group> group = ours(backend).kept();
        return Arena::of(group.get(), group);
    });
    module.def(
        "leave_all",
        [] {
            Arena::end_all();
            Backend::leave_all();
        },
        py::call_guard<py::gil_scoped_release>());
    module.def("check", [](const BackendPtr &backend) { ours(backend).check_group(); });
    module.def("address", [](const BackendPtr &backend) { return ours(backend).address(); });
}
