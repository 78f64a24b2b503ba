// Views whose elements are taken to be negated or conjugated. PyTorch's dispatcher gives backends a resolved
// copy of such a tensor in place of it, and what they write there is lost. Groups of muster's get the tensor
// itself; other groups the copy, as before.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/library.h>

#include "backend.h"

namespace muster_torch
{
namespace
{

bool is_ours(const c10::OperatorHandle &op, const torch::jit::Stack &stack)
{
    const std::vector<c10::Argument> &arguments = op.schema().arguments();

    for (size_t i = 0; i < arguments.size(); i++) {
        if (arguments[i].name() != "process_group")
            continue;
        const c10::IValue &value = stack[stack.size() - arguments.size() + i];
        auto backend = value.toCustomClass<::c10d::ProcessGroup>()->getBackend(c10::DeviceType::CPU);
        return dynamic_cast<Backend *>(backend.get()) != nullptr;
    }
    return false;
}

at::Tensor resolved(const at::Tensor &tensor)
{
    return tensor.defined() ? tensor.resolve_conj().resolve_neg() : tensor;
}

void resolve(torch::jit::Stack &stack, size_t arguments)
{
    for (size_t i = stack.size() - arguments; i < stack.size(); i++) {
        if (stack[i].isTensor()) {
            stack[i] = resolved(stack[i].toTensor());
        } else if (stack[i].isTensorList()) {
            c10::List<at::Tensor> list;
            for (const at::Tensor &tensor : stack[i].toTensorVector())
                list.push_back(resolved(tensor));
            stack[i] = std::move(list);
        }
    }
}

void pass_view(const c10::OperatorHandle &op, c10::DispatchKeySet keys, torch::jit::Stack *stack)
{
    const size_t arguments = op.schema().arguments().size();

    if (!is_ours(op, *stack)) {
        resolve(*stack, arguments);
        op.callBoxed(stack);
        return;
    }
    const c10::DispatchKeySet views({ c10::DispatchKey::Negative, c10::DispatchKey::Conjugate });
    op.redispatchBoxed(
        keys & (c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, c10::DispatchKey::Conjugate) - views),
        stack);
}

constexpr const char *OPERATORS[] = { "broadcast_",
                                      "allreduce_",
                                      "allreduce_coalesced_",
                                      "reduce_",
                                      "allgather_",
                                      "_allgather_base_",
                                      "allgather_coalesced_",
                                      "allgather_into_tensor_coalesced_",
                                      "reduce_scatter_",
                                      "_reduce_scatter_base_",
                                      "reduce_scatter_tensor_coalesced_",
                                      "gather_",
                                      "scatter_",
                                      "alltoall_",
                                      "alltoall_base_",
                                      "send",
                                      "recv_",
                                      "recv_any_source_" };

void pass_views(torch::Library &library)
{
    for (const char *name : OPERATORS)
        library.impl(name, torch::CppFunction::makeFromBoxedFunction<pass_view>());
}

TORCH_LIBRARY_IMPL(c10d, Negative, library)
{
    pass_views(library);
}

TORCH_LIBRARY_IMPL(c10d, Conjugate, library)
{
    pass_views(library);
}

} // namespace
} // namespace muster_torch
