// What is asked for fits, or is refused in words: the checks of backend.h. Programs look for gloo's words,
// which are among them.
#include "backend.h"

namespace muster_torch
{

void Backend::check_types(const char *what, const Tensors &parts, const at::Tensor &like) const
{
    for (size_t i = 0; i < parts.size(); i++) {
        check_tensor(parts[i]);
        CHECK_ARGUMENT(parts[i].scalar_type() == like.scalar_type(), what, ": invalid tensor type at index ",
                       i, ": one tensor is ", describe(parts[i]), " and another one ", describe(like),
                       "; expected the same of all");
    }
}

void Backend::check_lengths(const char *what, const Tensors &parts, const at::Tensor &like) const
{
    check_types(what, parts, like);
    for (size_t i = 0; i < parts.size(); i++)
        CHECK_ARGUMENT(parts[i].numel() == like.numel(), what, ": invalid tensor size at index ", i,
                       ": one tensor is ", describe(parts[i]), " and another one ", describe(like),
                       "; expected the same of all");
}

void Backend::check_shapes(const char *what, const Tensors &tensors, const at::Tensor &like) const
{
    check_types(what, tensors, like);
    for (size_t i = 0; i < tensors.size(); i++)
        CHECK_ARGUMENT(tensors[i].sizes() == like.sizes(), what, ": invalid tensor size at index ", i,
                       ": one tensor has the shape ", tensors[i].sizes(), " and another one ", like.sizes(),
                       "; expected the same of all");
}

void Backend::check_count(const char *what, size_t parts) const
{
    CHECK_ARGUMENT(parts == static_cast<size_t>(size_), what, ": ", parts,
                   " parts; expected one for each of ", size_, " ranks");
}

void Backend::check_layouts(const char *what, const Tensors &tensors) const
{
    for (size_t i = 0; i < tensors.size(); i++)
        CHECK_ARGUMENT(tensors[i].layout() == tensors[0].layout(), what, ": invalid tensor layout at index ",
                       i, ": ", tensors[i].layout(), " and ", tensors[0].layout(),
                       "; expected the same of all");
}

// What scatter sends and gather receives: one list on the root, of one tensor for each rank, and none
// elsewhere.
void Backend::check_lists(const char *what, const char *which, const Parts &lists, bool is_root,
                          const at::Tensor &like) const
{
    CHECK_ARGUMENT(is_root || lists.empty(), what, ": ", which,
                   "s on a rank that is not the root; it requires empty ", which, " on non-root ranks");
    if (!is_root)
        return;
    CHECK_ARGUMENT(lists.size() == 1, what, ": ", lists.size(), " lists; it requires a single-element ",
                   which, " list on the root");
    CHECK_ARGUMENT(lists[0].size() == static_cast<size_t>(size_), what, ": ", lists[0].size(),
                   " parts; expected one for each of ", size_, " ranks. Incorrect ", which, " list size ",
                   lists[0].size(), ". ", which[0] == 'i' ? "Input" : "Output", " list size should be ",
                   size_);
    check_lengths(what, lists[0], like);
}

void Backend::check_root_tensor(const char *what, int64_t index, const Tensors &tensors) const
{
    CHECK_ARGUMENT(index >= 0 && index < static_cast<int64_t>(tensors.size()), what,
                   ": invalid root tensor: ", index, "; expected one of ", tensors.size(), " tensors");
}

} // namespace muster_torch
