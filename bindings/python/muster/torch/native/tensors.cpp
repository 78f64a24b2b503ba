// Tensors as memory, of tensors.h.
#include "tensors.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "errors.h"

namespace muster_torch
{

namespace
{

// Of types that muster knows; MUSTER_BYTES_OF for others.
muster_dtype dtype_of(at::ScalarType type)
{
    switch (type) {
    case at::kBool:
        return MUSTER_BOOL;
    case at::kChar:
        return MUSTER_INT8;
    case at::kShort:
        return MUSTER_INT16;
    case at::kInt:
        return MUSTER_INT32;
    case at::kLong:
        return MUSTER_INT64;
    case at::kByte:
        return MUSTER_UINT8;
    case at::kUInt16:
        return MUSTER_UINT16;
    case at::kUInt32:
        return MUSTER_UINT32;
    case at::kUInt64:
        return MUSTER_UINT64;
    case at::kHalf:
        return MUSTER_FLOAT16;
    case at::kBFloat16:
        return MUSTER_BFLOAT16;
    case at::kFloat:
        return MUSTER_FLOAT32;
    case at::kDouble:
        return MUSTER_FLOAT64;
    case at::kComplexFloat:
        return MUSTER_COMPLEX64;
    case at::kComplexDouble:
        return MUSTER_COMPLEX128;
    case at::kFloat8_e4m3fn:
        return MUSTER_FLOAT8_E4M3;
    case at::kFloat8_e5m2:
        return MUSTER_FLOAT8_E5M2;
    default:
        return MUSTER_BYTES_OF;
    }
}

const char *word_for(::c10d::ReduceOp::RedOpType op)
{
    static const char *const names[] = { "SUM",  "AVG", "PRODUCT", "MIN",       "MAX",
                                         "BAND", "BOR", "BXOR",    "PREMUL_SUM" };

    return op < std::size(names) ? names[op] : "UNUSED";
}

bool is_in_c_order(const at::Tensor &tensor)
{
    return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg();
}

muster_op op_of(::c10d::ReduceOp::RedOpType op)
{
    switch (op) {
    case ::c10d::ReduceOp::SUM:
        return MUSTER_SUM;
    case ::c10d::ReduceOp::AVG:
        return MUSTER_AVG;
    case ::c10d::ReduceOp::PRODUCT:
        return MUSTER_PROD;
    case ::c10d::ReduceOp::MIN:
        return MUSTER_MIN;
    case ::c10d::ReduceOp::MAX:
        return MUSTER_MAX;
    case ::c10d::ReduceOp::BAND:
        return MUSTER_BAND;
    case ::c10d::ReduceOp::BOR:
        return MUSTER_BOR;
    case ::c10d::ReduceOp::BXOR:
        return MUSTER_BXOR;
    default:
        TORCH_CHECK_NOT_IMPLEMENTED(false, "muster has no reduction ", word_for(op),
                                    "; expected SUM, AVG, PRODUCT, "
                                    "MIN, MAX, BAND, BOR, BXOR or PREMUL_SUM");
    }
}

double largest_of(at::ScalarType type)
{
    switch (type) {
    case at::kHalf:
        return std::numeric_limits<c10::Half>::max();
    case at::kBFloat16:
        return std::numeric_limits<c10::BFloat16>::max();
    case at::kFloat8_e4m3fn:
        return std::numeric_limits<c10::Float8_e4m3fn>::max();
    case at::kFloat8_e5m2:
        return std::numeric_limits<c10::Float8_e5m2>::max();
    case at::kFloat:
    case at::kComplexFloat:
        return std::numeric_limits<float>::max();
    default:
        return std::numeric_limits<double>::max();
    }
}

// Not: a number that becomes infinite, or the largest one, without a word.
bool is_too_large(const at::Tensor &factor, at::ScalarType type)
{
    auto value = factor.to(at::kComplexDouble).item<c10::complex<double>>();
    auto is_beyond = [type](double part) { return std::isfinite(part) && std::abs(part) > largest_of(type); };

    return is_beyond(value.real()) || is_beyond(value.imag());
}

// This rank's factor, as one element of the type.
at::Tensor factor_of(at::ScalarType type, const ::c10d::ReduceOp &op)
{
    const auto *given = dynamic_cast<const ::c10d::PreMulSumSupplement *>(op.supplement_.get());

    CHECK_ARGUMENT(given, "PREMUL_SUM has no factor; make it with torch.distributed._make_nccl_premul_sum");
    TORCH_CHECK_NOT_IMPLEMENTED(type != at::kBool,
                                "PREMUL_SUM of torch.bool: it has no products; convert the tensor "
                                "first");
    at::Tensor factor = given->tensor_factor.defined()
                            ? given->tensor_factor.detach().reshape({ 1 }).cpu()
                            : at::full({ 1 }, given->double_factor, at::TensorOptions().dtype(at::kDouble));
    at::Tensor element = factor.to(type).contiguous();
    bool is_integer = at::isIntegralType(type, /*includeBool=*/false);
    bool is_of_type = is_integer ? element.to(factor.scalar_type()).equal(factor)
                                 : !is_too_large(factor, type);
    TORCH_CHECK_NOT_IMPLEMENTED(is_of_type,
                                "PREMUL_SUM of ", name_of(type), " by ",
                                factor.to(at::kDouble).item<double>(),
                                ", which is not of that type; convert the tensor first");
    return element;
}

} // namespace

std::string name_of(at::ScalarType type)
{
    static const std::pair<at::ScalarType, const char *> names[] = {
        { at::kFloat8_e4m3fnuz, "float8_e4m3fnuz" }, { at::kFloat8_e5m2fnuz, "float8_e5m2fnuz" },
        { at::kFloat8_e8m0fnu, "float8_e8m0fnu" },   { at::kFloat8_e4m3fn, "float8_e4m3fn" },
        { at::kFloat8_e5m2, "float8_e5m2" },
    };
    for (const auto &[known, name] : names)
        if (known == type)
            return std::string("torch.") + name;
    muster_dtype dtype = dtype_of(type);
    return std::string("torch.") + (dtype == MUSTER_BYTES_OF ? at::toString(type) : muster_dtype_name(dtype));
}

std::string describe(const at::Tensor &tensor)
{
    return c10::str(name_of(tensor.scalar_type()).substr(6), " x ", tensor.numel());
}

void check_tensor(const at::Tensor &tensor)
{
    CHECK_ARGUMENT(tensor.defined(), "a tensor that is none; expected one with elements");
    TORCH_CHECK_NOT_IMPLEMENTED(tensor.layout() == at::kStrided,
                                "muster moves dense tensors, and this one is torch.",
                                tensor.layout() == at::kSparse ? "sparse_coo" : "sparse", "; use to_dense()");
    TORCH_CHECK_NOT_IMPLEMENTED(tensor.device().is_cpu(),
                                "muster moves tensors in this machine's memory, and this one "
                                "is on ",
                                tensor.device().str(), "; copy it to the CPU");
    TORCH_CHECK_NOT_IMPLEMENTED(!tensor.is_quantized(),
                                "muster does not move quantized tensors, and this one is ",
                                at::toString(tensor.scalar_type()), "; use int_repr()");
}

void check_tensors(const Tensors &tensors)
{
    for (const at::Tensor &tensor : tensors)
        check_tensor(tensor);
}

at::Tensor elements(const at::Tensor &tensor)
{
    if (is_in_c_order(tensor))
        return tensor;
    at::NoGradGuard quiet;
    return tensor.detach().resolve_conj().resolve_neg().contiguous();
}

void tell_autograd(const at::Tensor &written)
{
    if (!written.is_inference())
        written.unsafeGetTensorImpl()->bump_version();
}

void write(const at::Tensor &to, const at::Tensor &from)
{
    {
        const at::AutoDispatchBelowADInplaceOrView as_memory;
        to.copy_(from);
    }
    tell_autograd(to);
}

Place::Place(const at::Tensor &tensor, bool apart) : tensor_(tensor)
{
    if (!is_in_c_order(tensor)) {
        copy_ = elements(tensor);
    } else if (apart) {
        at::NoGradGuard quiet;
        copy_ = tensor.detach().clone();
    }
}

void Place::keep() const
{
    if (copy_.defined())
        write(tensor_, copy_);
}

void Place::keep_and_tell() const
{
    if (copy_.defined())
        keep();
    else
        tell_autograd(tensor_);
}

at::Tensor joined(const Tensors &parts)
{
    at::NoGradGuard quiet;
    Tensors flat;

    flat.reserve(parts.size());
    for (const at::Tensor &part : parts)
        flat.push_back(elements(part).detach().reshape({ -1 }));
    return at::cat(flat);
}

void distribute(const at::Tensor &whole, const Tensors &parts)
{
    int64_t at = 0;

    for (const at::Tensor &part : parts) {
        write(part, whole.narrow(0, at, part.numel()).view(part.sizes()));
        at += part.numel();
    }
}

void copy_to_others(const Tensors &tensors, size_t one)
{
    for (size_t i = 0; i < tensors.size(); i++)
        if (i != one)
            write(tensors[i], tensors[one]);
}

std::vector<bool> find_shared(const Tensors &tensors)
{
    struct Extent {
        uintptr_t begin, end;
        size_t which;
    };
    std::vector<Extent> extents;
    std::vector<bool> shared(tensors.size());

    for (size_t i = 0; i < tensors.size(); i++) {
        if (!tensors[i].numel())
            continue;
        int64_t last = 0;
        for (int64_t dim = 0; dim < tensors[i].dim(); dim++)
            last += (tensors[i].size(dim) - 1) * tensors[i].stride(dim);
        const uintptr_t begin = reinterpret_cast<uintptr_t>(tensors[i].const_data_ptr());
        extents.push_back({ begin, begin + static_cast<size_t>(last + 1) * tensors[i].element_size(), i });
    }
    std::sort(extents.begin(), extents.end(),
              [](const Extent &a, const Extent &b) { return a.begin < b.begin; });
    for (size_t i = 1, farthest = 0; i < extents.size(); i++) {
        if (extents[i].begin < extents[farthest].end)
            shared[extents[i].which] = shared[extents[farthest].which] = true;
        if (extents[i].end > extents[farthest].end)
            farthest = i;
    }
    return shared;
}

Moved how_moved(const at::Tensor &tensor)
{
    muster_dtype dtype = dtype_of(tensor.scalar_type());

    return dtype == MUSTER_BYTES_OF ? Moved{ MUSTER_UINT8, static_cast<size_t>(tensor.element_size()) }
                                    : Moved{ dtype, 1 };
}

void combine_into_first(const Tensors &tensors, ::c10d::ReduceOp::RedOpType op)
{
    at::NoGradGuard quiet;
    at::Tensor all = tensors[0].detach();

    for (size_t i = 1; i < tensors.size(); i++) {
        const at::Tensor one = tensors[i].detach();
        switch (op) {
        case ::c10d::ReduceOp::PRODUCT:
            all = all * one;
            break;
        case ::c10d::ReduceOp::MIN:
            all = at::minimum(all, one);
            break;
        case ::c10d::ReduceOp::MAX:
            all = at::maximum(all, one);
            break;
        case ::c10d::ReduceOp::BAND:
            all = all.bitwise_and(one);
            break;
        case ::c10d::ReduceOp::BOR:
            all = all.bitwise_or(one);
            break;
        case ::c10d::ReduceOp::BXOR:
            all = all.bitwise_xor(one);
            break;
        default:
            all = all + one;
        }
    }
    write(tensors[0], all);
}

// By one element of theirs.
void check_combines(const at::Tensor &like, const ::c10d::ReduceOp &op)
{
    const Combined how(like, op);
    bool combines = true;

    try {
        const at::Tensor one = at::zeros({ 1 }, like.options().requires_grad(false));
        combine_into_first({ one, one }, how.op_type);
    } catch (const c10::Error &) {
        combines = false;
    }
    TORCH_CHECK_NOT_IMPLEMENTED(
        combines, "muster cannot combine several tensors of ", name_of(like.scalar_type()), " by ",
        word_for(how.op_type), " in one call, as PyTorch cannot: Invalid scalar type; give one in each call");
}

Combined::Combined(const at::Tensor &tensor, const ::c10d::ReduceOp &wanted) : op_type(wanted.op_)
{
    using Op = ::c10d::ReduceOp;
    at::ScalarType type = tensor.scalar_type();
    bool real = at::isFloatingType(type) || at::isComplexType(type);
    bool by_bit = wanted.op_ == Op::BAND || wanted.op_ == Op::BOR || wanted.op_ == Op::BXOR;

    TORCH_CHECK_NOT_IMPLEMENTED(
        wanted.op_ != Op::AVG || real, "AVG of ", name_of(type),
        ": muster averages "
        "floating-point tensors only, as the mean of integers is none; use SUM, and divide as "
        "you mean it");
    TORCH_CHECK_NOT_IMPLEMENTED(!by_bit || !real, word_for(wanted.op_), " of ", name_of(type),
                                ": muster combines the "
                                "bits of integers and of bool only");
    dtype = dtype_of(type);
    TORCH_CHECK_NOT_IMPLEMENTED(dtype != MUSTER_BYTES_OF, "muster cannot reduce ", name_of(type), " by ",
                                word_for(wanted.op_), "; convert the tensor first");
    if (wanted.op_ != Op::PREMUL_SUM) {
        op = op_of(wanted.op_);
        return;
    }
    at::Tensor factor = factor_of(type, wanted);
    check(muster_op_create_premul_sum(factor.data_ptr(), dtype, &op));
    made_ = std::shared_ptr<muster_op>(new muster_op(op), [](muster_op *made) {
        muster_op_free(*made);
        delete made;
    });
}

} // namespace muster_torch
