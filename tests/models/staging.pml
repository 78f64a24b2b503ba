/*
 * Staging: shm/group/staging.h. What is written for round s is read by all after the arrival wait of s and must
 * not be overwritten before they have; chunks of rounds that follow each other do not overlap, and that
 * is all there is. Two halves are the narrowest ring there may be.
 *
 *   shown: what a rank reads in round s is what its peer wrote for round s.
 *
 * -DONE_CHUNK uses the same place at every round, and must fail.
 */
#ifndef N
#define N 3
#endif
#define STEPS 4
#ifdef ONE_CHUNK
#define CHUNK(s) 0
#else
#define CHUNK(s) ((s) & 1)      /* mst_staging_turn() */
#endif

typedef ring { byte chunk[2] };
ring staging[N];
byte arrived[N];                /* mst_arrival.word */

proctype Rank(byte me) {
    byte s = 1, p;

    do
    :: s > STEPS -> break
    :: s <= STEPS ->
        staging[me].chunk[CHUNK(s)] = s;        /* mst_stage() */
        arrived[me] = s;                        /* publish(), E2 */
        p = 0;
        do                                      /* mst_sequence_wait() */
        :: p == N -> break
        :: p < N -> (arrived[p] >= s); p++
        od;
        p = 0;
        do                                      /* the reduce, from mst_peer_slot() */
        :: p == N -> break
        :: p < N -> assert(staging[p].chunk[CHUNK(s)] == s); p++
        od;
        s++
    od
}

init { atomic { byte i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od } }
