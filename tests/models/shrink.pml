/*
 * shrink: src/onehost/create/regroup.c and decision.c, under further deaths at any point.
 *
 * Each rank publishes its share, waits until every other one has arrived or is known to be dead, writes
 * down whom it sees alive, and offers that in rank 0's cell; the first offer is the decision. A death
 * becomes known at any time after it.
 *
 *   shown: all who return have the same members; each of them is one; every member had published its
 *          share; nobody waits for ever (no invalid end state).
 *
 * -DOWN_WORD lets each go by its own proposal, and must fail. -DLATE_SHARE arrives before the share is
 * written, and must fail.
 */
#ifndef N
#define N 3
#endif
#ifndef K
#define K 2
#endif

byte members[N];        /* mst_member_list_head, one bit per line */
bool share[N];          /* mst_regroup_record.share is written */
bool arrived[N];        /* mst_cell.regroups, E11 */
byte decided;           /* mst_cell.decided of rank 0: 1 + the winner, E12 */
bool dead[N], ended[N]; /* ended: known, mst_rank_entry.termination */
byte agreed = 0;        /* of the first to return */
byte killed;

#define CRASH if :: killed < K -> atomic { killed++; dead[me] = true }; goto gone :: skip fi

proctype Rank(byte me) {
    byte p = 0, mine = 0, winner, got;

    CRASH;
#ifdef LATE_SHARE
    arrived[me] = true;
    CRASH;
    share[me] = true;
#else
    share[me] = true;                           /* arrive() */
    CRASH;
    arrived[me] = true;
#endif
    CRASH;
    do                                          /* gather(): all_accounted_for() */
    :: p == N -> break
    :: p < N -> (arrived[p] || ended[p]); p++
    od;
    CRASH;
    p = 0;
    do                                          /* propose(), one look after the other */
    :: p == N -> break
    :: p < N -> if :: arrived[p] && !ended[p] -> mine = mine | (1 << p) :: else fi; p++
    od;
    members[me] = mine;
    CRASH;
    atomic { if :: decided == 0 -> decided = me + 1 :: else fi };
    CRASH;
    winner = decided - 1;                       /* mst_decision_read() */
#ifdef OWN_WORD
    winner = me;
#endif
    got = members[winner];
    assert(got & (1 << me));
    p = 0;
    do
    :: p == N -> break
    :: p < N -> assert(!(got & (1 << p)) || share[p]); p++
    od;
    atomic { if :: agreed == 0 -> agreed = got :: else -> assert(agreed == got) fi };
gone: skip
}

/* The death words: every death becomes known, some time. */
proctype Deaths() {
end_watching:
    do
    :: dead[0] && !ended[0] -> ended[0] = true
    :: dead[1] && !ended[1] -> ended[1] = true
    :: dead[2 % N] && !ended[2 % N] -> ended[2 % N] = true
    :: dead[3 % N] && !ended[3 % N] -> ended[3 % N] = true
    od
}

init { atomic { byte i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od; run Deaths() } }
