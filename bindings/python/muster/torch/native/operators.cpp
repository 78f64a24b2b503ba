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

// The names of operators and what they are like, as PyTorch writes it.
constexpr std::pair<const char *, const char *> OPERATORS_OF_MUSTER[] = {
    { "all_reduce_", "(Tensor(a!) x, int group, str op='sum') -> ()" },
    { "all_reduce", "(Tensor x, int group, str op='sum') -> Tensor" },
    { "reduce_", "(Tensor(a!) x, int group, int root, str op='sum') -> ()" },
    { "reduce_scatter_into", "(Tensor(a!) out, Tensor x, int group, str op='sum') -> ()" },
    { "reduce_scatter", "(Tensor x, int group, int size, str op='sum') -> Tensor" },
    { "broadcast_", "(Tensor(a!) x, int group, int root) -> ()" },
    { "broadcast", "(Tensor x, int group, int root) -> Tensor" },
    { "all_gather_into", "(Tensor(a!) out, Tensor x, int group) -> ()" },
    { "all_gather", "(Tensor x, int group, int size) -> Tensor" },
    { "all_to_all", "(Tensor x, int group, int size) -> Tensor" },
    { "gather_into", "(Tensor(a!)? out, Tensor x, int group, int root) -> ()" },
    { "scatter_into", "(Tensor(a!) out, Tensor? x, int group, int root) -> ()" },
    { "send", "(Tensor x, int group, int to, int tag=0) -> ()" },
    { "recv_", "(Tensor(a!) x, int group, int source, int tag=0) -> ()" },
};

// No gradient passes through these, and none is lost without a word.
void refuse_gradients(const c10::OperatorHandle &op, c10::DispatchKeySet keys, torch::jit::Stack *stack)
{
    if (at::GradMode::is_enabled())
        for (const c10::IValue &value : torch::jit::last(*stack, op.schema().arguments().size()))
            TORCH_CHECK_NOT_IMPLEMENTED(
                !value.isTensor() || !value.toTensor().requires_grad(), op.schema().name(),
                " has no gradient, and is given a tensor that requires one; use it within "
                "torch.no_grad() or on x.detach(), or use torch.distributed.nn.functional");
    op.redispatchBoxed(keys & c10::after_autograd_keyset, stack);
}

// What writes into its arguments leaves no shape behind.
void do_nothing(const c10::OperatorHandle &op, torch::jit::Stack *stack)
{
    torch::jit::drop(*stack, op.schema().arguments().size());
}

at::Tensor make_same(const at::Tensor &x, int64_t, string_view)
{
    return make_like(x, x.sym_sizes());
}

TORCH_LIBRARY(muster, library)
{
    for (const auto &[name, arguments] : OPERATORS_OF_MUSTER)
        library.def(torch::schema((std::string(name) + arguments).c_str()), { at::Tag::pt2_compliant_tag });
}

TORCH_LIBRARY_IMPL(muster, CPU, library)
{
    library.impl("all_reduce_", all_reduce_);
    library.impl("all_reduce", all_reduce);
    library.impl("reduce_", reduce_);
    library.impl("reduce_scatter_into", reduce_scatter_into);
    library.impl("reduce_scatter", reduce_scatter);
    library.impl("broadcast_", broadcast_);
    library.impl("broadcast", broadcast);
    library.impl("all_gather_into", all_gather_into);
    library.impl("all_gather", all_gather);
    library.impl("all_to_all", all_to_all);
    library.impl("gather_into", gather_into);
    library.impl("scatter_into", scatter_into);
    library.impl("send", TORCH_FN(send));
    library.impl("recv_", recv_);
}

// Shapes of results, for tensors that have no elements.
TORCH_LIBRARY_IMPL(muster, Meta, library)
{
    for (const char *name : { "all_reduce_", "reduce_", "reduce_scatter_into", "broadcast_",
                              "all_gather_into", "gather_into", "scatter_into", "send", "recv_" })
        library.impl(name, torch::CppFunction::makeFromBoxedFunction<do_nothing>());
    library.impl("all_reduce", make_same);
    library.impl("broadcast",
                 [](const at::Tensor &x, int64_t, int64_t) { return make_like(x, x.sym_sizes()); });
    library.impl("all_gather", [](const at::Tensor &x, int64_t, int64_t size) {
        return make_like(x, shape_of_all(x, size));
    });
    library.impl("reduce_scatter", [](const at::Tensor &x, int64_t, int64_t size, string_view) {
        return make_like(x, shape_of_part("reduce_scatter", x, size));
    });
    library.impl("all_to_all", [](const at::Tensor &x, int64_t, int64_t size) {
        shape_of_part("all_to_all", x, size);
        return make_like(x, x.sym_sizes());
    });
}

TORCH_LIBRARY_IMPL(muster, Autograd, library)
{
    for (const auto &each : OPERATORS_OF_MUSTER)
        library.impl(each.first, torch::CppFunction::makeFromBoxedFunction<refuse_gradients>());
}

// Views whose elements are taken to be negated or conjugated come as they are, as in views.cpp.
TORCH_LIBRARY_IMPL(muster, Negative, library)
{
    for (const auto &each : OPERATORS_OF_MUSTER)
        library.impl(each.first, torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(muster, Conjugate, library)
{
    for (const auto &each : OPERATORS_OF_MUSTER)
        library.impl(each.first, torch::CppFunction::makeFallthrough());
}

} // namespace
} // namespace muster_torch
