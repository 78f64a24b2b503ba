// MLX's group on muster: what mlx/distributed/distributed_impl.h asks of a backend, and the one function by
// which muster.mlx gives it to Python. Errors are exceptions; MLX keeps their sentences and raises them where
// the program waits.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "mlx/backend/cpu/encoder.h"
#include "mlx/distributed/distributed.h"
#include "mlx/distributed/distributed_impl.h"
#include "mlx/utils.h"

#include "muster/muster.h"
#include "turns.h"
#include "words.h"

namespace mx = mlx::core;

namespace muster_mlx
{

namespace
{

[[noreturn]] void raise(muster_status status, const char *operation, const std::string &detail)
{
    std::string sentence = std::string("[muster] ") + operation + ": " + detail;

    if (status == MUSTER_ERR_INVALID)
        throw std::invalid_argument(sentence);
    throw std::runtime_error(sentence);
}

std::string detail_of(const char *operation)
{
    return in_words_of_mlx(operation, muster_error_detail());
}

void check(muster_status status, const char *operation)
{
    if (status != MUSTER_OK)
        raise(status, operation, detail_of(operation));
}

bool is_for_good(muster_status status)
{
    return status >= MUSTER_ERR_PEER_DIED && status <= MUSTER_ERR_BAD_ARENA;
}

muster_dtype dtype_of(const mx::array &array)
{
    switch (array.dtype().val()) {
    case mx::Dtype::Val::bool_:
        return MUSTER_BOOL;
    case mx::Dtype::Val::uint8:
        return MUSTER_UINT8;
    case mx::Dtype::Val::uint16:
        return MUSTER_UINT16;
    case mx::Dtype::Val::uint32:
        return MUSTER_UINT32;
    case mx::Dtype::Val::uint64:
        return MUSTER_UINT64;
    case mx::Dtype::Val::int8:
        return MUSTER_INT8;
    case mx::Dtype::Val::int16:
        return MUSTER_INT16;
    case mx::Dtype::Val::int32:
        return MUSTER_INT32;
    case mx::Dtype::Val::int64:
        return MUSTER_INT64;
    case mx::Dtype::Val::float16:
        return MUSTER_FLOAT16;
    case mx::Dtype::Val::bfloat16:
        return MUSTER_BFLOAT16;
    case mx::Dtype::Val::float32:
        return MUSTER_FLOAT32;
    case mx::Dtype::Val::float64:
        return MUSTER_FLOAT64;
    case mx::Dtype::Val::complex64:
        return MUSTER_COMPLEX64;
    }
    throw std::invalid_argument("[muster] a dtype of MLX that muster does not know");
}

// The C group, with the turns of its operations. What is queued on streams holds it: a Group that is dropped
// is freed after the last of them, at once.
class Members
{
  public:
    explicit Members(muster_group *group) : group(group)
    {
    }
    Members(const Members &) = delete;
    Members &operator=(const Members &) = delete;
    ~Members()
    {
        muster_group_free(group);
    }

    // After an operation on a stream. Its exception may never reach the program: numpy drops it when it asks
    // for the array's buffer, and takes the elements as they are. So it is on stderr, too, once.
    void check_on_stream(muster_status status, const char *operation)
    {
        if (status == MUSTER_OK)
            return;
        std::string detail = detail_of(operation);
        {
            std::lock_guard<std::mutex> held(telling_);
            if (detail != told_)
                std::fprintf(stderr, "muster: %s: %s\n", operation, detail.c_str());
            told_ = detail;
            if (is_for_good(status) && broken_by_.empty())
                broken_by_ = detail;
        }
        raise(status, operation, detail);
    }

    // Where the program asks for an operation: MLX takes an array that has been given to a stream for
    // evaluated, whatever becomes of it there, and one whose operation throws here for one that is still to
    // be.
    void check_whole(const char *operation)
    {
        std::lock_guard<std::mutex> held(telling_);
        if (!broken_by_.empty())
            raise(MUSTER_ERR_PEER_DIED, operation, broken_by_);
    }

    muster_group *const group;
    std::mutex dispatching;
    Turns collectives, sends, receives;

  private:
    std::mutex telling_;
    std::string told_, broken_by_;
};

// Where an operation writes. What has failed leaves NaN there, or 0 where there is none, so that nobody
// computes with elements that are half reduced.
class Output
{
  public:
    Output() = default;
    explicit Output(mx::array &out)
        : at_(out.data<void>()), bytes_(out.nbytes()), is_inexact_(mx::issubdtype(out.dtype(), mx::inexact))
    {
    }

    void spoil() const
    {
        if (bytes_ > 0)
            std::memset(at_, is_inexact_ ? 0xff : 0,
                        bytes_); // all bits are NaN, in each float and half of one
    }

  private:
    void *at_ = nullptr;
    size_t bytes_ = 0;
    bool is_inexact_ = false;
};

} // namespace

class Group : public mx::distributed::detail::GroupImpl
{
  public:
    explicit Group(muster_group *group) : members_(std::make_shared<Members>(group))
    {
    }

    mx::Stream communication_stream(mx::StreamOrDevice s) override
    {
        return mx::to_stream(s, mx::Device::cpu);
    }

    int rank() override
    {
        return muster_group_rank(members_->group);
    }
    int size() override
    {
        return muster_group_size(members_->group);
    }

    std::shared_ptr<GroupImpl> split(int color, int key) override
    {
        muster_group *child = nullptr;

        check(muster_group_split(members_->group, color, key < 0 ? rank() : key, &child), "split");
        if (!child)
            throw std::invalid_argument("[muster] split: a color below 0 is no group; expected 0 or more");
        return std::make_shared<Group>(child);
    }

    void all_sum(const mx::array &in, mx::array &out, mx::Stream stream) override
    {
        reduce(in, out, stream, MUSTER_SUM, "all_sum");
    }
    void all_max(const mx::array &in, mx::array &out, mx::Stream stream) override
    {
        reduce(in, out, stream, MUSTER_MAX, "all_max");
    }
    void all_min(const mx::array &in, mx::array &out, mx::Stream stream) override
    {
        reduce(in, out, stream, MUSTER_MIN, "all_min");
    }

    void all_gather(const mx::array &in, mx::array &out, mx::Stream stream) override
    {
        dispatch(stream, members_->collectives, "all_gather", Output(out),
                 [from = in.data<void>(), to = out.data<void>(), count = in.size(), dtype = dtype_of(in)](
                     muster_group *group) { return muster_all_gather(from, to, count, dtype, group); });
    }

    void sum_scatter(const mx::array &in, mx::array &out, mx::Stream stream) override
    {
        dispatch(stream, members_->collectives, "sum_scatter", Output(out),
                 [from = in.data<void>(), to = out.data<void>(), count = out.size(), dtype = dtype_of(in)](
                     muster_group *group) { return muster_sum_scatter(from, to, count, dtype, group); });
    }

    void send(const mx::array &in, int dst, mx::Stream stream) override
    {
        dispatch(stream, members_->sends, "send", Output(),
                 [from = in.data<void>(), count = in.size(), dtype = dtype_of(in), dst](muster_group *group) {
                     return muster_send(from, count, dtype, dst, 0, group);
                 });
    }

    void recv(mx::array &out, int src, mx::Stream stream) override
    {
        dispatch(stream, members_->receives, "recv", Output(out),
                 [to = out.data<void>(), count = out.size(), dtype = dtype_of(out), src](
                     muster_group *group) { return muster_recv(to, count, dtype, src, 0, group, nullptr); });
    }

  private:
    void reduce(const mx::array &in, mx::array &out, mx::Stream stream, muster_op op, const char *operation)
    {
        dispatch(stream, members_->collectives, operation, Output(out),
                 [from = in.data<void>(), to = out.data<void>(), count = in.size(), dtype = dtype_of(in),
                  op](muster_group *group) { return muster_all_reduce(from, to, count, dtype, op, group); });
    }

    // MLX keeps the arrays of what it has given to a stream until that is done, so pointers are enough. To
    // take a turn and to give it to the stream is one step: two threads' could else lie there in the other
    // order, and the first wait for the second for ever.
    template <typename Call>
    void dispatch(mx::Stream stream, Turns &turns, const char *operation, Output out, Call call)
    {
        members_->check_whole(operation);
        std::lock_guard<std::mutex> held(members_->dispatching);
        auto turn = std::make_shared<Turns::Turn>(turns);

        mx::cpu::get_command_encoder(stream).dispatch(
            [members = members_, turn = std::move(turn), operation, out, call]() mutable {
                turn->wait();
                muster_status status = call(members->group);
                turn.reset();
                if (status != MUSTER_OK)
                    out.spoil();
                members->check_on_stream(status, operation);
            });
    }

    const std::shared_ptr<Members> members_;
};

namespace
{

// One for the process, as of MLX's other backends. It is a copy: what the program does with the world by
// `import muster` is in nobody's way here, and no signal handler of Python's runs on a thread of MLX's.
std::shared_ptr<Group> world(bool strict)
{
    static std::mutex lock;
    static auto &made = *new std::shared_ptr<Group>; // never freed: streams may run until the process ends
    std::lock_guard<std::mutex> held(lock);

    if (made && !strict)
        return made;
    muster_group *all = nullptr, *copy = nullptr;
    // "mpi" is the ranks of mpirun, and elsewhere what is meant by no name.
    check(muster_init(strict, muster_is_available("mpi") ? "mpi" : nullptr, &all), "init");
    if (made) {
        muster_group_free(all);
        return made;
    }
    check(muster_group_dup(all, &copy), "init");
    muster_group_set_interrupt(copy, nullptr, nullptr);
    made = std::make_shared<Group>(copy);
    return made;
}

// The C++ Group in a Python object of the type mlx.core.distributed.Group, which ends with it; the object has
// the group of a backend that is not here. NULL when what is there is not such a group: nothing has been
// changed then.
mx::distributed::Group *group_in(void *object, size_t bytes)
{
    struct Words {
        char *group, *count; // of a std::shared_ptr
    } there, known;
    mx::distributed::Group alike = mx::distributed::init(false, "jaccl");
    static_assert(sizeof alike == sizeof known, "a Group is a std::shared_ptr");

    if (bytes < 2 * sizeof(void *) + sizeof there || bytes % sizeof(void *) != 0)
        return nullptr;
    auto *at = static_cast<unsigned char *>(object) + bytes - sizeof there;
    std::memcpy(&there, at, sizeof there);
    std::memcpy(&known, &alike, sizeof known);
    if (there.group - there.count != known.group - known.count ||   // both are of std::make_shared
        std::memcmp(there.group, known.group, sizeof(void *)) != 0) // of one class
        return nullptr;
    return reinterpret_cast<mx::distributed::Group *>(at);
}

} // namespace

} // namespace muster_mlx

// Makes an object that mx.distributed.init(backend="jaccl") has returned, of so many bytes, the world.
// Returns 0, or what to raise: 1, RuntimeError, 2, ValueError, with the sentence.
extern "C" __attribute__((visibility("default"))) int
muster_mlx_become_world(void *object, size_t bytes, bool strict, char *sentence, size_t sentence_bytes)
{
    try {
        mx::distributed::Group *group = muster_mlx::group_in(object, bytes);
        if (!group)
            throw std::runtime_error(
                "[muster] init: this version of MLX keeps its groups in another way than muster "
                "knows; muster run --mlx does without muster.mlx");
        *group = mx::distributed::Group(muster_mlx::world(strict));
        return 0;
    } catch (const std::exception &error) {
        size_t length = std::min(std::strlen(error.what()), sentence_bytes - 1);
        std::memcpy(sentence, error.what(), length);
        sentence[length] = '\0';
        return dynamic_cast<const std::invalid_argument *>(&error) ? 2 : 1;
    }
}
