// What the operators of torch.ops.muster do, on tensors with elements: registered in operators.cpp. Each is
// over when it returns.
#pragma once

#include "handles.h"

namespace muster_torch
{

using std::string_view;

void all_reduce_(const at::Tensor &x, int64_t group, string_view op);
at::Tensor all_reduce(const at::Tensor &x, int64_t group, string_view op);
void reduce_(const at::Tensor &x, int64_t group, int64_t root, string_view op);
void reduce_scatter_into(const at::Tensor &out, const at::Tensor &x, int64_t group, string_view op);
at::Tensor reduce_scatter(const at::Tensor &x, int64_t group, int64_t size, string_view op);

void broadcast_(const at::Tensor &x, int64_t group, int64_t root);
at::Tensor broadcast(const at::Tensor &x, int64_t group, int64_t root);
void all_gather_into(const at::Tensor &out, const at::Tensor &x, int64_t group);
at::Tensor all_gather(const at::Tensor &x, int64_t group, int64_t size);
at::Tensor all_to_all(const at::Tensor &x, int64_t group, int64_t size);
void gather_into(const std::optional<at::Tensor> &out, const at::Tensor &x, int64_t group, int64_t root);
void scatter_into(const at::Tensor &out, const std::optional<at::Tensor> &x, int64_t group, int64_t root);

void send(const at::Tensor &x, int64_t group, int64_t to, int64_t tag);
void recv_(const at::Tensor &x, int64_t group, int64_t source, int64_t tag);

// The shapes of results, also of tensors that have no elements yet.
at::Tensor make_like(const at::Tensor &like, c10::SymIntArrayRef shape);
c10::SymDimVector shape_of_all(const at::Tensor &x, int64_t size);
c10::SymDimVector shape_of_part(const char *what, const at::Tensor &x, int64_t size);

// call() whenever an operator is traced for a graph, until it returns true.
void when_traced(pybind11::object call);

} // namespace muster_torch
