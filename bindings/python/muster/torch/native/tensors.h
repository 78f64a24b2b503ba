// Tensors as memory that muster moves and combines: their elements in C order, by address. What is only moved
// may be of any type: one that muster does not know goes as bytes. What is combined is of a type that muster
// can combine so, or is refused in words.
#pragma once

#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include "muster/muster.h"

namespace muster_torch
{

using Tensors = std::vector<at::Tensor>;

// Refuses what does not lie in this machine's memory, element by element.
void check_tensor(const at::Tensor &tensor);
void check_tensors(const Tensors &tensors);

// The tensor, or a copy in C order of what it stands for.
at::Tensor elements(const at::Tensor &tensor);

// Of tensors one behind the other, flat.
at::Tensor joined(const Tensors &parts);

// Copies the flat tensor's parts to where they belong.
void distribute(const at::Tensor &whole, const Tensors &parts);

// A tensor as a place for results: itself, or, if it is not in C order, a copy that keep() copies back.
class Place
{
  public:
    explicit Place(const at::Tensor &tensor) : tensor_(tensor), place_(elements(tensor))
    {
    }

    void *data() const
    {
        return place_.data_ptr();
    }
    void keep() const;

  private:
    at::Tensor tensor_, place_;
};

// How many elements of which dtype muster moves for a tensor's.
struct Moved {
    muster_dtype dtype;
    size_t factor;
};
Moved how_moved(const at::Tensor &tensor);

// A muster_op for these elements; a premultiplied sum lives as long as the last copy of this.
class Combined
{
  public:
    Combined(const at::Tensor &tensor, const ::c10d::ReduceOp &op); // refuses in words

    muster_dtype dtype;
    muster_op op;

  private:
    std::shared_ptr<muster_op> made_;
};

// "float32 x 4", for sentences.
std::string describe(const at::Tensor &tensor);
std::string name_of(at::ScalarType type); // "torch.float32"

} // namespace muster_torch
