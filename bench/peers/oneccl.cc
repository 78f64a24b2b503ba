// oneCCL as a contender of bench/compare. Ranks are started by Intel's mpiexec, over whose MPI oneCCL runs;
// rank 0's address gets to the others through a file in the directory BENCH_STORE. With --version: what
// library it runs with.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <oneapi/ccl.hpp>

#include "loop.h"

static std::unique_ptr<ccl::communicator> world;

static void barrier(const float *, float *, size_t)
{
    ccl::barrier(*world).wait();
}

static double max(double value)
{
    double all;

    ccl::allreduce(&value, &all, 1, ccl::reduction::max, *world).wait();
    return all;
}

static void all_reduce(const float *in, float *out, size_t count)
{
    ccl::allreduce(in, out, count, ccl::reduction::sum, *world).wait();
}

static void all_gather(const float *in, float *out, size_t count)
{
    ccl::allgather(in, out, count, *world).wait();
}

static void all_gatherv(const float *in, float *out, size_t count)
{
    ccl::allgatherv(in, count, out, std::vector<size_t>(world->size(), count), *world).wait();
}

static void reduce_scatter(const float *in, float *out, size_t count)
{
    ccl::reduce_scatter(in, out, count, ccl::reduction::sum, *world).wait();
}

static void broadcast(const float *, float *out, size_t count)
{
    ccl::broadcast(out, count, 0, *world).wait();
}

static void all_to_all(const float *in, float *out, size_t count)
{
    ccl::alltoall(in, out, count, *world).wait();
}

static void all_to_allv(const float *in, float *out, size_t count)
{
    std::vector<size_t> counts(world->size(), count);

    ccl::alltoallv(in, counts, out, counts, *world).wait();
}

static void send(float *buffer, size_t count, int other, int)
{
    ccl::send(buffer, count, other, *world).wait();
}

static void receive(float *buffer, size_t count, int other, int)
{
    ccl::recv(buffer, count, other, *world).wait();
}

// The file gets its name when all of it is there.
static std::shared_ptr<ccl::kvs> meet(int rank)
{
    std::string path = std::string(getenv("BENCH_STORE")) + "/address", unready = path + ".new";
    ccl::kvs::address_type address;

    if (rank == 0) {
        auto kvs = ccl::create_main_kvs();
        address = kvs->get_address();
        std::ofstream(unready, std::ios::binary).write(address.data(), address.size());
        rename(unready.c_str(), path.c_str());
        return kvs;
    }
    std::ifstream file;
    while (file.open(path, std::ios::binary), !file)
        usleep(1000);
    file.read(address.data(), address.size());
    return ccl::create_kvs(address);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        ccl::library_version version = ccl::get_library_version();
        printf("%u.%u.%u\n", version.major, version.minor, version.update);
        return 0;
    }
    int rank = atoi(getenv("PMI_RANK")), size = atoi(getenv("PMI_SIZE"));
    ccl::init();
    auto kvs = meet(rank);
    world = std::make_unique<ccl::communicator>(ccl::create_communicator(size, rank, kvs));
    peer contender = {};
    contender.rank = rank;
    contender.size = size;
    contender.max = max;
    contender.call[LOOP_BARRIER] = barrier;
    contender.call[LOOP_ALL_REDUCE] = all_reduce;
    contender.call[LOOP_ALL_GATHER] = all_gather;
    contender.call[LOOP_ALL_GATHERV] = all_gatherv;
    contender.call[LOOP_REDUCE_SCATTER] = reduce_scatter;
    contender.call[LOOP_BROADCAST] = broadcast;
    contender.call[LOOP_ALL_TO_ALL] = all_to_all;
    contender.call[LOOP_ALL_TO_ALLV] = all_to_allv;
    contender.send = send;
    contender.receive = receive;
    int status = loop_main(&contender, argc, argv);
    barrier(nullptr, nullptr, 0);
    world.reset();
    return status;
}
