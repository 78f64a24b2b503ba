// Collectives as operators of PyTorch's, torch.ops.muster: for programs that need no process group, and for
// compiled graphs, in which each is one opaque step. Which group is a number of handles.h; what they do is in
// kernels.cpp.
//
// How many ranks there are is an argument where a result's shape depends on it: a compiled graph may be found
// again in a later run, where the same number stands for a group of another size.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "kernels.h"

namespace muster_torch
{
namespace
{

template <auto FUNCTION> struct Kernel {
};

// visit(kernel, name, what it is like, as PyTorch writes it), for each operator.
template <typename Visit> void visit_operators(Visit &&visit)
{
    visit(Kernel<all_reduce_>(), "all_reduce_", "(Tensor(a!) x, int group, str op='sum') -> ()");
    visit(Kernel<all_reduce>(), "all_reduce", "(Tensor x, int group, str op='sum') -> Tensor");
    visit(Kernel<reduce_>(), "reduce_", "(Tensor(a!) x, int group, int root, str op='sum') -> ()");
    visit(Kernel<reduce_scatter_into>(), "reduce_scatter_into",
          "(Tensor(a!) out, Tensor x, int group, str op='sum') -> ()");
    visit(Kernel<reduce_scatter>(), "reduce_scatter",
          "(Tensor x, int group, int size, str op='sum') -> Tensor");
    visit(Kernel<broadcast_>(), "broadcast_", "(Tensor(a!) x, int group, int root) -> ()");
    visit(Kernel<broadcast>(), "broadcast", "(Tensor x, int group, int root) -> Tensor");
    visit(Kernel<all_gather_into>(), "all_gather_into", "(Tensor(a!) out, Tensor x, int group) -> ()");
    visit(Kernel<all_gather>(), "all_gather", "(Tensor x, int group, int size) -> Tensor");
    visit(Kernel<all_to_all>(), "all_to_all", "(Tensor x, int group, int size) -> Tensor");
    visit(Kernel<gather_into>(), "gather_into", "(Tensor(a!)? out, Tensor x, int group, int root) -> ()");
    visit(Kernel<scatter_into>(), "scatter_into", "(Tensor(a!) out, Tensor? x, int group, int root) -> ()");
    visit(Kernel<muster_torch::send>(), "send", "(Tensor x, int group, int to, int tag=0) -> ()");
    visit(Kernel<recv_>(), "recv_", "(Tensor(a!) x, int group, int source, int tag=0) -> ()");
}

bool requires_gradient(const at::Tensor &x)
{
    return x.defined() && x.requires_grad();
}

bool requires_gradient(const std::optional<at::Tensor> &x)
{
    return x && requires_gradient(*x);
}

template <typename Other> bool requires_gradient(const Other &)
{
    return false;
}

// No gradient passes through an operator, and none is lost without a word. By the operator's own signature,
// as PyTorch would make a list of values of the arguments otherwise, which takes as long as a small
// collective's half.
template <auto FUNCTION> struct WithoutGradient;
template <typename Result, typename... Args, Result (*FUNCTION)(Args...)> struct WithoutGradient<FUNCTION> {
    static inline const char *name; // it is registered by

    static Result call(c10::DispatchKeySet keys, Args... args)
    {
        static const auto op = c10::Dispatcher::singleton()
                                   .findSchemaOrThrow((std::string("muster::") + name).c_str(), "")
                                   .template typed<Result(Args...)>();

        TORCH_CHECK_NOT_IMPLEMENTED(
            !at::GradMode::is_enabled() || !(requires_gradient(args) || ...), "muster::", name,
            " has no gradient, and is given a tensor that requires one; use it within "
            "torch.no_grad() or on x.detach(), or use torch.distributed.nn.functional");
        return op.redispatch(keys & c10::after_autograd_keyset, args...);
    }
};

// Python's, until it has done what it does for graphs.
std::atomic<PyObject *> tracer;

// Operators are given tensors without elements: a graph is made of them.
void tell_tracer()
{
    if (!tracer)
        return;
    pybind11::gil_scoped_acquire held;
    PyObject *told = tracer;
    if (told && pybind11::reinterpret_borrow<pybind11::object>(told)().cast<bool>())
        tracer = nullptr;
}

// What writes into its arguments leaves no shape behind.
void do_nothing(const c10::OperatorHandle &op, torch::jit::Stack *stack)
{
    tell_tracer();
    torch::jit::drop(*stack, op.schema().arguments().size());
}

at::Tensor make_traced(const at::Tensor &like, c10::SymIntArrayRef shape)
{
    tell_tracer();
    return make_like(like, shape);
}

at::Tensor make_same(const at::Tensor &x, int64_t, string_view)
{
    return make_traced(x, x.sym_sizes());
}

// What an operator gives is not of its arguments alone: for PyTorch, as a random number, which is not made
// when a graph is compiled, not once for two, and not later. The rest of that is in _order.py.
TORCH_LIBRARY(muster, library)
{
    visit_operators([&](auto, const char *name, const char *arguments) {
        library.def(torch::schema((std::string(name) + arguments).c_str()),
                    { at::Tag::pt2_compliant_tag, at::Tag::nondeterministic_seeded });
    });
}

TORCH_LIBRARY_IMPL(muster, CPU, library)
{
    visit_operators([&]<auto FUNCTION>(Kernel<FUNCTION>, const char *name, const char *) {
        library.impl(name, TORCH_FN(FUNCTION));
    });
}

// Shapes of results, for tensors that have no elements.
TORCH_LIBRARY_IMPL(muster, Meta, library)
{
    for (const char *name : { "all_reduce_", "reduce_", "reduce_scatter_into", "broadcast_",
                              "all_gather_into", "gather_into", "scatter_into", "send", "recv_" })
        library.impl(name, torch::CppFunction::makeFromBoxedFunction<do_nothing>());
    library.impl("all_reduce", make_same);
    library.impl("broadcast",
                 [](const at::Tensor &x, int64_t, int64_t) { return make_traced(x, x.sym_sizes()); });
    library.impl("all_gather", [](const at::Tensor &x, int64_t, int64_t size) {
        return make_traced(x, shape_of_all(x, size));
    });
    library.impl("reduce_scatter", [](const at::Tensor &x, int64_t, int64_t size, string_view) {
        return make_traced(x, shape_of_part("reduce_scatter", x, size));
    });
    library.impl("all_to_all", [](const at::Tensor &x, int64_t, int64_t size) {
        shape_of_part("all_to_all", x, size);
        return make_traced(x, x.sym_sizes());
    });
}

TORCH_LIBRARY_IMPL(muster, Autograd, library)
{
    visit_operators([&]<auto FUNCTION>(Kernel<FUNCTION>, const char *name, const char *) {
        WithoutGradient<FUNCTION>::name = name;
        library.impl(name, TORCH_FN(WithoutGradient<FUNCTION>::call));
    });
}

// Views whose elements are taken to be negated or conjugated come as they are, as in views.cpp.
TORCH_LIBRARY_IMPL(muster, Negative, library)
{
    visit_operators([&](auto, const char *name, const char *) {
        library.impl(name, torch::CppFunction::makeFallthrough());
    });
}

TORCH_LIBRARY_IMPL(muster, Conjugate, library)
{
    visit_operators([&](auto, const char *name, const char *) {
        library.impl(name, torch::CppFunction::makeFallthrough());
    });
}

} // namespace

void when_traced(pybind11::object call)
{
    tracer = call.release().ptr();
}

} // namespace muster_torch
