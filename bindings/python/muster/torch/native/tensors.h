// Tensors as memory that muster moves and reduces: the address of their elements, in C order. Elements that
// are only moved may have any dtype; those of a dtype that muster does not know are moved as bytes. A
// reduction of a dtype and an operation that muster does not have is an error in words.
#pragma once

#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include "muster/muster.h"

namespace muster_torch
{

using Tensors = std::vector<at::Tensor>;

// Copies as memory is written: to leaves of autograd and to those made in inference mode, too, on whatever
// thread that is. Autograd is told, so that it does not take for saved values what has been written over.
void write(const at::Tensor &to, const at::Tensor &from);
void tell_autograd(const at::Tensor &written);

// Throws unless the tensor is dense and in CPU memory.
void check_tensor(const at::Tensor &tensor);
void check_tensors(const Tensors &tensors);

// The tensor, or a copy in C order of what it stands for.
at::Tensor elements(const at::Tensor &tensor);

// Concatenates the tensors' elements into one flat tensor.
at::Tensor joined(const Tensors &parts);

// Copies the elements of the flat tensor into the parts, in order.
void distribute(const at::Tensor &whole, const Tensors &parts);

// Copies one of the tensors to all others.
void copy_to_others(const Tensors &tensors, size_t one);

// A tensor as a place for results: itself, or, if it is not in C order or is to be `apart`, a copy that
// keep() copies back.
class Place
{
  public:
    explicit Place(const at::Tensor &tensor, bool apart = false);

    void *data() const
    {
        return (copy_.defined() ? copy_ : tensor_).data_ptr();
    }
    const at::Tensor &tensor() const
    {
        return tensor_;
    }
    size_t count() const
    {
        return static_cast<size_t>(tensor_.numel());
    }
    void keep() const;
    void keep_and_tell() const; // autograd, where it is itself, too

  private:
    at::Tensor tensor_, copy_; // undefined: itself
};

// How muster moves one element of a tensor: as `factor` elements of `dtype`.
struct Moved {
    muster_dtype dtype;
    size_t factor;
};
Moved how_moved(const at::Tensor &tensor);

// How many elements a tensor has, and how many are moved.
inline size_t count_of(const at::Tensor &tensor)
{
    return static_cast<size_t>(tensor.numel());
}

inline size_t moved_count(const at::Tensor &tensor, const Moved &moved)
{
    return count_of(tensor) * moved.factor;
}

// Which of the tensors, that are dense, may have elements of another one's.
std::vector<bool> find_shared(const Tensors &tensors);

// Refuses what combine_into_first cannot do.
void check_combines(const at::Tensor &like, const ::c10d::ReduceOp &op);

// Combines a rank's own tensors, before those of the ranks are: into the first one. What a mean or a scaled
// sum is of is their sum.
void combine_into_first(const Tensors &tensors, ::c10d::ReduceOp::RedOpType op);

// A muster_op for these elements; a premultiplied sum lives as long as the last copy of this.
class Combined
{
  public:
    Combined(const at::Tensor &tensor, const ::c10d::ReduceOp &op); // refuses in words

    muster_dtype dtype;
    muster_op op;
    ::c10d::ReduceOp::RedOpType op_type;

  private:
    std::shared_ptr<muster_op> made_;
};

// "float32 x 4", for sentences.
std::string describe(const at::Tensor &tensor);
std::string name_of(at::ScalarType type); // "torch.float32"

} // namespace muster_torch
