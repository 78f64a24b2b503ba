/*
 * Rounds in two levels: shm/group/levels.c, with payloads that leaders pass on, and requests that they compare.
 *
 * N ranks in domains of D make ROUNDS rounds. A rank writes its payload and its request into its arrival line, then the
 * round. The first rank of a domain, its leader, waits for the lines of its domain, copies the payloads into `gathered`,
 * compares the requests, says the round there, waits for the other leaders, and releases its domain. One rank may make another request in the
 * last round.
 *
 *   shown: what a rank reads after a round, in arrival lines and in what leaders pass on, was written for it; all find the same about
 *          the requests, and the truth; nobody waits for ever.
 *
 * With -DENDS any wait may end early, as when the group broke or a rank's time is over: who then finds by all arrival lines
 * that all have come is done; a leader releases its domain with the word that each is to look at all lines.
 *
 * -DONE_GATHERED has one `gathered`, not two in turn. -DEARLY releases a domain before the other leaders have come. -DENDS
 * -DSILENT has a leader that does not say so. These must fail.
 */
#ifndef N
#define N 4
#endif
#ifndef D
#define D 2
#endif
#ifndef ROUNDS
#define ROUNDS 4
#endif
#define LEADER(r) (((r) / D) * D)
#define LAST(r) (LEADER(r) + D < N -> LEADER(r) + D : N)
#define ALL (arrived[0] >= s && arrived[1] >= s && arrived[N - 2] >= s && arrived[N - 1] >= s) /* N: 3 or 4 */
#ifdef ENDS
#define OR_ENDS :: ALL -> looks = true
#else
#define OR_ENDS
#endif
#ifdef ONE_GATHERED
#define TURN 0
#else
#define TURN (s & 1)
#endif

typedef lines { byte at[2] };
typedef passed { byte at[2 * D] };
lines payload[N];   /* mst_arrival.payload, by parity of the round */
lines request[N];   /* mst_arrival.request */
byte arrived[N];    /* mst_arrival.word */
passed copy[N];     /* mst_gathered.payload, of leaders */
lines asked[N];     /* mst_gathered.request and .differ: 0: they differ */
byte gathered[N];   /* mst_gathered.word, of the later of the two */
byte verdict[N];    /* release.request of a leader: 1: requests differ, 2: look yourself */
byte release[N];    /* release.word */
byte other = N;     /* who makes another request in the last round; N: nobody */

proctype Rank(byte me) {
    byte s = 1, p;
    bool differs, looks;

    do
    :: s > ROUNDS -> break
    :: s <= ROUNDS ->
        payload[me].at[s & 1] = s;
        request[me].at[s & 1] = (me == other && s == ROUNDS -> 2 : 1);
        arrived[me] = s;                                /* publish(), E2 */
        looks = false;
        if
        :: me == LEADER(me) ->
            p = me + 1;
            do :: p == LAST(me) -> break :: p < LAST(me) -> (arrived[p] >= s); p++ od; /* wait_for_domain() */
            p = me;
            differs = false;
            do                                          /* say_gathered() */
            :: p == LAST(me) -> break
            :: p < LAST(me) ->
                copy[me].at[TURN * D + p - me] = payload[p].at[s & 1];
                differs = differs || request[p].at[s & 1] != request[me].at[s & 1];
                p++
            od;
            asked[me].at[TURN] = (differs -> 0 : request[me].at[s & 1]);
            gathered[me] = s;                           /* E36 */
#ifndef EARLY
            p = 0;
            do                                          /* wait_for_leaders() */
            :: p >= N -> break
            :: p < N && !looks ->
                if
                :: gathered[p] >= s ->
                    differs = differs || asked[p].at[TURN] != request[me].at[s & 1];
                    p = p + D
                OR_ENDS
                fi
            :: looks -> break
            od;
#endif
#ifdef SILENT
            verdict[me] = differs;
#else
            verdict[me] = (looks -> 2 : differs);       /* lead_on() */
#endif
            release[me] = s                             /* say_release(), E37 */
        :: else ->
            if
            :: release[LEADER(me)] >= s -> looks = verdict[LEADER(me)] == 2
            OR_ENDS
            fi
        fi;
        p = 0;
        do                                              /* mst_levels_same(), mst_levels_payload(), mst_sequence_arrival() */
        :: p == N -> break
        :: p < N ->
            assert(payload[p].at[s & 1] == s);
            assert(looks || copy[LEADER(p)].at[TURN * D + p - LEADER(p)] == s);
            assert(looks || verdict[LEADER(me)] == (s == ROUNDS && other < N));
            p++
        od;
        s++
    od
}

init {
    atomic {
        byte i = 0;
        do :: other > 0 -> other-- :: break od;         /* anybody, or nobody */
        do :: i < N -> run Rank(i); i++ :: else -> break od
    }
}
