// What collectives of the backend (reductions.cpp, moves.cpp) and operators (kernels.cpp) have in common:
// what fits, and what a rank does in the group, with one tensor.
#pragma once

#include "tensors.h"

namespace muster_torch
{

// `which`: root, sending or receiving.
int check_rank(const char *what, const char *which, int64_t rank, int size);

// `whole` has what all ranks have of `part`.
void check_whole(const char *what, const at::Tensor &whole, const at::Tensor &part, int size);

// Autograd is told what has been written.
void reduce_scatter_in(muster_group *group, const at::Tensor &out, const at::Tensor &x, const Combined &how);
void all_gather_in(muster_group *group, const at::Tensor &out, const at::Tensor &x);

// Whoever has made the place keeps what is in it.
void all_reduce_in(muster_group *group, const Place &x, const Combined &how);
void reduce_in(muster_group *group, const Place &x, int root, const Combined &how);
void broadcast_in(muster_group *group, const Place &x, int root);
void all_to_all_in(muster_group *group, const Place &out, const at::Tensor &x);
void scatter_in(muster_group *group, const Place &out, const at::Tensor &whole, int root); // on the root
void gather_in(muster_group *group, const Place *out, const at::Tensor &x, int root);      // null elsewhere

} // namespace muster_torch
