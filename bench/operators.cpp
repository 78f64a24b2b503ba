// What bench/operators.py times without Python between: the C call, an operator through PyTorch's dispatcher
// by a typed handle, and one that does nothing, which shows what PyTorch takes.
#include <chrono>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/library.h>

#include "muster/muster.h"

namespace
{

using Signature = void(const at::Tensor &, int64_t, std::string_view);

void nothing(const at::Tensor &, int64_t, std::string_view)
{
}

TORCH_LIBRARY(muster_bench, library)
{
    library.def("nothing_(Tensor(a!) x, int group, str op='sum') -> ()");
}

TORCH_LIBRARY_IMPL(muster_bench, CPU, library)
{
    library.impl("nothing_", nothing);
}

TORCH_LIBRARY_IMPL(muster_bench, Meta, library)
{
    library.impl("nothing_", nothing);
}

TORCH_LIBRARY_IMPL(muster_bench, Autograd, library)
{
    library.impl("nothing_", torch::CppFunction::makeFallthrough());
}

// Microseconds of one.
template <typename Body> double each(int64_t count, Body body)
{
    pybind11::gil_scoped_release released;
    const auto began = std::chrono::steady_clock::now();

    for (int64_t i = 0; i < count; i++)
        body();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
    return took.count() / static_cast<double>(count);
}

double time_c(const at::Tensor &x, uintptr_t address, int64_t count)
{
    auto *group = reinterpret_cast<muster_group *>(address);
    void *data = x.data_ptr();
    const auto elements = static_cast<size_t>(x.numel());

    TORCH_CHECK(x.scalar_type() == at::kBFloat16);
    return each(count, [=] {
        TORCH_CHECK(muster_all_reduce(data, data, elements, MUSTER_BFLOAT16, MUSTER_SUM, group) == MUSTER_OK);
    });
}

double time_typed(const std::string &name, const at::Tensor &x, int64_t handle, int64_t count)
{
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), "").typed<Signature>();

    return each(count, [&] { op.call(x, handle, "sum"); });
}

} // namespace

PYBIND11_MODULE(operators, module)
{
    module.def("time_c", time_c);
    module.def("time_typed", time_typed);
}
