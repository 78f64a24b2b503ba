/*
 * Steps that are led, and others in between: shm/barrier.c, fold_led of src/coll/fold.c.
 *
 * N ranks make STEPS operations, every third of which is an ordinary one of one step. Whoever sees that all
 * have arrived may stand for leader; who wins compares the requests, folds what lies in the slots and publishes the
 * next step; the others follow.
 *
 *   shown: one leader per operation; requests are those of the operation when they are compared, slots have
 *          what was written for it when they are read, and so has the result.
 *
 * -DEARLY publishes before the slots are read. -DEVERYBODY has each rank compare, as ordinary steps do: a rank that
 * has gone on overwrites its line while another still looks. Both must fail.
 */
#ifndef N
#define N 3
#endif
#define OPERATIONS 4
#define LED(op) ((op) % 3 != 0)

typedef ring { byte piece[2] };
ring staging[N];        /* by parity of the step: pieces that do not overlap */
ring request[N];        /* mst_arrival.request */
byte arrived[N];        /* mst_arrival.word */
byte leader;            /* mst_cell.leader: N x operation + rank, N + 1 and more */

proctype Rank(byte me) {
    byte op = 1, s = 1, p, who;

    do
    :: op > OPERATIONS -> break
    :: op <= OPERATIONS ->
        staging[me].piece[s & 1] = op;          /* mst_stage() */
        request[me].piece[s & 1] = op;          /* announce() */
        arrived[me] = s;                        /* publish(), E2 */
        p = 0;
        if
        :: !LED(op) ->
            do                                  /* mst_lane_wait() */
            :: p == N -> break
            :: p < N -> (arrived[p] >= s); p++
            od;
            p = 0;
            do
            :: p == N -> break
            :: p < N -> assert(request[p].piece[s & 1] == op && staging[p].piece[s & 1] == op); p++
            od;
            s++
        :: LED(op) ->
            do                                  /* wait_for_leader(): arrivals, or a leader, E21 */
            :: p == N || leader / N == op -> break
            :: p < N && leader / N != op -> (arrived[p] >= s || leader / N == op); p++
            od;
            atomic {                            /* stand(): the compare-and-swap */
                if :: leader / N != op -> assert(leader / N < op); leader = N * op + me :: else fi
            }
            who = leader % N;
#ifdef EVERYBODY
            p = 0;
            do :: p == N -> break :: p < N -> assert(request[p].piece[s & 1] == op); p++ od;
#endif
            if
            :: who == me ->
#ifdef EARLY
                staging[me].piece[(s + 1) & 1] = op;
                arrived[me] = s + 1;
#endif
                p = 0;
                do                              /* compare_requests(), fold_whole() */
                :: p == N -> break
                :: p < N -> assert(request[p].piece[s & 1] == op && staging[p].piece[s & 1] == op); p++
                od;
#ifndef EARLY
                staging[me].piece[(s + 1) & 1] = op;
                arrived[me] = s + 1             /* mst_step_led() */
#endif
            :: else ->
                (arrived[who] >= s + 1);        /* mst_lane_follow() */
                assert(staging[who].piece[(s + 1) & 1] == op)
            fi;
            s = s + 2
        fi;
        op++
    od
}

init { atomic { byte i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od } }
