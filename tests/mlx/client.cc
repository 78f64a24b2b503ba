// Behaves as MLX's mpi backend does, against the library that MLX would load: the same symbols, loaded in the
// same way, called in the same order and from as many threads; and what has broken others. In C++, as MLX is,
// since errors are exceptions there.
//
//     muster run --mlx -n 4 -- client CASE
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "user_ops.h"

namespace {

using Comm = void *;
using Op = void *;
using UserFunction = void(void *, void *, int *, Type *);

struct Status {
    int source, tag, error, cancelled;
    size_t bytes;
};

void *const in_place = reinterpret_cast<void *>(1);

struct Library {
    int (*version)(char *, int *);
    int (*init)(int *, char ***);
    int (*finalize)();
    int (*rank)(Comm, int *);
    int (*size)(Comm, int *);
    int (*split)(Comm, int, int, Comm *);
    int (*free)(Comm *);
    int (*all_reduce)(const void *, void *, int, Type, Op, Comm);
    int (*all_gather)(const void *, int, Type, void *, int, Type, Comm);
    int (*send)(const void *, int, Type, int, int, Comm);
    int (*recv)(void *, int, Type, int, int, Comm, Status *);
    int (*contiguous)(int, Type, Type *);
    int (*commit)(Type *);
    int (*op_create)(UserFunction *, int, Op *);
    Comm world;
    Op sum, max, min;
    Type boolean, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64, complex64;
} mpi;

struct Ops {
    Type float16, bfloat16;
    Op sum_f16, sum_bf16, max_f16, max_bf16, max_c64, min_f16, min_bf16, min_c64, product;
} ops;

int rank_, size_;

[[noreturn]] void fail(int line, const char *what)
{
    std::fprintf(stderr, "client.cc:%d: rank %d of %d: %s\n", line, rank_, size_, what);
    _exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

// ---- loading ----

template <typename T> void look_up(void *library, const char *name, T &symbol)
{
    void *found = dlsym(library, name);

    if (!found)
        fail(__LINE__, name);
    std::memcpy(&symbol, &found, sizeof found);
}

void load()
{
    const char *name = std::getenv("MLX_MPI_LIBNAME");
    CHECK(name && !std::getenv("MLX_RANK") && !std::getenv("MLX_HOSTFILE"));
    void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    if (!library)
        fail(__LINE__, dlerror());

    look_up(library, "MPI_Get_library_version", mpi.version);
    char text[256];
    int length = 0;
    CHECK(mpi.version(text, &length) == 0 && std::strstr(text, "Open MPI"));

    look_up(library, "MPI_Init", mpi.init);
    look_up(library, "MPI_Finalize", mpi.finalize);
    look_up(library, "MPI_Comm_rank", mpi.rank);
    look_up(library, "MPI_Comm_size", mpi.size);
    look_up(library, "MPI_Comm_split", mpi.split);
    look_up(library, "MPI_Comm_free", mpi.free);
    look_up(library, "MPI_Allreduce", mpi.all_reduce);
    look_up(library, "MPI_Allgather", mpi.all_gather);
    look_up(library, "MPI_Send", mpi.send);
    look_up(library, "MPI_Recv", mpi.recv);
    look_up(library, "MPI_Type_contiguous", mpi.contiguous);
    look_up(library, "MPI_Type_commit", mpi.commit);
    look_up(library, "MPI_Op_create", mpi.op_create);
    look_up(library, "ompi_mpi_comm_world", mpi.world);
    look_up(library, "ompi_mpi_op_sum", mpi.sum);
    look_up(library, "ompi_mpi_op_max", mpi.max);
    look_up(library, "ompi_mpi_op_min", mpi.min);
    look_up(library, "ompi_mpi_c_bool", mpi.boolean);
    look_up(library, "ompi_mpi_int8_t", mpi.int8);
    look_up(library, "ompi_mpi_uint8_t", mpi.uint8);
    look_up(library, "ompi_mpi_int16_t", mpi.int16);
    look_up(library, "ompi_mpi_uint16_t", mpi.uint16);
    look_up(library, "ompi_mpi_int32_t", mpi.int32);
    look_up(library, "ompi_mpi_uint32_t", mpi.uint32);
    look_up(library, "ompi_mpi_int64_t", mpi.int64);
    look_up(library, "ompi_mpi_uint64_t", mpi.uint64);
    look_up(library, "ompi_mpi_float", mpi.float32);
    look_up(library, "ompi_mpi_double", mpi.float64);
    look_up(library, "ompi_mpi_c_complex", mpi.complex64);
}

// ---- the beginning ----

void begin()
{
    load();
    CHECK(mpi.init(nullptr, nullptr) == 0);
    for (Type *type : { &ops.float16, &ops.bfloat16 }) {
        CHECK(mpi.contiguous(2, mpi.uint8, type) == 0);
        CHECK(mpi.commit(type) == 0);
    }
    using F16 = Half<from_half, to_half>;
    using BF16 = Half<from_bfloat, to_bfloat>;
    mpi.op_create(F16::sum, 1, &ops.sum_f16);
    mpi.op_create(BF16::sum, 1, &ops.sum_bf16);
    mpi.op_create(F16::max, 1, &ops.max_f16);
    mpi.op_create(BF16::max, 1, &ops.max_bf16);
    mpi.op_create(complex_extreme<true>, 1, &ops.max_c64);
    mpi.op_create(F16::min, 1, &ops.min_f16);
    mpi.op_create(BF16::min, 1, &ops.min_bf16);
    mpi.op_create(complex_extreme<false>, 1, &ops.min_c64);
    mpi.op_create(left_twice, 0, &ops.product);
    CHECK(mpi.size(mpi.world, &size_) == 0 && mpi.rank(mpi.world, &rank_) == 0);
}

std::string error_of(const std::function<void()> &call)
{
    try {
        call();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}

// ---- reductions ----

template <typename T> void reduce_numbers(Type type)
{
    const int counts[] = { 1, 7, 1024, 100003 };

    for (int count : counts) {
        std::vector<T> in(size_t(count) + 1), out(size_t(count) + 1);
        for (int i = 0; i < count; i++)
            in[size_t(i)] = T((rank_ + 1) * (i % 5 + 1));
        mpi.all_reduce(in.data(), out.data(), count, type, mpi.sum, mpi.world);
        for (int i = 0; i < count; i++)
            CHECK(out[size_t(i)] == T(T(size_ * (size_ + 1) / 2) * T(i % 5 + 1)));
        mpi.all_reduce(in.data(), out.data(), count, type, mpi.max, mpi.world);
        CHECK(out[size_t(count) - 1] == T(size_ * ((count - 1) % 5 + 1)));
        mpi.all_reduce(in_place, in.data(), count, type, mpi.min, mpi.world);
        CHECK(in[size_t(count) - 1] == T((count - 1) % 5 + 1));
    }
}

void reduce_halves()
{
    // 1 + 3 ulp/4 per rank: rounded after every addition the small parts are lost, rounded once they are not.
    std::vector<uint16_t> half(1000, to_half(rank_ == 0 ? 1024.0f : 0.375f)), out(1000);
    mpi.all_reduce(half.data(), out.data(), 1000, ops.float16, ops.sum_f16, mpi.world);
    for (uint16_t bits : out)
        CHECK(bits == to_half(1024.0f + 0.375f * float(size_ - 1)));
    std::vector<uint16_t> bfloat(1000, to_bfloat(rank_ == 0 ? 256.0f : 0.75f));
    mpi.all_reduce(in_place, bfloat.data(), 1000, ops.bfloat16, ops.sum_bf16, mpi.world);
    for (uint16_t bits : bfloat)
        CHECK(bits == to_bfloat(256.0f + 0.75f * float(size_ - 1)));

    // A pattern that is NaN in one and a number in the other tells which was recognised.
    uint16_t value = rank_ == 0 ? 0x7c01 : 0x3c00, result;
    mpi.all_reduce(&value, &result, 1, ops.bfloat16, ops.max_bf16, mpi.world);
    CHECK(result == 0x7c01);
    mpi.all_reduce(&value, &result, 1, ops.bfloat16, ops.min_bf16, mpi.world);
    CHECK(result == (size_ > 1 ? 0x3c00 : 0x7c01));
    mpi.all_reduce(&value, &result, 1, ops.float16, ops.max_f16, mpi.world);
    CHECK(std::isnan(from_half(result)));
    mpi.all_reduce(&value, &result, 1, ops.float16, ops.min_f16, mpi.world);
    CHECK(std::isnan(from_half(result)));
}

void reduce_the_rest()
{
    float number[2] = { float(rank_ / 2), float(-rank_) }, extreme[2];
    mpi.all_reduce(number, extreme, 1, mpi.complex64, ops.max_c64, mpi.world);
    int top = (size_ - 1) / 2 * 2;
    CHECK(extreme[0] == float(top / 2) && extreme[1] == float(-top));
    mpi.all_reduce(number, extreme, 1, mpi.complex64, ops.min_c64, mpi.world);
    CHECK(extreme[0] == 0 && extreme[1] == (size_ > 1 ? -1.0f : 0.0f));
    mpi.all_reduce(number, extreme, 1, mpi.complex64, mpi.sum, mpi.world);
    CHECK(extreme[1] == float(-(size_ - 1) * size_ / 2));

    bool flag = rank_ == 1, any, all;
    mpi.all_reduce(&flag, &any, 1, mpi.boolean, mpi.sum, mpi.world);
    CHECK(any == (size_ > 1));
    mpi.all_reduce(&flag, &all, 1, mpi.boolean, mpi.min, mpi.world);
    CHECK(!all);

    int32_t own = rank_ + 1, reduced = 0, expected = 1;
    for (int r = 1; r < size_; r++)
        expected = 2 * expected + r + 1;
    mpi.all_reduce(&own, &reduced, 1, mpi.int32, ops.product, mpi.world);
    CHECK(reduced == expected);
    mpi.all_reduce(nullptr, nullptr, 0, mpi.float32, mpi.sum, mpi.world);
    mpi.all_reduce(nullptr, nullptr, 0, mpi.int32, ops.product, mpi.world);
}

void reductions()
{
    reduce_numbers<int8_t>(mpi.int8);
    reduce_numbers<uint8_t>(mpi.uint8);
    reduce_numbers<int16_t>(mpi.int16);
    reduce_numbers<uint16_t>(mpi.uint16);
    reduce_numbers<int32_t>(mpi.int32);
    reduce_numbers<uint32_t>(mpi.uint32);
    reduce_numbers<int64_t>(mpi.int64);
    reduce_numbers<uint64_t>(mpi.uint64);
    reduce_numbers<float>(mpi.float32);
    reduce_numbers<double>(mpi.float64);
    reduce_halves();
    reduce_the_rest();
}

// ---- moving ----

void messages()
{
    std::vector<int32_t> own(300, rank_), all(size_t(300 * size_));
    mpi.all_gather(own.data(), 300, mpi.int32, all.data(), 300, mpi.int32, mpi.world);
    for (int r = 0; r < size_; r++)
        CHECK(all[size_t(300 * r + 299)] == r);
    mpi.all_gather(nullptr, 0, mpi.float32, nullptr, 0, mpi.float32, mpi.world);
    std::vector<uint16_t> halves(5, uint16_t(rank_)), of_all(size_t(5 * size_));
    mpi.all_gather(halves.data(), 5, ops.bfloat16, of_all.data(), 5, ops.bfloat16, mpi.world);
    CHECK(of_all.back() == size_ - 1);

    // Small sends to anyone, oneself too, before anybody receives; in order.
    Status status;
    for (int round = 0; round < 50; round++)
        for (int dst = 0; dst < size_; dst++) {
            int32_t word = 1000 * rank_ + round;
            mpi.send(&word, 1, mpi.int32, dst, 0, mpi.world);
        }
    for (int round = 0; round < 50; round++)
        for (int src = 0; src < size_; src++) {
            int32_t word = -1;
            mpi.recv(&word, 1, mpi.int32, src, -1, mpi.world, &status);
            CHECK(word == 1000 * src + round && status.source == src && status.bytes == 4);
        }
    std::vector<float> large(1 << 20, float(rank_));
    if (rank_ == 0)
        mpi.send(large.data(), 1 << 20, mpi.float32, size_ - 1, 0, mpi.world);
    if (rank_ == size_ - 1) {
        mpi.recv(large.data(), 1 << 20, mpi.float32, 0, -1, mpi.world, &status);
        CHECK(large.back() == 0);
    }
}

// ---- communicators ----

int32_t sum_of_ones(Comm comm)
{
    int32_t one = 1, sum = 0;

    mpi.all_reduce(&one, &sum, 1, mpi.int32, mpi.sum, comm);
    return sum;
}

void splits()
{
    Comm half, reversed, none, nested;
    int rank, size;

    mpi.split(mpi.world, rank_ % 2, rank_, &half);
    mpi.size(half, &size);
    CHECK(size == (size_ + 1 - rank_ % 2) / 2 && sum_of_ones(half) == size);
    mpi.split(mpi.world, 0, -rank_ + size_, &reversed);
    mpi.rank(reversed, &rank);
    CHECK(rank == size_ - 1 - rank_);
    mpi.split(mpi.world, -32766, 0, &none);
    CHECK(none == nullptr);
    mpi.split(half, 0, 0, &nested);
    CHECK(sum_of_ones(nested) == size);

    // Freed before what is queued on it has run, twice, and in another order on each rank.
    Comm queued = half, copy = half, first = rank_ % 2 ? reversed : nested, second = rank_ % 2 ? nested : reversed;
    CHECK(mpi.free(&half) == 0 && half == nullptr);
    CHECK(mpi.free(&copy) == 0 && mpi.free(&half) == 0);
    CHECK(sum_of_ones(queued) == size);
    mpi.free(&first);
    mpi.free(&second);

    // Many more than there may be at a time.
    for (int i = 0; i < 6000; i++) {
        Comm some;
        mpi.split(mpi.world, i % 3 == rank_ % 3, 0, &some);
        if (i % 500 == 0)
            sum_of_ones(some);
        mpi.free(&some);
    }
}

// ---- groups that are dropped while they are in use; each rank alone ----

// Drops so many new groups that the oldest dropped ones are freed, whoever may have something queued on them.
void drop_many(Comm parent)
{
    for (int i = 0; i < 1100; i++) {
        Comm some;
        mpi.split(parent, 0, 0, &some);
        mpi.free(&some);
    }
}

void wait_until_asleep(pid_t thread)
{
    for (std::string word, state; state != "S";)
        std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat") >> word >> word >> state;
}

// One in which a thread waits stays, and those that were dropped after it go.
void drop_one_that_waits(Comm alone)
{
    Comm waiting, after;
    mpi.split(alone, 0, 0, &waiting);
    mpi.split(alone, 0, 0, &after);
    Comm of_waiting = waiting, of_after = after;
    std::atomic<pid_t> thread{ 0 };
    std::thread stream([&thread, of_waiting] {
        int32_t word = 0;
        Status status;
        thread = gettid();
        mpi.recv(&word, 1, mpi.int32, 0, -1, of_waiting, &status);
        CHECK(word == 7);
    });
    while (!thread)
        std::this_thread::yield();
    wait_until_asleep(thread);
    mpi.free(&waiting);
    mpi.free(&after);
    drop_many(alone);
    CHECK(error_of([&] { sum_of_ones(of_after); }).find("dropped long ago") != std::string::npos);
    int32_t word = 7;
    mpi.send(&word, 1, mpi.int32, 0, 0, of_waiting);
    stream.join();
    drop_many(alone);
    CHECK(error_of([&] { sum_of_ones(of_waiting); }).find("dropped long ago") != std::string::npos);
}

// One on which a thread operates without end: it is freed between two operations, never within one.
void drop_one_that_operates(Comm alone)
{
    Comm used;
    mpi.split(alone, 0, 0, &used);
    std::atomic<bool> begun{ false }, ended{ false };
    std::thread stream([&, used] {
        std::string text;
        while (text.empty())
            text = error_of([&] {
                int32_t one = 1, sum = 0;
                mpi.all_reduce(&one, &sum, 1, mpi.int32, ops.product, used);
                mpi.all_gather(in_place, 1, mpi.int32, &sum, 1, mpi.int32, used);
                CHECK(sum_of_ones(used) == 1 && sum == 1);
                begun = true;
            });
        CHECK(text.find("dropped long ago") != std::string::npos);
        ended = true;
    });
    while (!begun)
        std::this_thread::yield();
    mpi.free(&used);
    while (!ended)
        drop_many(alone);
    stream.join();
}

void in_use()
{
    Comm alone;
    mpi.split(mpi.world, rank_, 0, &alone);
    drop_one_that_waits(alone);
    for (int i = 0; i < 20; i++)
        drop_one_that_operates(alone);
}

void threads()
{
    std::vector<Comm> comms(4);
    for (auto &comm : comms)
        mpi.split(mpi.world, 0, rank_, &comm);
    std::vector<std::thread> streams;
    for (auto comm : comms)
        streams.emplace_back([comm] {
            for (int i = 0; i < 200; i++)
                CHECK(sum_of_ones(comm) == size_);
        });
    streams.emplace_back([] {
        for (int i = 0; i < 200; i++)
            CHECK(sum_of_ones(mpi.world) == size_);
    });
    for (int i = 0; i < 100; i++) { // beside collectives of the same parent
        Comm some;
        mpi.split(mpi.world, 0, rank_, &some);
        mpi.free(&some);
    }
    for (auto &stream : streams)
        stream.join();
}

void after_the_end()
{
    Comm comm;

    mpi.split(mpi.world, 0, rank_, &comm);
    std::thread stream([comm] {
        for (int i = 0; i < 500; i++)
            sum_of_ones(comm);
    });
    CHECK(mpi.finalize() == 0);
    CHECK(mpi.free(&comm) == 0);
    stream.join();
}

// ---- errors ----

void errors()
{
    float x = 1;
    std::string text = error_of([&] { mpi.all_reduce(&x, &x, -5, mpi.float32, mpi.sum, mpi.world); });
    CHECK(text.find("negative") != std::string::npos);
    text = error_of([&] { sum_of_ones(nullptr); });
    CHECK(text.find("there is no group") != std::string::npos);
    text = error_of([&] {
        Comm comm;
        mpi.split(mpi.world, -7, 0, &comm);
    });
    CHECK(text.find("color") != std::string::npos);
    CHECK(sum_of_ones(mpi.world) == size_);
    std::vector<float> y(9);
    text = error_of([&] { mpi.all_reduce(in_place, y.data(), 7 + (rank_ == 0), mpi.float32, mpi.sum, mpi.world); });
    CHECK(text.find("float32 x 8") != std::string::npos);
}

void death()
{
    sum_of_ones(mpi.world);
    if (rank_ == 1)
        std::raise(SIGKILL);
    for (int i = 0; i < 3; i++) { // not only once
        std::string text = error_of([] { sum_of_ones(mpi.world); });
        CHECK(text.find("rank 1 was killed by signal 9") != std::string::npos);
    }
    std::printf("told\n");
}

} // namespace

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)();
    } cases[] = { { "reductions", reductions }, { "messages", messages }, { "splits", splits },
                  { "in_use", in_use },         { "threads", threads },   { "after", after_the_end },
                  { "errors", errors },         { "death", death } };

    begin();
    for (const auto &one : cases)
        if (argc > 1 && std::strcmp(argv[1], one.name) == 0) {
            one.run();
            std::printf("%s: done\n", one.name);
            return 0; // without Finalize: it may never come
        }
    std::fprintf(stderr, "no such case\n");
    return 2;
}
