// Gloo over TCP as a contender of bench/compare. Ranks are started by `muster run`, which says who is who;
// they meet in the directory BENCH_STORE.
#include <cstdlib>
#include <memory>
#include <vector>

#include <gloo/allgather.h>
#include <gloo/allgatherv.h>
#include <gloo/allreduce.h>
#include <gloo/alltoall.h>
#include <gloo/alltoallv.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include "loop.h"

static std::shared_ptr<gloo::rendezvous::Context> context;

static void barrier(const float *, float *, size_t)
{
    gloo::BarrierOptions options(context);
    gloo::barrier(options);
}

static double max(double value)
{
    gloo::AllreduceOptions options(context);
    options.setOutput(&value, 1);
    options.setReduceFunction(
        [](void *c, const void *a, const void *b, size_t n) { gloo::max<double>(c, a, b, n); });
    gloo::allreduce(options);
    return value;
}

static void all_reduce(const float *in, float *out, size_t count)
{
    gloo::AllreduceOptions options(context);
    options.setInput(const_cast<float *>(in), count);
    options.setOutput(out, count);
    options.setReduceFunction(
        [](void *c, const void *a, const void *b, size_t n) { gloo::sum<float>(c, a, b, n); });
    gloo::allreduce(options);
}

static void all_gather(const float *in, float *out, size_t count)
{
    gloo::AllgatherOptions options(context);
    options.setInput(const_cast<float *>(in), count);
    options.setOutput(out, count * context->size);
    gloo::allgather(options);
}

static void all_gatherv(const float *in, float *out, size_t count)
{
    gloo::AllgathervOptions options(context);
    options.setInput(const_cast<float *>(in), count);
    options.setOutput(out, std::vector<size_t>(context->size, count));
    gloo::allgatherv(options);
}

static void broadcast(const float *, float *out, size_t count)
{
    gloo::BroadcastOptions options(context);
    options.setOutput(out, count);
    options.setRoot(0);
    gloo::broadcast(options);
}

static void all_to_all(const float *in, float *out, size_t count)
{
    gloo::AlltoallOptions options(context);
    options.setInput(const_cast<float *>(in), count * context->size);
    options.setOutput(out, count * context->size);
    gloo::alltoall(options);
}

static void all_to_allv(const float *in, float *out, size_t count)
{
    std::vector<int64_t> counts(context->size, static_cast<int64_t>(count));
    gloo::AlltoallvOptions options(context);
    options.setInput(const_cast<float *>(in), counts);
    options.setOutput(out, counts);
    gloo::alltoallv(options);
}

/* The latest buffer, which ping-pong sends and receives again and again. */
static gloo::transport::UnboundBuffer &registered(float *buffer, size_t count)
{
    static std::unique_ptr<gloo::transport::UnboundBuffer> latest;

    if (!latest || latest->ptr != buffer || latest->size != count * sizeof(float))
        latest = context->createUnboundBuffer(buffer, count * sizeof(float));
    return *latest;
}

static void send(float *buffer, size_t count, int other, int tag)
{
    registered(buffer, count).send(other, tag);
    registered(buffer, count).waitSend();
}

static void receive(float *buffer, size_t count, int other, int tag)
{
    registered(buffer, count).recv(other, tag);
    registered(buffer, count).waitRecv();
}

int main(int argc, char **argv)
{
    int rank = atoi(getenv("MUSTER_RANK")), size = atoi(getenv("MUSTER_SIZE"));
    gloo::transport::tcp::attr address;
    address.hostname = "127.0.0.1";
    gloo::rendezvous::FileStore store(getenv("BENCH_STORE"));
    context = std::make_shared<gloo::rendezvous::Context>(rank, size);
    auto device = gloo::transport::tcp::CreateDevice(address);
    context->connectFullMesh(store, device);
    peer contender = {};
    contender.rank = rank;
    contender.size = size;
    contender.max = max;
    contender.call[LOOP_BARRIER] = barrier;
    contender.call[LOOP_ALL_REDUCE] = all_reduce;
    contender.call[LOOP_ALL_GATHER] = all_gather;
    contender.call[LOOP_ALL_GATHERV] = all_gatherv;
    contender.call[LOOP_BROADCAST] = broadcast;
    contender.call[LOOP_ALL_TO_ALL] = all_to_all;
    contender.call[LOOP_ALL_TO_ALLV] = all_to_allv;
    contender.send = send;
    contender.receive = receive; /* each message of Gloo has a tag: there is one form */
    int status = loop_main(&contender, argc, argv);
    barrier(nullptr, nullptr, 0);
    return status;
}
