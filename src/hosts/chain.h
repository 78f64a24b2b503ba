/*
 * A large reduction that all ranks need, as partial results that go from host to host in rank order.
 *
 * A group is a sequence of runs: ranks that follow each other and are on one host. A run combines the
 * partial result of the run before it with its own inputs, so the order of the operands is that of one host.
 * A rail is a slice of the vector that one rank of each run works on; there are as many as the shortest run
 * has ranks. Chunks of the vector follow each other, all under way at once, and results go back from host to
 * host. So a link between two hosts carries the vector once in each direction, whatever the number of ranks
 * there.
 */
#ifndef MST_HOSTS_CHAIN_H
#define MST_HOSTS_CHAIN_H

#include "src/hosts/actions.h"

/* How an all_reduce of so many bytes would go by chain, and what the busiest host sends or receives, in parts
 * of `size` in each vector: by chain, and by slices (plans.c), where each rank reduces one. */
typedef struct mst_chain_costs {
    int runs, rails;
    size_t chunk_bytes, chunks;
    uint64_t chain, slices;
} mst_chain_costs;

void mst_chain_weigh(const mst_places *places, size_t bytes, mst_chain_costs *costs);

/* Whether that has the right bits, and is thought to be faster; the same on all ranks. */
bool mst_chain_pays(const mst_run *run);

muster_status mst_plan_chain(mst_run *run);

#endif
