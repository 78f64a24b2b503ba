/*
 * grow: src/onehost/create/regroup.c, decision.c and respawned.c, shm/join/replace.c and the launcher's decisions,
 * under further deaths at any point, of those who come in place of the dead, too.
 *
 * The last rank is dead at the beginning. The launcher says of each dead seat who succeeds, and starts
 * that one, while there are restarts left and somebody is in the world. Survivors arrive, wait for each
 * other and for whoever is promised, and agree on a membership list of seats; all of them admit who is new on it,
 * and wait until those have read it; then the membership list's memory goes.
 *
 *   shown: all who return, and who is admitted, have the same members, and are members; every member's
 *          share was there; nobody waits for ever, but a respawned rank that is on no membership list (the next grow takes
 *          it), and no membership list is read when its memory is gone.
 *
 * -DONE_ADMITS lets the one who drew the membership list up admit, and must fail. -DHASTY does not wait until the
 * membership list is read, and must fail. -DSILENT_LAUNCHER says nothing when there are no restarts left, and must fail.
 */
#ifndef N
#define N 3
#endif
#ifndef R
#define R 2
#endif
#ifndef K
#define K 1
#endif
#define SEATS (N + R)
#define NONE 255
#define HAS(set, s) (((set) >> (s)) & 1)

mtype = { VACANT, WAITING, ATTACHED };

mtype state[SEATS];         /* mst_rank_entry.state, E1 */
bool share[SEATS];          /* cell and staging are there */
bool arrived[N];            /* mst_cell.regroups, E11 */
byte list[N];               /* mst_member_list_head, one bit per line; 0: its memory has gone back */
byte decided;               /* mst_cell.decided of rank 0: 1 + the winner, E12 */
byte succ[SEATS];           /* mst_rank_entry.successor, E15: 0 undecided, 1 + seat, NONE */
byte admission[SEATS];      /* mst_rank_entry.admission, E16: 0, or 1 + who drew the membership list up */
bool dead[SEATS], ended[SEATS];
byte agreed, killed, restarts;
bool returned[N];

#define CRASH if :: killed < K -> atomic { killed++; dead[me] = true }; goto gone :: skip fi
#define AGREE(set) atomic { if :: agreed == 0 -> agreed = set :: else -> assert(agreed == set) fi }
#define CAN_ADMIT(s) (!ended[s] && (state[s] == ATTACHED || (state[s] == WAITING && admission[s] != 0)))
#define INSIDE(s) (!dead[s] && (s < N || admission[s] != 0))

proctype Respawned(byte me) {
    byte got;

    CRASH;
    share[me] = true;
    CRASH;
    state[me] = WAITING;                        /* announce() */
    CRASH;
end_waiting:
    if                                          /* is_decided() */
    :: admission[me] != 0
    :: !(CAN_ADMIT(0) || CAN_ADMIT(1) || CAN_ADMIT(2 % N) || (me != N && CAN_ADMIT(N)) ||
         (me != N + 1 % R && CAN_ADMIT(N + 1 % R))) -> goto gone
    fi;
    CRASH;
    got = list[admission[me] - 1];              /* mst_member_list_read() */
    assert(HAS(got, me));
    AGREE(got);
    CRASH;
    state[me] = ATTACHED;                       /* settle() */
gone: skip
}

/* The launcher: terminations, successors, starts. */
proctype Launcher() {
    byte s;

end_watching:
    do
    :: atomic { dead[0] && succ[0] == 0 -> s = 0 }; goto decide
    :: atomic { dead[1] && succ[1] == 0 -> s = 1 }; goto decide
    :: atomic { dead[2 % N] && succ[2 % N] == 0 -> s = 2 % N }; goto decide
    :: atomic { dead[N] && succ[N] == 0 -> s = N }; goto decide
    :: atomic { dead[N + 1 % R] && succ[N + 1 % R] == 0 -> s = N + 1 % R }; goto decide
    od;
decide:
    ended[s] = true;                            /* reap() */
    if
    :: restarts < R && (INSIDE(0) || INSIDE(1) || INSIDE(2 % N) || INSIDE(N) || INSIDE(N + 1 % R)) ->
        restarts++;
        succ[s] = N + restarts;                 /* mst_respawn_decide() */
        run Respawned(N + restarts - 1)
    :: else ->
#ifdef SILENT_LAUNCHER
        goto end_silent
#else
        succ[s] = NONE
#endif
    fi;
    goto end_watching;
#ifdef SILENT_LAUNCHER
end_silent: (false)
#endif
}

/* The death words: deaths become known before the launcher knows, or after. */
proctype Deaths() {
    byte s;

end_watching:
    do
    :: dead[0] && !ended[0] -> ended[0] = true
    :: dead[1] && !ended[1] -> ended[1] = true
    :: dead[2 % N] && !ended[2 % N] -> ended[2 % N] = true
    :: dead[N] && !ended[N] -> ended[N] = true
    :: dead[N + 1 % R] && !ended[N + 1 % R] -> ended[N + 1 % R] = true
    od
}

/* mst_successor_look(): waits until it is not MST_COMING, and where the rank sits then. */
inline look(r, s) {
    s = r;
    do
    :: !ended[s] && state[s] != VACANT -> break
    :: ended[s] && succ[s] == NONE -> break
    :: ended[s] && succ[s] != 0 && succ[s] != NONE -> s = succ[s] - 1
    od
}

proctype Rank(byte me) {
    byte p, s, mine, winner, got;

    CRASH;
    share[me] = true;                           /* claim(), arrive() */
    arrived[me] = true;
    CRASH;
    p = 0;
    do                                          /* gather() */
    :: p == N -> break
    :: p < N -> (arrived[p] || ended[p]); look(p, s); p++
    od;
    CRASH;
    p = 0;
    do                                          /* draw_up_list(): the members, then the respawned ranks */
    :: p == N -> break
    :: p < N -> if :: arrived[p] && !ended[p] -> mine = mine | (1 << p) :: else fi; p++
    od;
    p = N;
    do
    :: p == SEATS -> break
    :: p < SEATS ->
        if :: !ended[p] && state[p] == WAITING && admission[p] == 0 -> mine = mine | (1 << p) :: else fi;
        p++
    od;
    list[me] = mine;
    CRASH;
    atomic { if :: decided == 0 -> decided = me + 1 :: else fi };   /* mst_decision_propose() */
    CRASH;
    winner = decided - 1;                       /* mst_decision_read() */
    got = list[winner];
    assert(HAS(got, me));
    p = 0;
    do
    :: p == SEATS -> break
    :: p < SEATS -> assert(!HAS(got, p) || share[p]); p++
    od;
    AGREE(got);
    p = N;
    do                                          /* mst_respawned_admit() */
    :: p == SEATS -> break
    :: p < SEATS && HAS(got, p) ->
#ifdef ONE_ADMITS
        if :: winner == me -> admission[p] = winner + 1 :: else fi;
#else
        atomic { if :: admission[p] == 0 -> admission[p] = winner + 1 :: else fi };
        assert(admission[p] == winner + 1);
#endif
        CRASH;
        p++
    :: p < SEATS && !HAS(got, p) -> p++
    od;
#ifndef HASTY
    p = N;
    do                                          /* mst_respawned_await() */
    :: p == SEATS -> break
    :: p < SEATS -> (!HAS(got, p) || state[p] == ATTACHED || ended[p]); p++
    od;
#endif
    CRASH;
    returned[me] = true;
    /* The old group is freed; its memory goes when every other member has left it, or is dead. */
    if
    :: winner == me && (returned[0] || dead[0]) && (returned[1] || dead[1]) && (returned[2 % N] || dead[2 % N]) ->
        list[me] = 0
    :: skip
    fi;
gone: skip
}

init {
    atomic {
        byte i = 0;

        do :: i < N -> state[i] = ATTACHED; i++ :: i >= N && i < SEATS -> state[i] = VACANT; i++ :: i == SEATS -> break od;
        dead[N - 1] = true;
        i = 0;
        do :: i < N - 1 -> run Rank(i); i++ :: else -> break od;
        run Launcher();
        run Deaths()
    }
}
