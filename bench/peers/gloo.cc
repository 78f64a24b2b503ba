// Gloo over TCP as a contender of bench/compare. Ranks are started by `muster run`, which says who is who;
// they meet in the directory BENCH_GLOO_STORE.
#include <cstdlib>
#include <memory>

#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include "loop.h"

static std::shared_ptr<gloo::rendezvous::Context> context;

static void barrier()
{
    gloo::BarrierOptions options(context);
    gloo::barrier(options);
}

static double max(double value)
{
    gloo::AllreduceOptions options(context);
    options.setOutput(&value, 1);
    options.setReduceFunction([](void *c, const void *a, const void *b, size_t n) {
        gloo::max<double>(c, a, b, n);
    });
    gloo::allreduce(options);
    return value;
}

static void all_reduce(const float *in, float *out, size_t count)
{
    gloo::AllreduceOptions options(context);
    options.setInput(const_cast<float *>(in), count);
    options.setOutput(out, count);
    options.setReduceFunction([](void *c, const void *a, const void *b, size_t n) {
        gloo::sum<float>(c, a, b, n);
    });
    gloo::allreduce(options);
}

static void all_gather(const float *in, float *out, size_t count)
{
    gloo::AllgatherOptions options(context);
    options.setInput(const_cast<float *>(in), count);
    options.setOutput(out, count * context->size);
    gloo::allgather(options);
}

static void broadcast(float *buffer, size_t count)
{
    gloo::BroadcastOptions options(context);
    options.setOutput(buffer, count);
    options.setRoot(0);
    gloo::broadcast(options);
}

static void ping_pong(float *buffer, size_t count)
{
    if (context->rank > 1)
        return;
    auto memory = context->createUnboundBuffer(buffer, count * sizeof(float));
    int other = 1 - context->rank;
    for (int turn = 0; turn < 2; turn++)
        if (turn == context->rank) {
            memory->send(other, 77);
            memory->waitSend();
        } else {
            memory->recv(other, 77);
            memory->waitRecv();
        }
}

int main(int argc, char **argv)
{
    int rank = atoi(getenv("MUSTER_RANK")), size = atoi(getenv("MUSTER_SIZE"));
    gloo::transport::tcp::attr address;
    address.hostname = "127.0.0.1";
    gloo::rendezvous::FileStore store(getenv("BENCH_GLOO_STORE"));
    context = std::make_shared<gloo::rendezvous::Context>(rank, size);
    auto device = gloo::transport::tcp::CreateDevice(address);
    context->connectFullMesh(store, device);
    peer contender = {};
    contender.rank = rank;
    contender.size = size;
    contender.barrier = barrier;
    contender.max = max;
    contender.all_reduce = all_reduce;
    contender.all_gather = all_gather;
    contender.broadcast = broadcast;
    contender.ping_pong = ping_pong;
    int status = loop_main(&contender, argc, argv);
    barrier();
    return status;
}
