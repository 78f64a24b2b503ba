/* Operations of `muster bench` that are made of messages. */
#ifndef MUSTER_BENCH_MESSAGES_H
#define MUSTER_BENCH_MESSAGES_H

#include "tools/muster/bench/call.h"

/* Each rank sends to the next and receives from the one before. */
muster_status bench_sendrecv(const bench_call *call);

/* Ranks 0 and 1 send a message there and back; the others look on. With `tags` each message has another tag,
 * and its receive asks for that. */
muster_status bench_ping_pong(const bench_call *call);
muster_status bench_tags(const bench_call *call);

#define BENCH_HALO 8

/* Each rank starts a receive from each of 8 neighbours and a send to each, and waits for all: as halos of a
 * grid are exchanged. Block i of the output comes from the rank that is bench_halo_distance(i) ranks before
 * this one. */
muster_status bench_halo(const bench_call *call);
int bench_halo_distance(int i, int ranks);

/* Rank 0 receives one message for each other rank, from whoever sends next and with any tag, and answers it;
 * the others send one and wait for the answer: as a scheduler hands out tasks. */
muster_status bench_farm(const bench_call *call);

#endif
